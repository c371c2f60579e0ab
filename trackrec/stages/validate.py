"""reccots → validations → preferences: V judges G's candidates by what their users did next."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback import preferences, questions
from trackrec.feedback.no_reccot import with_no_reccots
from trackrec.feedback.rewards import needs_baseline
from trackrec.feedback.user_split import fold_of
from trackrec.feedback.validator import Validator, judges_of
from trackrec.reccots.feature_version import generator_of
from trackrec.reccots.requests import chunks_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import SamplingSettings, Settings
from trackrec.stages.inputs import item_catalogue, questions_about, reccots_of, stored_histories
from trackrec.stages.judging import answers_of, by_judge
from trackrec.stages.ranking import ranked_candidates
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.slices import slice_where
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def validate_reccots(run: Run, tables: Warehouse, snapshots: DataFrame | None = None) -> Outcome:
    """Score every candidate and event that its V has not scored in this version, then rank the candidates.

    Candidates are the RecCoTs of the generator and sampling in the settings (BadInputError where these are none),
    of users whom their V is not tuned on: all of them with feedback.cross_fit, where two V's judge in turn; those that
    max_tokens cut do not compete and are not asked about. ``snapshots``: user_id, as_of, where not all are to be
    judged: what V is tuned on may have been drawn with the same sampling. Events lie in the alignment window, before
    its hold-out. A second run does nothing. For counts and figures see ``ranked_candidates``.
    """
    settings, judges = run.settings, judges_of(run.settings)
    with run.stage("validate") as stage, ExitStack() as scratch:
        stage.counts = {"rows": 0, "unchanged": 0, "quarantined": 0, "failed": 0}
        candidates = _candidates(settings, tables, judges, snapshots)
        template = judges[1].template  # that of every V of these settings
        about = _asked_about(candidates, settings)
        requests = questions_about(settings, tables, about, template, settings.feedback.next_events)
        items, asked = item_catalogue(settings, tables), []
        for validator, of_v in by_judge(settings, requests, tables.read("samples"), items, judges):
            present = scratch.enter_context(tables.materialised(of_v))  # with prompts: to plan them again takes longer
            _score_pending(run, tables, stage, validator, present)
            asked.append((validator, present))
        validations = tables.read("validations")
        answered = reduce(DataFrame.unionByName, [questions.answered(p, validations, v.version) for v, p in asked])
        groups = scratch.enter_context(ranked_candidates(stage, settings, candidates, answered))
        stage.counts["preferences"] = _write_preferences(run, tables, groups, judges)
    return stage.outcome


def _score_pending(run: Run, tables: Warehouse, stage: Stage, validator: Validator, requests: DataFrame) -> None:
    """Ask ``validator`` what it has not answered of ``requests``, which are materialised."""
    _fill_question_keys(tables, requests, validator.version)
    pending = questions.unscored(requests, tables.read_or_empty("validations"), validator.version)
    with tables.materialised(pending) as rows:
        total = rows.count()
        stage.counts["unchanged"] += requests.count() - total
        _score_chunks(run, tables, stage, rows, total, validator)


def check_sampling(sampling: SamplingSettings) -> None:
    """BadInputError unless several texts a history are drawn from G itself: S-DPO compares their probabilities by G.

    What was drawn by penalised or cut probabilities is not what those of G prefer.
    """
    if sampling.n < 2:
        raise BadInputError(
            f"generator.sampling.n is {sampling.n}: one RecCoT a history cannot be compared.",
            "Set generator.sampling.n to at least 2 and its temperature to 1, as for jobs/generate_reccot.py.",
        )
    if sampling.frequency_penalty or sampling.top_p < 1:
        raise BadInputError(
            f"generator.sampling has frequency_penalty {sampling.frequency_penalty:g} and top_p {sampling.top_p:g}: "
            "such candidates are not drawn from G itself, whose probabilities the alignment compares.",
            f"Set 'generator.sampling={{n: {sampling.n}, temperature: 1, frequency_penalty: 0, top_p: 1}}', for "
            "jobs/generate_reccot.py as well.",
        )


def _candidates(
    settings: Settings, tables: Warehouse, judges: Mapping[int, Validator], snapshots: DataFrame | None
) -> DataFrame:
    check_sampling(settings.generator.sampling)
    judged = fold_of(F.col("user_id"), settings.feedback.validator_share).isin(*judges)
    candidates = reccots_of(settings, tables).where(judged)
    if snapshots is None:
        return candidates
    histories = stored_histories(settings, tables).join(snapshots, ["user_id", "as_of"], "left_semi")
    return candidates.join(histories, "prompt_key", "left_semi")


def _asked_about(candidates: DataFrame, settings: Settings) -> DataFrame:
    """The candidates that compete, and where a reward is measured against it, each history without a RecCoT."""
    ended = candidates.where("status = 'ok'")
    return with_no_reccots(ended) if needs_baseline(settings.feedback) else ended


def _fill_question_keys(tables: Warehouse, requests: DataFrame, version: str) -> None:
    """Give rows of this V that have no question_key that of the request about their event.

    Rows of earlier versions of trackrec have none. They are answers to the present questions: nothing is judged again.
    """
    if not tables.exists("validations") or tables.read("validations").where("question_key IS NULL").isEmpty():
        return
    same_event = " AND ".join(f"old.{column} = new.{column}" for column in questions.EVENT)
    of_v = slice_where(**{"old.validator_version": version})
    on = f"{same_event} AND {of_v} AND old.question_key IS NULL"
    tables.update("validations", requests, on, {"question_key": "new.question_key"})


def _score_chunks(
    run: Run, tables: Warehouse, stage: Stage, pending: DataFrame, total: int, validator: Validator
) -> None:
    before = stage.counts["rows"]
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
