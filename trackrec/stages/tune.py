"""rec_tuning → V_t: the answers learned behind (RecCoT, item), RecCoT by RecCoT; no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackrec.engines.chat import Chat
from trackrec.engines.spec import COUNTED, EngineSpec
from trackrec.feedback.offset import COUNTS, NAMED, OFFSET_FILE, Offset, fit_offset, kind_of, saved_offset
from trackrec.feedback.reader import check_reader, fit_reader
from trackrec.feedback.user_split import FOLD_FILE, save_fold
from trackrec.feedback.validator import V_SETTINGS, Validator, check_fold, validator_of
from trackrec.feedback.writers import tuning_writers
from trackrec.models.registry import TrainedVersion, round_of
from trackrec.models.resolve import Model, base_model, resolve
from trackrec.models.threads import use_threads
from trackrec.reccots.feature_version import GeneratorIdentity, generator_identity
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings, ValidatorSettings
from trackrec.stages.new_version import record_version
from trackrec.tables.lake import Lake, Row
from trackrec.training.digests import rec_tuning_digest
from trackrec.training.earlier_keys import earlier_row_keys, with_earlier_keys
from trackrec.training.prompts_file import folder_for_prompts

if TYPE_CHECKING:
    from trackrec.training.answer_objective import AnswerGroup
    from trackrec.training.group_loop import Figures

_COLUMNS = ["row_key", "prompt_key", "item_id", "event_time", "label", "user_id", "fold", *COUNTS, *NAMED]
_VERSIONS = ["generator_version", "sampling", "template_version"]


def tune_validator(run: Run, tables: Lake, number: int | None = None, fold: int = 0) -> Outcome:
    """Tune the V of ``fold`` on the rows of the settings' G and of ``tune.also``; register it as round ``number``.

    It starts from V's base, or with tune.start previous from the V that the settings name. Without ``number`` its round
    is that of G. A finished training is not repeated, a killed one goes on. The loss is on the answer only. Raises
    BadInputError without rows, or where all have one label.
    """
    settings = run.settings
    check_reader(settings)
    with run.stage("tune") as stage:
        validator = validator_of(settings, fold)
        start = start_of(settings, validator, fold)
        template, chosen = validator.template, validator.settings
        use_threads(chosen.threads)  # before torch is imported
        generator = resolve(settings.generator.model, settings.cache_dir())
        reccots = training_rows(settings, tables, generator, template.version, fold)
        rows = list(chain.from_iterable(reccots))
        keyed = with_earlier_keys(rows, earlier_row_keys(settings.generator, generator, rows))
        share_liked = _share_liked(rows)
        offset = _offset(settings, start, rows, fold)
        reader = fit_reader(rows, offset) if offset and settings.tune.targets == "reader" else None
        for part, fitted in (("V learns", reader), ("V begins with", offset)):
            if fitted is not None and fitted.reads:
                stage.notice(f"{part} what a reader makes of the labels: {_weights_text(fitted)}")
        counted = chosen.engine == COUNTED
        groups = [] if counted else _token_groups(reccots, chosen, start, offset, reader)
        digest = rec_tuning_digest(
            start.version,
            COUNTED if counted else chosen.dtype,
            chosen.answers,
            settings.tune,
            template.version,
            keyed,
            None if offset is None else offset.strength,
            reads=offset is not None and offset.reads,
        )
        folder = Path(settings.models).resolve() / "validator" / digest
        folder = folder_for_prompts(folder, [row["prompt_body"] for row in rows])
        adapter, steps = _trained(settings, chosen, start, groups, folder, stage, offset, fold)
        examples = len(rows) if counted else sum(len(group.group.answers) for group in groups)
        metrics = _sizes(rows, examples) | {"fold": fold, "share_liked": share_liked, "steps": len(steps)}
        metrics |= _first_and_last(steps) if steps else {}
        metrics |= _coefficients(saved_offset(adapter / OFFSET_FILE)) | _weights("reader", reader)
        data = {"rec_tuning": tables.open("rec_tuning").version()}
        number = round_of(tables, "generator", generator.version) if number is None else number
        trained = TrainedVersion(f"adapter:{adapter}", start.version, data, metrics)
        record_version(run, tables, stage, "validator", trained, number, V_SETTINGS[fold])
    return stage.outcome


def start_of(settings: Settings, validator: Validator, fold: int) -> Model:
    """The weights that tuning starts from.

    BadInputError where it is to go on from a V that the settings do not name, that was tuned on the other fold, or that
    had an offset and is to have none, or not.
    """
    if settings.tune.start == "base":
        return base_model(validator.model)
    named = settings.validator and (settings.validator.counterpart if fold else settings.validator.model)
    if named is None:
        raise BadInputError(
            f"tune.start is previous, and of the V's to go on from {V_SETTINGS[fold]} names none.",
            f"Add --set {V_SETTINGS[fold]}.source=… as jobs/tune_validator.py printed it, or set tune.start=base.",
        )
    if not validator.model.adapter:
        return validator.model
    check_fold(validator.model, fold)
    before = saved_offset(Path(validator.model.adapter) / OFFSET_FILE)
    if validator.settings.engine == COUNTED or (before is not None and before.counted):
        raise BadInputError(
            f"tune.start is previous, and V {validator.model.version} is one without an LLM, or is to be: there is "
            "nothing that it could go on from.",
            "Set tune.start=base.",
        )
    had = kind_of(before)
    if had != settings.feedback.offset:
        raise BadInputError(
            f"V {validator.model.version} was tuned with feedback.offset={had}, and now that is "
            f"{settings.feedback.offset}: what it learned does not fit.",
            "Set tune.start=base, or feedback.offset as it was.",
        )
    return validator.model


def training_rows(
    settings: Settings, tables: Lake, generator: Model, template_version: str, fold: int = 0
) -> list[list[Row]]:
    """The rows that V is tuned on, RecCoT by RecCoT in the order of their earlier keys, which mixes users and times.

    Those of all ``tuning_writers``. Of each RecCoT the first ``tune.next_events`` rows by time; as many RecCoTs as hold
    ``tune.max_examples`` events. Raises BadInputError where there are none of this generator with the settings'
    sampling.
    """
    identities = _identities(settings, generator)
    columns = [*_COLUMNS, *_VERSIONS, "prompt_body"]
    stored: list[Row] = tables.read_columns("rec_tuning", columns).to_pylist()
    rows = [
        row
        for row in stored
        if row["template_version"] == template_version
        and (row["generator_version"], row["sampling"]) in identities
        and (row["fold"] or 0) == fold
    ]
    served = identities[0]
    if not any((row["generator_version"], row["sampling"]) == served for row in rows):
        raise BadInputError(
            f"table rec_tuning has no row of generator {served.generator_version} with this sampling, of fold {fold}.",
            "Run jobs/generate_reccot.py with the same settings first.",
        )
    earlier = earlier_row_keys(settings.generator, generator, rows)
    reccots: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["event_time"], row["item_id"])):
        reccots.setdefault(row["row_key"], []).append(row)
    ordered = sorted(reccots, key=lambda key: earlier.get(key, key))
    cut = [reccots[key][: settings.tune.next_events] for key in ordered]
    return cut if settings.tune.max_examples is None else first_rows(cut, settings.tune.max_examples)


def _identities(settings: Settings, generator: Model) -> list[GeneratorIdentity]:
    """Of ``tuning_writers``, the settings' own G (the weights ``generator``) first."""
    return [
        generator_identity(
            writer.generator,
            generator
            if writer.generator.model == settings.generator.model
            else resolve(writer.generator.model, settings.cache_dir()),
        )
        for writer in tuning_writers(settings)
    ]


def first_rows(reccots: Sequence[list[Row]], count: int) -> list[list[Row]]:
    """The first RecCoTs that hold ``count`` next events of histories in all; the last one is cut.

    An event of a history counts once, however many RecCoTs there are about that history: V learns from as many events
    where it is tuned on several texts, of one G or of more. With one text a history these are the first ``count`` rows.
    """
    kept: list[list[Row]] = []
    seen: set[tuple[Any, ...]] = set()
    for rows in reccots:
        if len(seen) >= count:
            break
        taken = []
        for row in rows:
            event = (row["prompt_key"], row["item_id"], row["event_time"])
            if event in seen or len(seen) < count:
                seen.add(event)
                taken.append(row)
        kept.append(taken)
    return kept


def _share_liked(rows: Sequence[Row]) -> float:
    liked = sum(row["label"] for row in rows)
    if liked in (0, len(rows)):
        raise BadInputError(
            f"table rec_tuning: all {len(rows)} rows of this generator and template have one label.",
            "Look at source.like_threshold, or show V more users (feedback.validator_share).",
        )
    return float(liked / len(rows))


def _offset(settings: Settings, start: Model, rows: Sequence[Row], fold: int) -> Offset | None:
    """Fitted on each event of the rows once, its reader on every row; of a V that goes on, what it began with."""
    if settings.feedback.offset == "none":
        return None
    if start.adapter:
        return saved_offset(Path(start.adapter) / OFFSET_FILE)
    events = {(row["user_id"], row["item_id"], row["event_time"], row["prompt_key"]): row for row in rows}
    fitted = fit_offset([events[key] for key in sorted(events)], fold)
    return fit_reader(rows, fitted) if settings.feedback.offset == "named" else fitted


def _token_groups(
    reccots: Sequence[Sequence[Row]],
    validator: ValidatorSettings,
    base: Model,
    offset: Offset | None,
    reader: Offset | None,
) -> list[AnswerGroup]:
    from trackrec.training.answer_tokens import answer_groups

    groups = answer_groups(reccots, Chat(EngineSpec.for_validator(validator, base)), offset, reader)
    if not groups:
        prompts = sum(map(len, reccots))
        raise BadInputError(
            f"table rec_tuning: all {prompts} prompts exceed validator.max_model_len {validator.max_model_len}.",
            "Raise it, or show less of a history.",
        )
    return groups


def _trained(
    settings: Settings,
    validator: ValidatorSettings,
    start: Model,
    groups: Sequence[AnswerGroup],
    folder: Path,
    stage: Stage,
    offset: Offset | None,
    fold: int,
) -> tuple[Path, list[Figures]]:
    from trackrec.training.answer_objective import train_answers
    from trackrec.training.distributed import trained
    from trackrec.training.group_loop import steps_of, train_adapter
    from trackrec.training.processes import Processes

    tune, dtype, counted = settings.tune, validator.dtype, validator.engine == COUNTED
    beside = FOLD_FILE if offset is None else OFFSET_FILE

    def training(stage: Stage) -> Path:
        def train_in_place(model: Any, checkpoints: Path) -> None:
            if counted and offset is not None:
                checkpoints.mkdir(parents=True, exist_ok=True)
                replace(offset, counted=True).save(checkpoints / OFFSET_FILE)
                return
            base = 0.0
            if offset is not None:  # the first process measures or reads it for all
                (base,) = Processes.current().of_all(
                    1, lambda _: _kept_offset(offset, start, model, groups, checkpoints, stage).base
                )
            elif Processes.current().is_first:
                checkpoints.mkdir(parents=True, exist_ok=True)
                save_fold(checkpoints / FOLD_FILE, fold)
            train_answers(model, groups, tune, checkpoints, stage, base)

        return train_adapter(start, dtype, tune, folder, train_in_place, (beside,))

    if counted:
        return training(stage), []
    adapter = trained(training, folder, tune.batch_size, validator.threads, settings, stage)
    return adapter, steps_of(folder / "training")


def _kept_offset(
    offset: Offset, start: Model, model: Any, groups: Sequence[AnswerGroup], checkpoints: Path, stage: Stage
) -> Offset:
    """``offset`` with the mean that the LLM's answers are counted from, in the file that goes with the adapter.

    Measured once, on the weights that training starts from: a killed one goes on with the same, and a V that goes on
    from an earlier one counts from where that did.
    """
    from trackrec.training.answer_objective import base_log_odds

    path = checkpoints / OFFSET_FILE
    stored = saved_offset(path)
    if stored is None:
        stored = offset if start.adapter else replace(offset, base=base_log_odds(model, groups, stage))
        checkpoints.mkdir(parents=True, exist_ok=True)
        stored.save(path)
    return stored


def _sizes(rows: Sequence[Row], examples: int) -> dict[str, float]:
    """``events``: of the rows, each event once, however many RecCoTs it was asked about with; ``examples``: learned."""
    reccots = len({row["row_key"] for row in rows})
    events = len({(row["user_id"], row["item_id"], row["event_time"]) for row in rows})
    users = len({row["user_id"] for row in rows})
    sizes: dict[str, float] = {"reccots": reccots, "users": users, "events": events, "examples": examples}
    return sizes | {"too_long": len(rows) - examples}


def _coefficients(offset: Offset | None) -> dict[str, float]:
    if offset is None:
        return {}
    names = ("user", "item", "constant", "base")
    coefficients = {f"offset_{name}": getattr(offset, name) for name in names}
    return coefficients | (_weights("offset", offset) if offset.reads else {})


def _weights(part: str, reader: Offset | None) -> dict[str, float]:
    return {} if reader is None else {f"{part}_liked": reader.liked, f"{part}_avoided": reader.avoided}


def _weights_text(reader: Offset) -> str:
    return f"an attribute named as liked {reader.liked:+.2f} of log-odds, as avoided {reader.avoided:+.2f}"


def _first_and_last(steps: Sequence[Figures]) -> dict[str, float]:
    from trackrec.training.group_loop import first_and_last

    return first_and_last(steps, ("loss",))
