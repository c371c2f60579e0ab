"""V inside Spark's Python workers: mapInPandas over (candidate, event), one prefill each, fed across batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trackrec.engines.interface import EngineSpec, Finished, Request
from trackrec.tables.schemas import VALIDATIONS

if TYPE_CHECKING:
    import pandas as pd

    from udfs.worker import Hosted

COLUMNS = [*VALIDATIONS.without_stamp.column_names, "error", "error_kind"]
OUTPUT_SCHEMA = f"{VALIDATIONS.without_stamp.spark_schema()}, error string, error_kind string"
_FRAME_ROWS = 256  # rows of an output frame
_ASKED = ("row_key", "item_id", "event_time", "user_id", "prompt_key", "as_of", "label")


def validate_udf(spec: EngineSpec, version: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``; ``spec.answers`` are (yes, no), ``version`` is V's.

    Input: request_key (unique), prompt_body, row_key, item_id, event_time, user_id, prompt_key, as_of, label. Output:
    ``validations`` without run_id and created_time, and error, error_kind; a request that failed has p_yes .5.
    """

    def validate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from udfs.worker import engine_of

        return scored(frames, engine_of(spec), spec, version)

    return validate


def scored(frames: Iterator[pd.DataFrame], hosted: Hosted, spec: EngineSpec, version: str) -> Iterator[pd.DataFrame]:
    """Output frames for the requests in ``frames``; see ``validate_udf``."""
    import pandas as pd

    from trackrec.engines.pump import pump

    engine = hosted.engine
    asked: dict[str, Any] = {}

    def to_requests(frame: pd.DataFrame) -> Iterable[Request]:
        row: Any
        for row in frame.itertuples(index=False):
            asked[row.request_key] = row
            yield Request(row.request_key, row.prompt_body, spec.opening, 0)

    rows: list[dict[str, Any]] = []
    try:
        for finished in pump(frames, engine, to_requests, spec.high_water):
            rows.append(_row(asked.pop(finished.key), finished, version))
            if len(rows) >= _FRAME_ROWS:
                yield pd.DataFrame(rows, columns=COLUMNS)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=COLUMNS)
    finally:
        if engine.unfinished:  # the task was cancelled; the engine serves the next one
            engine.abort()


def _row(request: Any, finished: Finished, version: str) -> dict[str, Any]:
    log_odds = finished.scores[0] - finished.scores[1] if finished.scores else 0.0
    return {
        **{name: getattr(request, name) for name in _ASKED},
        "validator_version": version,
        "question_key": getattr(request, "question_key", None),
        "p_yes": probability(log_odds),
        "log_odds": log_odds,
        "prompt_tokens": finished.prompt_tokens,
        "error": finished.error,
        "error_kind": finished.error_kind,
    }


def probability(log_odds: float) -> float:
    """P(Yes) / (P(Yes) + P(No)) from log P(Yes) - log P(No), without overflow at either end."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
