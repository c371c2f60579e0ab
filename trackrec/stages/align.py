"""preferences → G_t: S-DPO on what V preferred, read from Delta by Arrow; no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackrec.engines.chat import Chat
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.user_split import in_share
from trackrec.feedback.validator import judges_of
from trackrec.histories.templates import template_of
from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import Model, resolve
from trackrec.models.threads import use_threads
from trackrec.reccots.feature_version import generator_identity
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.new_version import record_version
from trackrec.tables.lake import Lake, Row
from trackrec.training.digests import alignment_digest
from trackrec.training.earlier_keys import earlier_row_keys, with_earlier_candidates

if TYPE_CHECKING:
    from trackrec.training.group_loop import Figures
    from trackrec.training.sdpo_objective import Preference

_COLUMNS = ["user_id", "prompt_key", "generator_version", "validator_version", "sampling", "chosen", "rejected"]


def align_generator(run: Run, tables: Lake, number: int | None = None) -> Outcome:
    """Train G's adapter on the preferences among its own candidates, and register it as round ``number``.

    Without ``number`` its round is that of G + 1. A finished training is not repeated, a killed one goes on. Raises
    BadInputError where there are no preferences of this generator and sampling, or of several versions of V.
    """
    settings = run.settings
    with run.stage("align") as stage:
        use_threads(settings.generator.threads)  # before torch is imported
        generator = resolve(settings.generator.model, settings.cache_dir())
        rows = preference_rows(settings, tables, generator)
        preferences = _token_groups(settings, tables, generator, rows)
        keyed = with_earlier_candidates(rows, earlier_row_keys(settings.generator, generator, rows))
        digest = alignment_digest(generator.version, settings.generator.dtype, settings.align, keyed)
        folder = Path(settings.models).resolve() / "generator" / digest
        adapter, steps = _trained(settings, generator, preferences, folder, stage)
        sizes = {"groups": len(preferences), "too_long": len(rows) - len(preferences), "steps": len(steps)}
        metrics = {name: float(size) for name, size in sizes.items()} | _first_and_last(steps)
        data = {table: tables.open(table).version() for table in ("preferences", "user_histories")}
        trained = TrainedVersion(f"adapter:{adapter}", generator.version, data, metrics)
        record_version(run, tables, stage, "generator", trained, number)
    return stage.outcome


def preference_rows(settings: Settings, tables: Lake, generator: Model) -> list[Row]:
    """The rows of ``preferences`` among this generator's candidates of the settings' sampling, in the order of keys.

    Where the settings name a V, those that it and, with feedback.cross_fit, its counterpart preferred; else those of
    the only judge there is, or of the only pair of them, one a fold of users. Raises BadInputError where there are
    none, or where several V's judged one user and none is named.
    """
    version, sampling = generator_identity(settings.generator, generator)
    named = None if settings.validator is None else {judge.version for judge in judges_of(settings).values()}
    stored: list[Row] = tables.read_columns("preferences", _COLUMNS).to_pylist()
    rows = [r for r in stored if r["generator_version"] == version and r["sampling"] == sampling]
    rows = [r for r in rows if named is None or r["validator_version"] in named]
    validators = sorted({row["validator_version"] for row in rows})
    if not validators or (named is None and not _of_one_judge(settings, rows)):
        raise BadInputError(
            f"table preferences holds {len(rows)} rows of generator {version} and this sampling, "
            f"judged by {' and '.join(validators or sorted(named or {'nobody'}))}.",
            f"Run jobs/validate_reccot.py with the same settings, or say which V is meant: {_naming(settings)}.",
        )
    return sorted(rows, key=lambda row: str(row["prompt_key"]))


def _of_one_judge(settings: Settings, rows: Iterable[Row]) -> bool:
    """Whether one V judged all rows or, with feedback.cross_fit, those of each fold of users."""
    feedback = settings.feedback
    judges: dict[bool, set[str]] = {}
    for row in rows:
        fold = feedback.cross_fit and in_share(row["user_id"], feedback.validator_share)
        judges.setdefault(fold, set()).add(row["validator_version"])
    return all(len(versions) == 1 for versions in judges.values())


def _naming(settings: Settings) -> str:
    counterpart = " --set validator.counterpart.source=…" if settings.feedback.cross_fit else ""
    return f"--set validator.model.source=…{counterpart}, as jobs/tune_validator.py prints them"


def _token_groups(settings: Settings, tables: Lake, generator: Model, rows: Sequence[Row]) -> list[Preference]:
    from trackrec.training.preference_tokens import preference_groups

    opening = template_of(settings.prompt, settings.histories).opening
    spec = EngineSpec.for_generator(settings.generator, generator, opening)
    preferences = preference_groups(rows, _prompt_bodies(tables, rows), Chat(spec), spec)
    if not preferences:
        raise BadInputError(
            f"table preferences: all {len(rows)} histories exceed generator.max_model_len {spec.max_model_len}.",
            "Raise it, or show less of a history.",
        )
    return preferences


def _prompt_bodies(tables: Lake, rows: Sequence[Row]) -> dict[str, str]:
    keys = {row["prompt_key"] for row in rows}
    table = tables.read_columns("user_histories", ["prompt_key", "prompt_body"])
    pairs = zip(table["prompt_key"].to_pylist(), table["prompt_body"].to_pylist(), strict=True)
    return {key: body for key, body in pairs if key in keys}


def _trained(
    settings: Settings, generator: Model, preferences: Sequence[Preference], folder: Path, stage: Stage
) -> tuple[Path, list[Figures]]:
    from trackrec.training.distributed import trained
    from trackrec.training.group_loop import steps_of, train_adapter
    from trackrec.training.sdpo_objective import train_sdpo

    align, dtype = settings.align, settings.generator.dtype

    def training(stage: Stage) -> Path:
        def train_in_place(model: Any, checkpoints: Path) -> None:
            train_sdpo(model, preferences, align, checkpoints, stage)

        return train_adapter(generator, dtype, align, folder, train_in_place)

    adapter = trained(training, folder, align.batch_size, settings.generator.threads, settings, stage)
    return adapter, steps_of(folder / "training")


def _first_and_last(steps: Sequence[Figures]) -> dict[str, float]:
    """Weighted by groups, as one step may hold one group."""
    from trackrec.training.group_loop import first_and_last

    return first_and_last(steps, ("loss", "margin", "accuracy"), weight="groups")
