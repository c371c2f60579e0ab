"""reccots → validations → preferences: V judges G's candidates by what their users did next."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback import preferences, questions
from trackrec.feedback.user_split import fold_of
from trackrec.feedback.validator import Validator, judges_of
from trackrec.feedback.verdicts import count_name
from trackrec.reccots.feature_version import generator_of
from trackrec.reccots.requests import chunks_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import questions_about, reccots_of
from trackrec.stages.judging import answers_of, by_judge
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.slices import slice_where
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_DECILES = (0.1, 0.5, 0.9)


def validate_reccots(run: Run, tables: Warehouse) -> Outcome:
    """Score every candidate and event that its V has not scored in this version, then rank the candidates.

    Candidates are the RecCoTs of the generator and sampling in the settings (``n`` of at least 2, else BadInputError),
    of users whom their V is not tuned on: all of them with feedback.cross_fit, where two V's judge in turn. Events lie
    in the alignment window, before its hold-out. A second run does nothing. The outcome counts the groups by verdict;
    its figures are the deciles of their gaps.
    """
    settings, judges = run.settings, judges_of(run.settings)
    with run.stage("validate") as stage, ExitStack() as scratch:
        stage.counts = {"rows": 0, "unchanged": 0, "quarantined": 0, "failed": 0}
        candidates = _candidates(settings, tables, judges)
        template = judges[1].template  # that of every V of these settings
        requests = questions_about(settings, tables, candidates, template, settings.feedback.next_events)
        asked = []
        for validator, of_v in by_judge(settings, requests, tables.read("samples"), judges):
            present = scratch.enter_context(tables.materialised(of_v.drop("prompt_body")))
            _score_pending(run, tables, stage, validator, of_v, present)
            asked.append((validator, present))
        validations = tables.read("validations")
        answered = reduce(DataFrame.unionByName, [questions.answered(p, validations, v.version) for v, p in asked])
        groups = preferences.ranked_groups(candidates, preferences.rewards(answered), settings.feedback).persist()
        try:
            _count_groups(stage, groups)
            stage.counts["preferences"] = _write_preferences(run, tables, groups, judges)
        finally:
            groups.unpersist()
    return stage.outcome


def _score_pending(
    run: Run, tables: Warehouse, stage: Stage, validator: Validator, requests: DataFrame, present: DataFrame
) -> None:
    """Ask ``validator`` what it has not answered of ``requests``; ``present``: these materialised, without prompts."""
    _fill_question_keys(tables, present, validator.version)
    pending = questions.unscored(requests, tables.read_or_empty("validations"), validator.version)
    with tables.materialised(pending) as rows:
        stage.counts["unchanged"] += present.count() - rows.count()
        _score_chunks(run, tables, stage, rows, validator)


def _candidates(settings: Settings, tables: Warehouse, judges: Mapping[int, Validator]) -> DataFrame:
    if settings.generator.sampling.n < 2:
        raise BadInputError(
            f"generator.sampling.n is {settings.generator.sampling.n}: one RecCoT a history cannot be compared.",
            "Set generator.sampling.n to at least 2 and its temperature to 1, as for jobs/generate_reccot.py.",
        )
    judged = fold_of(F.col("user_id"), settings.feedback.validator_share).isin(*judges)
    return reccots_of(settings, tables).where(judged)


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
    total, before = pending.count(), stage.counts["rows"]
    tables.create("validations")
    with worker_progress(tables.spark, stage, total, "judgements") as channel:
        for chunk in chunks_of(pending, total, validator.settings.chunk_rows):
            with tables.materialised(answers_of(validator, chunk, channel.sender)) as rows:
                channel.reset_rows()
                commit_answers(run, tables, stage, rows)
            stage.progress(stage.counts["rows"] - before, total, "judgements")


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


def _count_groups(stage: Stage, groups: DataFrame) -> None:
    """Groups by verdict, and deciles of the gap of best and worst: if most are under min_gap, V sees no difference."""
    for row in groups.groupBy("verdict").count().collect():
        stage.counts[count_name(row["verdict"])] = row["count"]
    gaps = groups.where("gap IS NOT NULL").select(F.percentile("gap", F.array(*map(F.lit, _DECILES)))).first()
    if gaps is not None and gaps[0] is not None:
        stage.figures |= {f"gap {share:.0%}": gap for share, gap in zip(_DECILES, gaps[0], strict=True)}


def _write_preferences(run: Run, tables: Warehouse, groups: DataFrame, judges: Mapping[int, Validator]) -> int:
    """Make the kept groups the only preferences of this generator, sampling and these V's; returns rows changed."""
    names = generator_of(run.settings)._asdict()
    of_fold = fold_of(F.col("user_id"), run.settings.feedback.validator_share)
    version = F.coalesce(*(F.when(of_fold == fold, judge.version) for fold, judge in judges.items()))
    rows = preferences.preferences(groups, run.settings.feedback).withColumn("validator_version", version)
    rows = rows.withColumns({name: F.lit(value) for name, value in names.items()})
    where = slice_where(**names, validator_version={judge.version for judge in judges.values()})
    with tables.materialised(stamped(rows, run.stamp())) as kept:
        return tables.replace_slice("preferences", kept, where)
