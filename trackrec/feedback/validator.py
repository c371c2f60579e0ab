"""Which V the settings name: its model, its prompt, where it starts, the version over all, and whom it judges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trackrec.engines.spec import COUNTED, EngineSpec, compute_of
from trackrec.feedback.offset import OFFSET_FILE, Offset, kind_of, saved_offset
from trackrec.feedback.reader import check_reader
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.user_split import FOLD_FILE, FOLDS, saved_fold
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, base_model, resolve
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EngineSettings, Settings, ValidatorSettings

V_SETTINGS = ("validator.model", "validator.counterpart")  # by fold: which one names the V that was tuned on it


@dataclass(frozen=True)
class Validator:
    """V: its settings, weights, prompt and offset. The same weights behind another prompt are another V.

    ``offset``: the coefficients beside its adapter; None where it has none, or the settings want none.
    """

    settings: ValidatorSettings
    model: Model
    template: ValidatorTemplate
    offset: Offset | None = None

    @property
    def version(self) -> str:
        """validator_version: model, what computes it, whether an offset is added, and the prompt.

        E.g. ``SmolLM2@0a1b2c3d4e5f+vllm.bfloat16+offset+validator@…``. Engine, dtype and ``deterministic`` change V's
        probabilities as they change G's texts; the offset's coefficients are part of the model's hash.
        """
        offset = "" if self.offset is None else "+offset"
        return f"{self.model.version}+{compute_of(self.settings)}{offset}+{self.template.version}"

    @property
    def spec(self) -> EngineSpec:
        """The engine that scores V's answers."""
        return EngineSpec.for_validator(self.settings, self.model)

    @property
    def base_log_odds(self) -> float:
        """What is taken off the LLM's log-odds before the offset is added, nats: nothing where there is no LLM."""
        return 0.0 if self.offset is None or self.settings.engine == COUNTED else self.offset.base


def validator_settings(settings: Settings) -> ValidatorSettings:
    """The settings of V: what they leave out of how it is run is as for G, and without any it starts from G's base.

    So a V that is named alone, by validator.model.source, is run as it was when it was tuned beside that G.
    """
    shared = set(EngineSettings.model_fields) - {"chunk_rows"}
    like_generator = {name: getattr(settings.generator, name) for name in shared}
    if settings.validator is None:
        return ValidatorSettings(model=settings.generator.model, **like_generator)
    left_out = {name: like_generator[name] for name in shared - settings.validator.model_fields_set}
    return settings.validator.model_copy(update=left_out)


def validator_of(settings: Settings, fold: int = 0) -> Validator:
    """The V that is tuned on the users of ``fold``: of validator.model for 0, of validator.counterpart for 1.

    Without a counterpart that of fold 1 is the base of validator.model: never a V that was tuned on the other fold.
    BadInputError where its weights cannot be had.
    """
    chosen = validator_settings(settings)
    facts = template_of(settings.prompt, settings.histories)
    template = ValidatorTemplate(facts, settings.feedback.validator_reads, answers=chosen.answers)
    if fold and chosen.counterpart is not None:
        model = resolve(chosen.counterpart, settings.cache_dir())
    else:
        model = resolve(chosen.model, settings.cache_dir())
        model = base_model(model) if fold else model
    return Validator(chosen, model, template, _offset_of(settings, model))


def folds_of(settings: Settings, only: int | None = None) -> tuple[int, ...]:
    """The folds that a V is tuned on each, or ``only`` this one; BadInputError where the settings have no V of it."""
    folds = FOLDS if settings.feedback.cross_fit else FOLDS[:1]
    if only is None:
        return folds
    if only not in folds:
        raise BadInputError(
            f"feedback.cross_fit is false, so no V is tuned on fold {only}.", "Set feedback.cross_fit=true, or fold 0."
        )
    return (only,)


def judges_of(settings: Settings) -> dict[int, Validator]:
    """Fold of users → the V that judges them, which was tuned on the other fold; without cross_fit of fold 1 alone.

    Raises BadInputError where a V lacks what the settings want of it: a counterpart, an offset, the right fold.
    """
    check_reader(settings)
    judges = {1: validator_of(settings)}
    if settings.feedback.cross_fit:
        if judges[1].model.adapter and validator_settings(settings).counterpart is None:
            raise BadInputError(
                "feedback.cross_fit needs two V's, and validator.counterpart names none.",
                "Add --set validator.counterpart.source=… as jobs/tune_validator.py prints it, or set "
                "feedback.cross_fit=false: then half of the users are judged.",
            )
        judges[0] = validator_of(settings, fold=1)
    for fold, judge in judges.items():
        _check_offset(settings, judge)
        check_fold(judge.model, 1 - fold)
    return judges


def tuned_fold(model: Model) -> int | None:
    """The fold of users that a V was tuned on; None of a base, and of an earlier version's V without an offset."""
    if not model.adapter:
        return None
    offset = saved_offset(Path(model.adapter) / OFFSET_FILE)
    return saved_fold(Path(model.adapter) / FOLD_FILE) if offset is None else offset.fold


def check_fold(model: Model, fold: int) -> None:
    """BadInputError where the V that is to be of ``fold`` was tuned on the users whom it would judge."""
    tuned = tuned_fold(model)
    if tuned not in (None, fold):
        raise BadInputError(
            f"{V_SETTINGS[fold]} names a V that was tuned on fold {tuned}, whose users it would judge.",
            "Name the V of fold 0 by validator.model and that of fold 1 by validator.counterpart.",
        )


def _offset_of(settings: Settings, model: Model) -> Offset | None:
    if settings.feedback.offset == "none" or not model.adapter:
        return None
    return saved_offset(Path(model.adapter) / OFFSET_FILE)


def _check_offset(settings: Settings, judge: Validator) -> None:
    if settings.feedback.offset == "none":
        return
    if judge.offset is None:
        raise BadInputError(
            f"V {judge.model.version} ({judge.model.source}) has no offset: no {OFFSET_FILE} beside an adapter.",
            "Tune it with jobs/tune_validator.py, or set feedback.offset=none to judge by the LLM alone.",
        )
    if kind_of(judge.offset) != settings.feedback.offset:
        raise BadInputError(
            f"V {judge.model.version} was tuned with feedback.offset={kind_of(judge.offset)}, and now that is "
            f"{settings.feedback.offset}.",
            "Set it as it was, or tune V anew with jobs/tune_validator.py.",
        )
    if judge.offset.counted and judge.settings.engine != COUNTED:
        raise BadInputError(
            f"V {judge.model.version} was made without an LLM (validator.engine=counted), and validator.engine is "
            f"{judge.settings.engine}: an LLM that nobody tuned would judge.",
            "Add --set validator.engine=counted, or tune V with this engine by jobs/tune_validator.py.",
        )
