"""What a round is worth: V on the hold-out with and without RecCoTs, and how the RecCoTs themselves look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from trackrec.feedback import metrics
from trackrec.feedback.groundedness import Names, groundedness
from trackrec.feedback.holdout_questions import holdout_requests, variants
from trackrec.feedback.user_split import FOLDS
from trackrec.feedback.validator import Validator, judges_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import holdout_of, item_catalogue, reccots_of, stored_histories
from trackrec.stages.judging import answers_of, by_judge
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.warehouse import Warehouse

_EVENT = ("user_id", "item_id", "event_time")

Answers = Mapping[str, Mapping[tuple[Any, ...], Row]]  # variant → event → label, p_yes, user_id


def measure_round(run: Run, tables: Warehouse, generators: Mapping[str, Settings]) -> Outcome:
    """Figures of the V of ``run.settings`` and of each generator on the hold-out.

    With feedback.cross_fit each user's events are read by the V that was not tuned on them.

    ``generators``: name → the settings under which its RecCoTs were written; the last one's are compared with every
    other variant. Tables of the outcome: ``validator`` (variant → auc, uauc, logloss, ece; floors included),
    ``differences`` (other variant → auc, low, high, moved) and ``reccots`` (name → texts, tokens, cut, empty, distinct,
    names a text, grounded).
    """
    settings = run.settings
    judges = judges_of(settings)
    judges = {fold: judges.get(fold, judges[1]) for fold in FOLDS}  # later events: those of users that taught V, too
    histories, items = stored_histories(settings, tables), item_catalogue(settings, tables)
    with run.stage("measure") as stage:
        stage.counts = {"rows": 0, "failed": 0}
        events = holdout_of(settings, tables).persist()
        try:
            reccots = {name: _greedy_reccots(chosen, tables) for name, chosen in generators.items()}
            requests = holdout_requests(
                variants(events, reccots),
                histories,
                items,
                judges[1].template,
                max_title_chars=settings.histories.max_title_chars,
            )
            answers = _answers(tables, stage, by_judge(settings, requests, tables.read("samples"), judges))
            rows = [row.asDict() for row in events.collect()]
            shown = items.select("title", "attributes").collect()
            names = Names(n for row in shown for n in (row["title"], *(row["attributes"] or ())) if n)
            stage.tables["reccots"] = {
                name: _text_figures(frame, events, histories, names) for name, frame in reccots.items()
            }
        finally:
            events.unpersist()
        stage.tables["validator"] = metrics.floors(rows) | _qualities(answers)
        stage.tables["differences"] = _differences(answers, list(generators)[-1])
        stage.counts["events"] = len(rows)
        stage.labels["validator"] = " and ".join(sorted({judge.version for judge in judges.values()}))
    return stage.outcome


def _greedy_reccots(settings: Settings, tables: Warehouse) -> DataFrame:
    return reccots_of(settings, tables).where(F.col("sample_number") == 0)


def _answers(tables: Warehouse, stage: Stage, judged: Sequence[tuple[Validator, DataFrame]]) -> Answers:
    """Each V's answers; what none could read is counted as failed. BadInputError where that is all there is."""
    answers: dict[str, dict[tuple[Any, ...], Row]] = {}
    for validator, requests in judged:
        with (
            worker_progress(tables.spark, stage, requests.count(), "judgements") as channel,
            tables.materialised(answers_of(validator, requests, channel.sender)) as rows,
        ):
            good = rows.where("error IS NULL").select("row_key", *_EVENT, "label", "p_yes").collect()
            stage.counts["rows"] += len(good)
            stage.counts["failed"] += rows.where("error IS NOT NULL").count()
        for row in good:
            answers.setdefault(row["row_key"], {})[tuple(row[name] for name in _EVENT)] = row
    if not answers:
        raise BadInputError(
            f"V could read none of the {stage.counts['failed']} prompts of the hold-out.",
            f"Raise validator.max_model_len (now {judged[0][0].settings.max_model_len}), or show less of a history.",
        )
    return answers


def _qualities(answers: Answers) -> dict[str, dict[str, float]]:
    return {
        name: metrics.quality(*([row[column] for row in rows.values()] for column in ("label", "p_yes", "user_id")))
        for name, rows in sorted(answers.items())
    }


def _differences(answers: Answers, last: str) -> dict[str, dict[str, float]]:
    """``metrics.differences`` over the events that V could read in every variant."""
    shared = sorted(set.intersection(*(set(rows) for rows in answers.values())))
    by_variant = {name: [rows[event]["p_yes"] for event in shared] for name, rows in answers.items()}
    rows = [answers[last][event] for event in shared]
    return metrics.differences(by_variant, [row["label"] for row in rows], [row["user_id"] for row in rows], last)


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
