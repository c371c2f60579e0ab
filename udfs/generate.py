"""G inside Spark's Python workers: mapInPandas over requests, one engine a worker process, fed across batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trackrec.engines.interface import EngineSpec, Finished, Request
from trackrec.reccots.sentences import judged
from trackrec.tables.schemas import RECCOT_STAGING

if TYPE_CHECKING:
    import pandas as pd

    from udfs.worker import Hosted

COLUMNS = RECCOT_STAGING.made.column_names
OUTPUT_SCHEMA = RECCOT_STAGING.made.spark_schema()
_FRAME_ROWS = 64  # rows of an output frame: small enough that a task's results leave while it runs


def generate_udf(spec: EngineSpec) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``.

    Input: user_id, prompt_key (unique), prompt_body, seed (long), row_keys (array<string>, one a sample), as_of,
    source_max_time. Output: one row a row_key, as in ``reccot_staging`` without run_id and created_time, in the order
    in which requests finish; a request that failed has status ``failed`` in all its rows.
    """

    def generate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from udfs.worker import engine_of

        return written(frames, engine_of(spec), spec)

    return generate


def written(frames: Iterator[pd.DataFrame], hosted: Hosted, spec: EngineSpec) -> Iterator[pd.DataFrame]:
    """Output frames of at most ``64 + n - 1`` rows for the requests in ``frames``; see ``generate_udf``."""
    import pandas as pd

    from trackrec.engines.pump import pump

    asked: dict[str, Any] = {}
    engine = hosted.engine
    common = {
        "generator_version": spec.model.version,
        "sampling": spec.sampling.canonical(),
        "engine": engine.name,
        "engine_id": hosted.id,
    }

    def to_requests(frame: pd.DataFrame) -> Iterable[Request]:
        row: Any
        for row in frame.itertuples(index=False):
            asked[row.prompt_key] = row
            yield Request(row.prompt_key, row.prompt_body, spec.opening, int(row.seed))

    rows: list[dict[str, Any]] = []
    try:
        for finished in pump(frames, engine, to_requests, spec.high_water):
            rows += _rows(asked.pop(finished.key), finished, spec.opening, common)
            if len(rows) >= _FRAME_ROWS:
                yield pd.DataFrame(rows, columns=COLUMNS)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=COLUMNS)
    finally:
        if engine.unfinished:  # the task was cancelled; the engine serves the next one
            engine.abort()


def _rows(request: Any, finished: Finished, opening: str, common: dict[str, str]) -> Iterator[dict[str, Any]]:
    """One output row a sample of ``request``, a row of the input frame."""
    for number, row_key in enumerate(request.row_keys):
        row: dict[str, Any] = {
            "row_key": row_key,
            "sample_number": number,
            **{name: getattr(request, name) for name in ("user_id", "prompt_key", "as_of", "source_max_time", "seed")},
            **common,
            "prompt_tokens": finished.prompt_tokens,
            "latency_ms": finished.latency_ms,
            "error": finished.error,
            "error_kind": finished.error_kind,
        }
        if finished.error is not None:
            row |= {"status": "failed", "text": "", "raw_text": "", "output_tokens": 0, "finish_reason": "error"}
        else:
            sample = finished.completions[number]
            status, text = judged(sample.text, opening, sample.finish_reason)
            row |= {"status": status, "text": text, "raw_text": sample.text}
            row |= {"output_tokens": sample.output_tokens, "finish_reason": sample.finish_reason}
        yield row
