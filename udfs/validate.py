"""V inside Spark's Python workers: mapInPandas over (candidate, event), one prefill each, fed across batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from trackrec.engines.answers import probability
from trackrec.engines.interface import Finished, Request
from trackrec.engines.spec import EngineSpec
from trackrec.runtime.progress_channel import SILENT, ProgressSender
from trackrec.tables.schemas import VALIDATIONS

if TYPE_CHECKING:
    import pandas as pd

    from udfs.worker import WorkerEngine

FAULT_COLUMNS = ("error", "error_kind")  # of the output beside the columns of validations
COLUMNS = [*VALIDATIONS.without_stamp.column_names, *FAULT_COLUMNS]
OUTPUT_SCHEMA = ", ".join([VALIDATIONS.without_stamp.spark_schema(), *(f"{name} string" for name in FAULT_COLUMNS)])
_FRAME_ROWS = 256  # rows of an output frame
# That a row of the output repeats:
_INPUT_COLUMNS = (
    "row_key",
    "item_id",
    "event_time",
    "user_id",
    "prompt_key",
    "as_of",
    "label",
    "question_key",
    "offset",
)


def validate_udf(
    spec: EngineSpec, version: str, progress: ProgressSender = SILENT, base: float = 0.0
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``, made on the driver, where an engine ``auto`` is resolved.

    ``spec.answers`` are (yes, no), ``version`` is V's. Input: request_key (unique), prompt_body, row_key, item_id,
    event_time, user_id, prompt_key, as_of, label, question_key, offset. Output: ``validations`` without run_id and
    created_time, and error, error_kind; a request that failed has p_yes .5. log_odds are those of the LLM; where there
    is an offset, less ``base`` (nats), what the untuned LLM says on average, and plus the offset.
    """
    spec = spec.resolved()

    def validate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from udfs.worker import engine_of

        return scored_frames(frames, engine_of(spec, progress), spec, version, progress, base)

    return validate


def scored_frames(
    frames: Iterator[pd.DataFrame],
    worker_engine: WorkerEngine,
    spec: EngineSpec,
    version: str,
    progress: ProgressSender = SILENT,
    base: float = 0.0,
) -> Iterator[pd.DataFrame]:
    """Output frames for the requests in ``frames``; see ``validate_udf``."""
    from udfs.pumped import pumped_frames

    def to_request(row: Any) -> Request:
        return Request(row.request_key, row.prompt_body, spec.opening, 0)

    def to_rows(row: Any, finished: Finished) -> list[dict[str, Any]]:
        log_odds = finished.scores[0] - finished.scores[1] if finished.scores else 0.0
        if finished.scores and not math.isnan(row.offset):
            log_odds += row.offset - base
        return [
            {
                **{name: getattr(row, name) for name in _INPUT_COLUMNS},
                "validator_version": version,
                "p_yes": probability(log_odds),
                "log_odds": log_odds,
                "prompt_tokens": finished.prompt_tokens,
                "error": finished.error,
                "error_kind": finished.error_kind,
            }
        ]

    return pumped_frames(
        frames,
        worker_engine,
        spec.high_water,
        to_request,
        to_rows,
        columns=COLUMNS,
        frame_rows=_FRAME_ROWS,
        progress=progress,
    )
