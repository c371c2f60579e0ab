"""What a round is worth: V on the hold-out with and without RecCoTs, and how the RecCoTs themselves look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.answers import probability
from trackrec.engines.spec import COUNTED
from trackrec.feedback.groundedness import Names, groundedness
from trackrec.feedback.holdout_figures import EVENT, Scores, event_of, holdout_tables
from trackrec.feedback.holdout_questions import holdout_requests, variants
from trackrec.feedback.metrics import READER
from trackrec.feedback.validator import Validator, judges_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import FigureTable, Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import holdout_of, item_catalogue, reccots_of, stored_histories
from trackrec.stages.judging import answers_of, by_judge
from trackrec.stages.support import support_of
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.warehouse import Warehouse


def measure_round(run: Run, tables: Warehouse, generators: Mapping[str, Settings]) -> Outcome:
    """Figures of V and of each generator on the hold-out, every user judged by a V that was not tuned on them.

    ``generators``: name → the settings under which its RecCoTs were written; the last one's are compared with every
    other variant. Tables of the outcome: ``validator`` (variant or floor → ``metrics.quality``), ``differences``
    (other variant or floor → ``metrics.difference``) and ``reccots`` (name → texts, tokens, cut, empty, distinct, names
    a text, grounded). Counts V's answers (rows, failed) and the hold-out's events and users.
    """
    settings, judges, last = run.settings, judges_of(run.settings), list(generators)[-1]
    histories, items = stored_histories(settings, tables), item_catalogue(settings, tables)
    samples = tables.read("samples")
    with run.stage("measure") as stage, ExitStack() as scratch:
        stage.counts = {"rows": 0, "failed": 0}
        events = holdout_of(settings, tables).persist()
        try:
            reccots = {name: _greedy_reccots(chosen, tables) for name, chosen in generators.items()}
            by_variant = variants(events, reccots)
            requests = holdout_requests(
                by_variant,
                histories,
                items,
                judges[1].template,
                max_title_chars=settings.histories.max_title_chars,
            )
            judged = [
                (judge, scratch.enter_context(tables.materialised(of_v)))  # counted, asked and read again
                for judge, of_v in by_judge(settings, requests, samples, items, judges)
            ]
            scores = _scores(tables, stage, judged) | reader_alone(judged, last)
            without = events.withColumn("text", F.lit(None).cast("string"))  # of a RecCoT the floor knows nothing
            of_judges = by_judge(settings, without, samples, items, judges)
            rows = [row.asDict() for _, of_v in of_judges for row in of_v.collect()]
            support = support_of(by_variant, items)
            stage.tables["reccots"] = _text_tables(reccots, events, histories, items)
        finally:
            events.unpersist()
        stage.tables |= holdout_tables(rows, scores, last, support)
        stage.counts |= {"events": len(rows), "users": len({row["user_id"] for row in rows})}
        stage.labels["validator"] = " and ".join(sorted({judge.version for judge in judges.values()}))
    return stage.outcome


def _greedy_reccots(settings: Settings, tables: Warehouse) -> DataFrame:
    return reccots_of(settings, tables).where(F.col("sample_number") == 0)


def _scores(tables: Warehouse, stage: Stage, judged: Sequence[tuple[Validator, DataFrame]]) -> Scores:
    """Each V's answers; what none could read is counted as failed. BadInputError where that is all there is."""
    scores: Scores = {}
    for validator, requests in judged:
        with (
            worker_progress(tables.spark, stage, requests.count(), "judgements") as channel,
            tables.materialised(answers_of(validator, requests, channel.sender)) as rows,
        ):
            good = rows.where("error IS NULL").select("row_key", *EVENT, "p_yes").collect()
            stage.counts["rows"] += len(good)
            stage.counts["failed"] += rows.where("error IS NOT NULL").count()
        for row in good:
            scores.setdefault(row["row_key"], {})[event_of(row.asDict())] = row["p_yes"]
    if not scores:
        raise BadInputError(
            f"V could read none of the {stage.counts['failed']} prompts of the hold-out.",
            f"Raise validator.max_model_len (now {judged[0][0].settings.max_model_len}), or show less of a history.",
        )
    return scores


def reader_alone(judged: Sequence[tuple[Validator, DataFrame]], last: str) -> Scores:
    """Of V's whose LLM stands beside a reader, what that alone makes of the RecCoTs of ``last``: it is V's to beat."""
    read: Scores = {}
    for validator, requests in judged:
        if validator.offset is None or not validator.offset.reads or validator.settings.engine == COUNTED:
            continue
        for row in requests.where(F.col("row_key") == last).select(*EVENT, "offset").collect():
            read.setdefault(READER, {})[event_of(row.asDict())] = probability(row["offset"])
    return read


def _text_tables(
    reccots: Mapping[str, DataFrame], events: DataFrame, histories: DataFrame, items: DataFrame
) -> FigureTable:
    shown = items.select("title", "attributes").collect()
    names = Names(n for row in shown for n in (row["title"], *(row["attributes"] or ())) if n)
    return {name: _text_figures(frame, events, histories, names) for name, frame in reccots.items()}


def _text_figures(reccots: DataFrame, events: DataFrame, histories: DataFrame, names: Names) -> dict[str, float]:
    """Of the RecCoTs that the hold-out's events join: length, truncation, distinctness, groundedness."""
    prompts = histories.select("prompt_key", "prompt_body").distinct()
    rows = reccots.join(events.select("prompt_key").distinct(), "prompt_key").join(prompts, "prompt_key").collect()
    if not rows:
        return {"texts": 0.0}
    texts = [row["text"] for row in rows]
    grounded, mentioned = groundedness(texts, [row["prompt_body"] for row in rows], names)
    return {
        "texts": float(len(texts)),
        "tokens": sum(row["output_tokens"] for row in rows) / len(rows),
        "cut": sum(row["status"] == "cut" for row in rows) / len(rows),
        "empty": sum(row["status"] == "empty" for row in rows) / len(rows),
        "distinct": len(set(texts)) / len(texts),
        "names a text": mentioned,
        "grounded": grounded,
    }
