"""What a round is judged by: V on the alignment window's hold-out, which taught nobody, with and without RecCoTs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.questions import score_requests
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.tables.keys import key_of


def holdout_events(samples: DataFrame, histories: DataFrame, *, start: datetime, count: int) -> DataFrame:
    """At most ``count`` events of the hold-out with the snapshot each one joins, chosen by hash.

    ``samples``: user_id, item_id, event_time, label, window, as_of; ``histories``: user_id, as_of, prompt_key, n_liked,
    n_events. Returns these columns; events without a snapshot are left out.
    """
    held = samples.where((F.col("window") == "alignment") & (F.col("event_time") >= F.lit(start)))
    known = histories.select("user_id", "as_of", "prompt_key", "n_liked", "n_events")
    columns = ["user_id", "as_of", "item_id", "event_time", "label"]
    joined = held.select(*columns).join(known, ["user_id", "as_of"])
    return joined.orderBy(key_of("user_id", "item_id", "event_time")).limit(count)


def variants(events: DataFrame, reccots: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The events once a variant, with the RecCoT (column text, NULL: none) that V is shown.

    ``reccots``: name → prompt_key, text. Besides these: ``none``, and ``shuffled``, the last one's texts, each
    shown for the next user in the order of a hash: what is read there is about somebody else.
    """
    shown = {"none": events.withColumn("text", F.lit(None).cast("string"))}
    for name, told in reccots.items():
        shown[name] = events.join(told.select("prompt_key", "text"), "prompt_key", "left")
    last = shown[list(reccots)[-1]]
    users = last.groupBy("user_id").agg(F.max_by("text", "event_time").alias("other"))
    ring = Window.orderBy(F.sha2("user_id", 256))
    first = F.first("other").over(ring.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing))
    moved = users.withColumn("other", F.coalesce(F.lead("other").over(ring), first))
    shown["shuffled"] = last.drop("text").join(moved.withColumnRenamed("other", "text"), "user_id")
    return shown


def requests_of(
    shown: Mapping[str, DataFrame],
    histories: DataFrame,
    items: DataFrame,
    template: ValidatorTemplate,
    *,
    max_title_chars: int,
) -> DataFrame:
    """Requests for ``validate_udf``; the variant's name stands in row_key, which V does not see."""
    parts = []
    for name, events in shown.items():
        one = events.withColumn("row_key", F.lit(name))
        candidates = one.select("row_key", "prompt_key", "user_id", "as_of", "text").distinct()
        of_variant = one.drop("row_key", "prompt_key", "text")
        asked = score_requests(candidates, histories, of_variant, items, template, max_title_chars=max_title_chars)
        parts.append(asked.withColumn("request_key", key_of("row_key", "user_id", "item_id", "event_time")))
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part)
    return whole


def quality(label: Sequence[int], p: Sequence[float], user: Sequence[str]) -> dict[str, float]:
    """auc, uauc (mean over users with both labels, weighted by their events), logloss (nats), ece (10 equal bins)."""
    import numpy as np

    from trackrec.metrics.probability import calibration_error, logloss
    from trackrec.metrics.ranking import auc, uauc

    y, score = np.asarray(label), np.asarray(p, dtype=float)
    return {
        "auc": auc(y, score),
        "uauc": uauc(y, score, np.asarray(user)),
        "logloss": logloss(y, score),
        "ece": calibration_error(y, score),
    }


def differences(
    shown: Mapping[str, Sequence[float]], label: Sequence[int], user: Sequence[str], last: str
) -> dict[str, dict[str, float]]:
    """What the RecCoTs of ``last`` add: AUC of V shown them minus its AUC shown something else, on the same events.

    ``shown``: variant → p(Yes), in one order of events. Returns "<last> - <variant>" → auc, low and high (95 %, whole
    users drawn again), moved: mean distance of the two log-odds over their spread (0: V does not read them).
    """
    import numpy as np

    from trackrec.metrics.bootstrap import bootstrap_interval
    from trackrec.metrics.ranking import auc

    y, (_, who) = np.asarray(label), np.unique(user, return_inverse=True)
    told = {name: np.asarray(p, dtype=float) for name, p in shown.items()}
    odds = {name: np.log(p / (1 - p)) for name, p in told.items()}
    spread = float(np.std(odds[last]))
    found = {}
    for name, p in told.items():
        if name == last:
            continue
        low, high = bootstrap_interval(y, who, p, told[last])
        moved = float(np.mean(np.abs(odds[last] - odds[name]))) / spread if spread else 0.0
        gained = auc(y, told[last]) - auc(y, p)
        found[f"{last} - {name}"] = {"auc": gained, "low": low, "high": high, "moved": moved}
    return found


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The figures as aligned text, one line a variant."""
    names = ("auc", "uauc", "logloss", "ece")
    lines = [f"{'V sees':<14}" + "".join(f"{name:>9}" for name in names)]
    lines += [f"{variant:<14}" + "".join(f"{found[name]:>9.4f}" for name in names) for variant, found in rows.items()]
    return "\n".join(lines)


def floors(events: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """What V must beat before its feedback means anything: always the overall share, and the user's own share."""
    label, user = [e["label"] for e in events], [e["user_id"] for e in events]
    liked, seen = sum(e["n_liked"] for e in events), sum(e["n_events"] for e in events)
    overall = liked / seen if seen else 0.5
    shares = [(e["n_liked"] + overall) / (e["n_events"] + 1) for e in events]
    return {
        "always the same": quality(label, [overall] * len(label), user),
        "user's share": quality(label, shares, user),
    }
