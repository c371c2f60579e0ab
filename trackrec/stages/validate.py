"""reccots → validations → preferences: V judges G's candidates by what their users did next."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback import preferences, questions
from trackrec.feedback.no_reccot import with_no_reccots
from trackrec.feedback.rewards import needs_baseline
from trackrec.feedback.user_split import is_validator_user
from trackrec.feedback.validator import Validator, validator_of
from trackrec.reccots.feature_version import generator_of
from trackrec.reccots.requests import chunks_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.gpus import gpu_profile
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import questions_about, reccots_of
from trackrec.stages.ranking import ranked_candidates
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.slices import slice_where
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def validate_reccots(run: Run, tables: Warehouse) -> Outcome:
    """Score every candidate and event that this version of V has not scored, then rank the candidates.

    Candidates are the RecCoTs of the generator and sampling in the settings (``n`` of at least 2, else BadInputError),
    of users whom V is not tuned on; those that max_tokens cut do not compete and are not asked about. Events lie in the
    alignment window, before its hold-out. A second run does nothing. For counts and figures see ``ranked_candidates``.
    """
    settings, validator = run.settings, validator_of(run.settings)
    with run.stage("validate") as stage:
        candidates = _candidates(settings, tables)
        asked = _asked_about(candidates, settings)
        requests = questions_about(settings, tables, asked, validator.template, settings.feedback.next_events)
        with tables.materialised(requests.drop("prompt_body")) as present:
            _fill_question_keys(tables, present, validator.version)
            pending = questions.unscored(requests, tables.read_or_empty("validations"), validator.version)
            with tables.materialised(pending) as rows:
                stage.counts = {"rows": 0, "unchanged": present.count() - rows.count(), "quarantined": 0, "failed": 0}
                _score_chunks(run, tables, stage, rows, validator)
            answered = questions.answered(present, tables.read("validations"), validator.version)
            with ranked_candidates(stage, settings, candidates, answered) as groups:
                stage.counts["preferences"] = _write_preferences(run, tables, groups, validator)
    return stage.outcome


def _candidates(settings: Settings, tables: Warehouse) -> DataFrame:
    if settings.generator.sampling.n < 2:
        raise BadInputError(
            f"generator.sampling.n is {settings.generator.sampling.n}: one RecCoT a history cannot be compared.",
            "Set generator.sampling.n to at least 2 and its temperature to 1, as for jobs/generate_reccot.py.",
        )
    return reccots_of(settings, tables).where(~is_validator_user(F.col("user_id"), settings.feedback.validator_share))


def _asked_about(candidates: DataFrame, settings: Settings) -> DataFrame:
    """The candidates that compete, and where a reward is measured against it, each history without a RecCoT."""
    ended = candidates.where("status = 'ok'")
    return with_no_reccots(ended) if needs_baseline(settings.feedback) else ended


def _fill_question_keys(tables: Warehouse, requests: DataFrame, version: str) -> None:
    """Give rows of this V that have no question_key that of the request about their event.

    Rows of earlier versions of trackrec have none. They are answers to the present questions: nothing is judged again.
    """
    if tables.exists("validations"):
        same_event = " AND ".join(f"old.{column} = new.{column}" for column in questions.EVENT)
        of_v = slice_where(**{"old.validator_version": version})
        on = f"{same_event} AND {of_v} AND old.question_key IS NULL"
        tables.update("validations", requests, on, {"question_key": "new.question_key"})


def _score_chunks(run: Run, tables: Warehouse, stage: Stage, pending: DataFrame, validator: Validator) -> None:
    from udfs.validate import OUTPUT_SCHEMA, validate_udf

    settings, total = validator.settings, pending.count()
    profile = gpu_profile(settings)
    tables.create("validations")
    with worker_progress(tables.spark, stage, total, "judgements") as channel:
        udf = validate_udf(validator.spec, validator.version, channel.sender)
        for chunk in chunks_of(pending, total, settings.chunk_rows):
            answers = questions.grouped(chunk, settings.engines).mapInPandas(udf, OUTPUT_SCHEMA, profile=profile)
            with tables.materialised(answers) as rows:
                channel.reset_rows()
                commit_answers(run, tables, stage, rows)
            stage.progress(stage.counts["rows"], total, "judgements")


def commit_answers(run: Run, tables: Warehouse, stage: Stage, answers: DataFrame) -> None:
    """Answers into ``validations``, permanent faults into ``quarantine``; the next run asks the transient ones again.

    ``answers``: rows of the UDF, materialised. Counts rows, quarantined, failed (transient).
    """
    from udfs.validate import FAULT_COLUMNS

    good = answers.where("error IS NULL").drop(*FAULT_COLUMNS)
    stage.counts["rows"] += tables.insert_new("validations", stamped(good, run.stamp()))
    faults = answers.where("error_kind = 'permanent'")
    if not faults.isEmpty():
        row = F.to_json(F.struct("row_key", "item_id", "event_time", "error"))
        rows = fault_rows(faults, "validations", reason=F.split("error", ":")[0], row=row)
        stage.counts["quarantined"] += tables.insert_new("quarantine", stamped(rows, run.stamp()))
    stage.counts["failed"] += answers.where("error IS NOT NULL AND error_kind <> 'permanent'").count()


def _write_preferences(run: Run, tables: Warehouse, groups: DataFrame, validator: Validator) -> int:
    """Make the kept groups the only preferences of this generator, sampling and V; returns rows written and deleted."""
    names = {**generator_of(run.settings)._asdict(), "validator_version": validator.version}
    rows = preferences.preferences(groups, run.settings.feedback)
    rows = rows.withColumns({name: F.lit(value) for name, value in names.items()})
    with tables.materialised(stamped(rows, run.stamp())) as kept:
        return tables.replace_slice("preferences", kept, slice_where(**names))
