"""What V reads: every candidate RecCoT against what its user did next; and which of it V has answered already."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.untrusted import neutralise, title_or_id
from trackrec.tables.keys import bucket_of, key_of

EVENT = ("row_key", "item_id", "event_time")
QUESTION = (*EVENT, "question_key")


def next_events(snapshots: DataFrame, samples: DataFrame, *, before: datetime, count: int) -> DataFrame:
    """The first ``count`` events of a snapshot's user from its as_of on, in the alignment window and before ``before``.

    An event counts where it happened and was known before ``before``: a label that arrived later must not teach.
    ``snapshots``: user_id, as_of; ``samples``: user_id, item_id, event_time, known_time, label, window. Returns
    user_id, as_of, item_id, event_time, label. A snapshot with no such event has no row.
    """
    in_time = (F.col("event_time") < F.lit(before)) & (F.col("known_time") < F.lit(before))
    events = samples.where((F.col("window") == "alignment") & in_time)
    later = (
        snapshots.select("user_id", "as_of")
        .distinct()
        .join(events.select("user_id", "item_id", "event_time", "label"), "user_id")
    )
    order = Window.partitionBy("user_id", "as_of").orderBy("event_time", "item_id")
    return (
        later.where("event_time >= as_of")
        .withColumn("_number", F.row_number().over(order))
        .where(F.col("_number") <= count)
        .drop("_number")
    )


def question_body(template: ValidatorTemplate) -> Column:
    """V's prompt (string) from columns prompt_body (G's), reccot (NULL: none), title and attributes of the item.

    What there is no RecCoT of is shown as "nothing".
    """
    facts = template.facts
    history = F.left("prompt_body", F.char_length("prompt_body") - len(facts.question_text) - 1)
    reccot = F.coalesce(neutralise(F.col("reccot"), template.max_reccot_chars), F.lit("nothing"))
    introduced = template.lead if template.reads == "reccot" else template.analysis
    fenced = F.concat(F.lit(f"{introduced}\n<<<\n"), reccot, F.lit("\n>>>"))
    shown = {"reccot": [fenced], "history": [history], "both": [history, fenced]}[template.reads]
    named = F.when(F.size("attributes") > 0, F.concat(F.lit(" ("), F.array_join("attributes", ", "), F.lit(")")))
    item = F.concat(
        F.lit(template.target.format(items=facts.item_noun)),
        "title",
        F.coalesce(named, F.lit("")),
        F.lit(">>>"),
    )
    return F.concat_ws("\n", *shown, item, F.lit(template.question))


def score_requests(
    candidates: DataFrame,
    histories: DataFrame,
    events: DataFrame,
    items: DataFrame,
    template: ValidatorTemplate,
    *,
    max_title_chars: int,
) -> DataFrame:
    """One request a candidate and event: request_key, prompt_body, question_key, text, and what ``validations`` has.

    ``candidates``: row_key, prompt_key, user_id, as_of, text; ``histories``: prompt_key, prompt_body; ``events`` as
    from ``next_events``; ``items``: item_id, title, attributes, neutralised. ``max_title_chars`` (of the
    settings, as for ``items``) bounds what stands for the title of an item that ``items`` lacks.
    """
    prompts = histories.groupBy("prompt_key").agg(F.min("prompt_body").alias("prompt_body"))
    titled = (
        candidates.withColumnRenamed("text", "reccot")
        .join(events, ["user_id", "as_of"])
        .join(prompts, "prompt_key")
        .join(F.broadcast(items.select("item_id", "title", "attributes")), "item_id", "left")
        .withColumn("title", title_or_id(F.col("title"), max_title_chars))
    )
    requests = titled.select(
        key_of(*EVENT).alias("request_key"), *EVENT, "user_id", "prompt_key", "as_of", "label",
        F.col("reccot").alias("text"),
        question_body(template).alias("prompt_body"),
    )  # fmt: skip
    return requests.withColumn("question_key", key_of("prompt_body"))


def of_version(validations: DataFrame, validator_version: str) -> DataFrame:
    """The rows of this version of V."""
    return validations.where(F.col("validator_version") == validator_version)


def unscored(requests: DataFrame, validations: DataFrame, validator_version: str) -> DataFrame:
    """The requests that this version of V has not answered yet; another title or RecCoT is another question."""
    answered = of_version(validations, validator_version)
    return requests.join(answered.select(*QUESTION), list(QUESTION), "left_anti")


def answered(requests: DataFrame, validations: DataFrame, validator_version: str) -> DataFrame:
    """This version's answers to the requests, and to nothing else.

    Returns row_key, item_id, event_time, user_id, prompt_key, as_of, label, log_odds. ``requests`` with a column offset
    (nats; NULL: none). Label and offset are the request's: a stored label may have been corrected since, and with it
    what the offset was counted from. The LLM is not asked again for it.
    """
    stored = of_version(validations, validator_version).select(*QUESTION, "log_odds", F.col("offset").alias("_stored"))
    asked = requests.select(*QUESTION, "user_id", "prompt_key", "as_of", "label", "offset")
    moved = F.coalesce(F.col("offset") - F.col("_stored"), F.lit(0.0))
    answers = asked.join(stored, list(QUESTION)).withColumn("log_odds", F.col("log_odds") + moved)
    return answers.drop("question_key", "offset", "_stored")


def grouped(requests: DataFrame, engines: int) -> DataFrame:
    """One partition an engine; requests of one history together and in prefix order, so that the cache serves them."""
    return (
        requests.withColumn("_slot", bucket_of("prompt_key", engines, part=1).cast("int"))
        .repartitionById(engines, F.col("_slot"))
        .sortWithinPartitions("prompt_key", "row_key", "event_time", "item_id")
        .drop("_slot")
    )
