"""Where V starts: the log-odds that the user's and the item's shares of likes give alone, fitted once and then fixed.

offset = user · logit(user's share) + item · logit(item's share) + constant, where a share is that of the events known
before the snapshot, shrunk towards the overall share; with feedback.offset=named there is also a weight for each of the
item's attributes that the RecCoT names (``reader``, docs/decisions/0014). V's log-odds are those of its LLM, if it has
one, less what the untuned LLM says on average, plus this offset (docs/decisions/0011). So V begins at the floor that it
must beat, and learns the rest. Spark only where events are counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackrec.runtime.errors import BadInputError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

OFFSET_FILE = "trackrec-offset.json"  # in the folder of V's adapter, whose version covers it
COUNTS = ("user_liked", "user_events", "item_liked", "item_events")  # columns: what was known before as_of
NAMED = ("named_liked", "named_avoided")  # columns: how many of the item's attributes the RecCoT names so
# Events at the overall share that each share is shrunk by.
STRENGTH = 5.0
_LATER = ("liked", "avoided", "unnamed", "counted")


@dataclass(frozen=True)
class Offset:
    """The coefficients, and what they belong to.

    ``share`` and ``strength``: the overall share that shares are shrunk towards, and by how many events at it;
    ``base``: mean log-odds (nats) of the LLM that tuning began with, which V's answers are counted from; ``fold``: of
    the users whose events they were fitted on. Where there is a RecCoT, and it is read, ``unnamed`` is added, nats, and
    ``liked`` and ``avoided`` for each of the item's attributes that it names so. ``counted``: beside no LLM.
    """

    user: float
    item: float
    constant: float
    share: float
    strength: float = STRENGTH
    base: float = 0.0
    fold: int = 0
    liked: float = 0.0
    avoided: float = 0.0
    unnamed: float = 0.0
    counted: bool = False

    @property
    def reads(self) -> bool:
        """Whether what the RecCoT names counts."""
        return bool(self.liked or self.avoided)

    def log_odds(self, row: Mapping[str, Any]) -> float:
        """The offset, nats, of an event with these ``COUNTS`` and, where it reads, ``NAMED`` (None: no RecCoT)."""
        user, item = _logits(row, self.share, self.strength)
        named = self.evidence(*(row[name] for name in NAMED)) if self.reads else 0.0
        return self.user * user + self.item * item + self.constant + named

    def evidence(self, liked: int | None, avoided: int | None) -> float:
        """What is added, nats, where a RecCoT names so many of an item's attributes; None: there is no RecCoT."""
        if liked is None or avoided is None:
            return 0.0
        return self.liked * liked + self.avoided * avoided + self.unnamed

    def save(self, path: Path) -> None:
        """Write the coefficients to ``path`` as JSON; of what came later only what is not 0: V's version is by it."""
        values = {name: value for name, value in asdict(self).items() if name not in _LATER or value}
        path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kind_of(offset: Offset | None) -> str:
    """What feedback.offset is where V has this one: none, fixed or named."""
    if offset is None:
        return "none"
    return "named" if offset.reads else "fixed"


def saved_offset(path: Path) -> Offset | None:
    """The coefficients in ``path``; None where there is no such file. BadInputError where it holds something else."""
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {name: float(value) for name, value in stored.items()}
        counts = {"fold": int(values.get("fold", 0)), "counted": bool(values.get("counted", False))}
        return Offset(**values | counts)
    except (ValueError, TypeError, AttributeError):
        raise BadInputError(f"{path} holds no coefficients of an offset.", "Tune V again, or restore it.") from None


def fit_offset(rows: Iterable[Mapping[str, Any]], fold: int = 0) -> Offset:
    """Coefficients by logistic regression of ``label`` on the two logits; ``rows``: label and ``COUNTS``.

    A penalty of one event pulls user and item towards 1, where the two shares count as independent evidence: with few
    rows, or shares that are all alike, the fit stays there. Raises BadInputError without rows of both labels.
    """
    import numpy as np

    from trackrec.feedback.logistic import logistic_weights

    events = list(rows)
    label = np.array([row["label"] for row in events], dtype=float)
    if not 0 < label.sum() < len(label):
        raise BadInputError(
            f"an offset cannot be fitted: all {len(label)} rows have one label.",
            "Look at source.like_threshold, show V more users (feedback.validator_share), or set feedback.offset=none.",
        )
    share = float(label.mean())
    x = np.array([[*_logits(row, share, STRENGTH), 1.0] for row in events])
    prior, penalty = np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0])
    start = np.array([0.0, 0.0, math.log(share / (1 - share))])
    user, item, constant = (float(weight) for weight in logistic_weights(x, label, start, prior, penalty))
    return Offset(user, item, constant, share, fold=fold)


def with_counts(events: DataFrame, samples: DataFrame) -> DataFrame:
    """``events`` (user_id, as_of, item_id, …) with ``COUNTS``, bigint: what the user, and everybody of the item, did.

    Counted are events of the alignment window that were known strictly before as_of: neither the label of the event
    itself nor a later one. ``samples``: user_id, item_id, known_time, label, window.
    """
    known = samples.where("window = 'alignment'")
    for key, name in (("user_id", "user"), ("item_id", "item")):
        events = _with_earlier(events, known, key, name)
    return events


def with_offset(requests: DataFrame, samples: DataFrame, coefficients: Offset) -> DataFrame:
    """``requests`` (user_id, as_of, item_id, …) with column ``offset``: the log-odds (nats) of the offset alone.

    ``samples`` as for ``with_counts``. ``requests`` have ``NAMED`` (NULL: no RecCoT) where the offset reads; they are
    dropped.
    """
    from pyspark.sql import functions as F

    user, item = (_logit_column(name, coefficients) for name in ("user", "item"))
    offset = user * coefficients.user + item * coefficients.item + coefficients.constant
    if coefficients.reads:
        liked, avoided = map(F.col, NAMED)
        named = liked * coefficients.liked + avoided * coefficients.avoided + coefficients.unnamed
        offset = offset + F.coalesce(named, F.lit(0.0))
    return with_counts(requests, samples).withColumn("offset", offset).drop(*COUNTS, *NAMED)


def _logits(counts: Mapping[str, Any], share: float, strength: float) -> tuple[float, float]:
    user, item = (
        _logit(counts[f"{name}_liked"], counts[f"{name}_events"], share, strength, math.log)
        for name in ("user", "item")
    )
    return user, item


def _logit(liked: Any, events: Any, share: float, strength: float, log: Callable[[Any], Any]) -> Any:
    """The logit of a share of likes after ``strength`` more events at ``share``, of numbers or of columns."""
    return log(liked + strength * share) - log(events - liked + strength * (1 - share))


def _logit_column(name: str, offset: Offset) -> Column:
    """``_logits`` of ``name`` in Spark."""
    from pyspark.sql import functions as F

    logit: Column = _logit(F.col(f"{name}_liked"), F.col(f"{name}_events"), offset.share, offset.strength, F.log)
    return logit


def _with_earlier(events: DataFrame, known: DataFrame, key: str, name: str) -> DataFrame:
    """``events`` with <name>_liked and <name>_events: the rows of ``known`` of their ``key`` before their as_of.

    Both are sorted together by time and summed up once: joined by a condition on time, every event would meet every
    earlier one.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    asked = events.select(key, F.col("as_of").alias("time")).distinct()
    marks = asked.select(key, "time", F.lit(0).alias("counts"), F.lit(0).alias("liked")).unionByName(
        known.select(key, F.col("known_time").alias("time"), F.lit(1).alias("counts"), F.col("label").alias("liked"))
    )
    # At one instant what is asked stands before what happened: strictly before.
    earlier = Window.partitionBy(key).orderBy("time", "counts").rowsBetween(Window.unboundedPreceding, 0)
    summed = marks.withColumns({f"{name}_{part}": F.sum(column).over(earlier) for part, column in _PARTS.items()})
    totals = summed.where("counts = 0").select(
        key, F.col("time").alias("as_of"), *(f"{name}_{part}" for part in _PARTS)
    )
    return events.join(totals, [key, "as_of"])


_PARTS = {"liked": "liked", "events": "counts"}
