"""teacher_reccots → G_0: G's base tuned on what a teacher writes about a few users; no Spark."""

from __future__ import annotations

from pathlib import Path

from trackrec.engines.chat import Chat
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.holdout import holdout_start_of
from trackrec.feedback.user_split import in_share
from trackrec.histories.templates import Template, template_of
from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.new_version import record_version
from trackrec.stages.teacher_texts import teacher_texts
from trackrec.tables.lake import Lake, Row
from trackrec.training.digests import distillation_digest
from trackrec.training.sft import fine_tune
from trackrec.training.teacher_tokens import teacher_examples
from trackrec.training.teachers.build import build_teacher
from trackrec.training.teachers.interface import Teacher
from trackrec.training.teachers.statistics import StatisticsTeacher
from trackrec.training.teachers.tallies import TalliesTeacher

_COLUMNS = ["user_id", "as_of", "prompt_key", "template_version", "prompt_body"]
_SHOWN = {*TalliesTeacher.columns, *StatisticsTeacher.columns}


def distill_generator(run: Run, tables: Lake, number: int = 0) -> Outcome:
    """Tune G on the teacher's RecCoTs of ``distill.share`` of the users; register it as ``number``.

    Only histories of the alignment window before its hold-out are taken. A finished training is not repeated. Raises
    BadInputError where there are none, or where the teacher cannot be used.
    """
    settings = run.settings
    generator = settings.generator
    with run.stage("distill") as stage:
        use_threads(generator.threads)  # before torch is imported
        base = resolve(generator.model, settings.cache_dir())
        template = template_of(settings.prompt, settings.histories)
        histories = histories_to_teach(settings, tables, template)
        teacher = build_teacher(settings.distill, template, settings.cache_dir())
        stage.notice(who_teaches(settings.distill.teacher, template, teacher))
        texts = teacher_texts(run, tables, stage, histories, teacher)
        use_threads(generator.threads)  # a teacher's engine has its own
        histories = [row for row in histories if row["prompt_key"] in texts]
        chat = Chat(EngineSpec.for_generator(generator, base, template.opening))
        examples = teacher_examples(histories, texts, chat, template.opening)
        keys = [row["prompt_key"] for row in histories]
        digest = distillation_digest(
            base.version, generator.dtype, settings.distill, template.version, keys, [texts[key] for key in keys]
        )
        folder = Path(settings.models).resolve() / "generator" / digest / "adapter"
        metrics = fine_tune(base, examples, settings.distill, folder, dtype=generator.dtype, stage=stage)
        metrics["users"] = len({row["user_id"] for row in histories})
        data = {name: tables.open(name).version() for name in ("user_histories", "teacher_reccots")}
        trained = TrainedVersion(f"adapter:{folder}", base.version, data, metrics)
        record_version(run, tables, stage, "generator", trained, number)
    return stage.outcome


def who_teaches(name: str, template: Template, teacher: Teacher) -> str:
    """The teacher that the settings call ``name`` and its version; of the earlier statistics teacher also why it."""
    reads = f": it reads tallies, as {template.name} shows no shares" if isinstance(teacher, TalliesTeacher) else ""
    return f"teacher {name}, {teacher.version}{reads}"


def histories_to_teach(settings: Settings, tables: Lake, template: Template) -> list[Row]:
    """The histories that the teacher writes about, in the order of a hash, at most ``distill.max_examples``.

    All are of snapshots before the hold-out's start: a snapshot shows what was known before its as_of, so no label that
    the hold-out is for, or that became known in it, is in their prompts, lists or counts.

    They are of users that V is tuned on and of others alike. That is clean where it is measured: what the teacher says
    of a snapshot follows from what was known before it, so G learns no label of the hold-out or of a later window.
    Within the alignment window G has read about later snapshots of users whose earlier ones it writes about; that is so
    in either half of the users, and so favours none of the texts that V compares.
    """
    samples = tables.read_columns("samples", ["event_time", "window"]).to_pylist()
    times = [row["event_time"] for row in samples if row["window"] == "alignment"]
    holdout_start = holdout_start_of(times, settings.feedback.holdout_share)
    stored: list[Row] = tables.read_columns("user_histories", [*_COLUMNS, *sorted(_SHOWN)]).to_pylist()
    histories = [
        row
        for row in stored
        if row["template_version"] == template.version
        and row["as_of"] < holdout_start
        and in_share(row["user_id"], settings.distill.share, salt="trackrec distillation")
    ]
    return sorted(histories, key=lambda row: str(row["prompt_key"]))[: settings.distill.max_examples]
