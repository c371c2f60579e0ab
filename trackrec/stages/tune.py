"""rec_tuning → V_t: the answers learned behind (history, RecCoT, item), RecCoT by RecCoT; no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackrec.engines.chat import Chat
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.validator import validator_of
from trackrec.models.registry import TrainedVersion, round_of
from trackrec.models.resolve import Model, base_model, resolve
from trackrec.models.threads import use_threads
from trackrec.reccots.feature_version import generator_identity
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

_COLUMNS = ["row_key", "prompt_key", "item_id", "event_time", "label"]
_VERSIONS = ["generator_version", "sampling", "template_version"]


def tune_validator(run: Run, tables: Lake, number: int | None = None) -> Outcome:
    """Tune V's base, from scratch each round, on the rows of the settings' G; register it as round ``number``.

    Without ``number`` its round is that of G. A finished training is not repeated, a killed one goes on. The loss is on
    the answer only. Raises BadInputError without rows, or where all have one label.
    """
    settings = run.settings
    with run.stage("tune") as stage:
        validator = validator_of(settings)
        base, template, chosen = base_model(validator.model), validator.template, validator.settings
        use_threads(chosen.threads)  # before torch is imported
        generator = resolve(settings.generator.model, settings.cache_dir())
        reccots = training_rows(settings, tables, generator, template.version)
        rows = list(chain.from_iterable(reccots))
        keyed = with_earlier_keys(rows, earlier_row_keys(settings.generator, generator, rows))
        share_liked = _share_liked(rows)
        groups = _token_groups(reccots, chosen, base)
        digest = rec_tuning_digest(base.version, chosen.dtype, chosen.answers, settings.tune, template.version, keyed)
        folder = Path(settings.models).resolve() / "validator" / digest
        folder = folder_for_prompts(folder, [row["prompt_body"] for row in rows])
        adapter, steps = _trained(settings, chosen, base, groups, folder, stage)
        metrics = _sizes(rows, groups) | {"share_liked": share_liked, "steps": len(steps)} | _first_and_last(steps)
        data = {"rec_tuning": tables.open("rec_tuning").version()}
        number = round_of(tables, "generator", generator.version) if number is None else number
        trained = TrainedVersion(f"adapter:{adapter}", base.version, data, metrics)
        record_version(run, tables, stage, "validator", trained, number)
    return stage.outcome


def training_rows(settings: Settings, tables: Lake, generator: Model, template_version: str) -> list[list[Row]]:
    """The rows that V is tuned on, RecCoT by RecCoT in the order of their earlier keys, which mixes users and times.

    Of each RecCoT the first ``tune.next_events`` rows by time; as many RecCoTs as stay within ``tune.max_examples``.
    Raises BadInputError where there are none of this generator with the settings' sampling.
    """
    version, sampling = generator_identity(settings.generator, generator)
    identity = (version, sampling, template_version)
    stored: list[Row] = tables.read_columns("rec_tuning", [*_COLUMNS, *_VERSIONS, "prompt_body"]).to_pylist()
    rows = [row for row in stored if tuple(row[name] for name in _VERSIONS) == identity]
    if not rows:
        raise BadInputError(
            f"table rec_tuning has no row of generator {version} with this sampling.",
            "Run jobs/generate_reccot.py with the same settings first.",
        )
    earlier = earlier_row_keys(settings.generator, generator, rows)
    reccots: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["event_time"], row["item_id"])):
        reccots.setdefault(row["row_key"], []).append(row)
    ordered = sorted(reccots, key=lambda key: earlier.get(key, key))
    cut = [reccots[key][: settings.tune.next_events] for key in ordered]
    return cut if settings.tune.max_examples is None else first_rows(cut, settings.tune.max_examples)


def first_rows(reccots: Sequence[list[Row]], count: int) -> list[list[Row]]:
    """The first RecCoTs with ``count`` rows in all; the last one is cut."""
    kept: list[list[Row]] = []
    for rows in reccots:
        left = count - sum(map(len, kept))
        if left <= 0:
            break
        kept.append(rows[:left])
    return kept


def _share_liked(rows: Sequence[Row]) -> float:
    liked = sum(row["label"] for row in rows)
    if liked in (0, len(rows)):
        raise BadInputError(
            f"table rec_tuning: all {len(rows)} rows of this generator and template have one label.",
            "Look at source.like_threshold, or show V more users (feedback.validator_share).",
        )
    return float(liked / len(rows))


def _token_groups(reccots: Sequence[Sequence[Row]], validator: ValidatorSettings, base: Model) -> list[AnswerGroup]:
    from trackrec.training.answer_tokens import answer_groups

    groups = answer_groups(reccots, Chat(EngineSpec.for_validator(validator, base)))
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
    base: Model,
    groups: Sequence[AnswerGroup],
    folder: Path,
    stage: Stage,
) -> tuple[Path, list[Figures]]:
    from trackrec.training.answer_objective import train_answers
    from trackrec.training.distributed import trained
    from trackrec.training.group_loop import steps_of, train_adapter

    tune, dtype = settings.tune, validator.dtype

    def training(stage: Stage) -> Path:
        def train_in_place(model: Any, checkpoints: Path) -> None:
            train_answers(model, groups, tune, checkpoints, stage)

        return train_adapter(base, dtype, tune, folder, train_in_place)

    adapter = trained(training, folder, tune.batch_size, validator.threads, settings, stage)
    return adapter, steps_of(folder / "training")


def _sizes(rows: Sequence[Row], groups: Sequence[AnswerGroup]) -> dict[str, float]:
    examples = sum(len(group.group.answers) for group in groups)
    return {"reccots": len(groups), "examples": examples, "too_long": len(rows) - examples}


def _first_and_last(steps: Sequence[Figures]) -> dict[str, float]:
    from trackrec.training.group_loop import first_and_last

    return first_and_last(steps, ("loss",))
