"""G inside Spark's Python workers: mapInPandas over requests, one engine a worker process, fed across batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trackrec.engines.interface import Finished, Request
from trackrec.engines.spec import EngineSpec
from trackrec.runtime.progress_channel import SILENT, ProgressSender
from trackrec.tables.schemas import GeneratedTables
from trackrec.tables.schemas.generated import FAILED

if TYPE_CHECKING:
    import pandas as pd

    from udfs.worker import WorkerEngine

_FRAME_ROWS = 64  # rows of an output frame: small enough that a task's results leave while it runs

# (text of a completion with its opening, opening, finish_reason) -> (status, text to serve)
ReadText = Callable[[str, str, str], tuple[str, str]]


def generate_udf(
    spec: EngineSpec,
    generator_version: str,
    tables: GeneratedTables,
    read_text: ReadText,
    progress: ProgressSender = SILENT,
    *,
    stall_seconds: float | None = None,
    window: int | None = None,
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas``, made on the driver, where an engine ``auto`` is resolved.

    Input: prompt_key (unique), prompt_body, seed (long), row_keys (array<string>, one a sample), ``tables.identity``.
    Output (``tables.written``): one row a row_key, in the order in which requests finish; a request that failed has
    status ``failed`` in all its rows. ``read_text`` is pickled. A worker in which no request finishes for
    ``stall_seconds`` ends. A task whose worker is lost is tried once more; with ``window``, no more requests than that
    in flight, not at all.
    """
    spec = spec.resolved()

    def generate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from udfs.stall import guarded
        from udfs.worker import engine_of, refuse_retry

        # Of a whole chunk once more: an executor may have been taken away. A row that ends its worker would else be
        # asked, with all of its chunk, as often as spark.task.maxFailures, 4 times.
        refuse_retry(retries=1 if window is None else 0)
        running, pumped = engine_of(spec, progress), replace(spec, high_water=window or spec.high_water)
        with guarded(running.engine, stall_seconds, progress) as engine:
            yield from generated_frames(
                frames, running._replace(engine=engine), pumped, generator_version, tables, read_text, progress
            )

    return generate


def generated_frames(
    frames: Iterator[pd.DataFrame],
    worker_engine: WorkerEngine,
    spec: EngineSpec,
    generator_version: str,
    tables: GeneratedTables,
    read_text: ReadText,
    progress: ProgressSender = SILENT,
) -> Iterator[pd.DataFrame]:
    """Output frames of at most ``64 + n - 1`` rows for the requests in ``frames``; see ``generate_udf``."""
    from udfs.pumped import pumped_frames

    repeated = ("prompt_key", "seed", *tables.identity)
    constants = {
        "generator_version": generator_version,
        "sampling": spec.sampling.canonical(),
        "engine": worker_engine.engine.name,
        "engine_id": worker_engine.id,
    }

    def to_request(row: Any) -> Request:
        progress.request_started(row.prompt_key)
        return Request(row.prompt_key, row.prompt_body, spec.opening, int(row.seed))

    def to_rows(row: Any, finished: Finished) -> Iterator[dict[str, Any]]:
        progress.request_ended(row.prompt_key)
        for number, row_key in enumerate(row.row_keys):
            yield {
                "row_key": row_key,
                "sample_number": number,
                **{name: getattr(row, name) for name in repeated},
                **constants,
                "prompt_tokens": finished.prompt_tokens,
                "latency_ms": finished.latency_ms,
                "error": finished.error,
                "error_kind": finished.error_kind,
                **_sample_columns(finished, number, spec.opening, read_text),
            }

    return pumped_frames(
        frames,
        worker_engine,
        spec.high_water,
        to_request,
        to_rows,
        columns=tables.written.column_names,
        frame_rows=_FRAME_ROWS,
        progress=progress,
    )


def _sample_columns(finished: Finished, number: int, opening: str, read_text: ReadText) -> dict[str, Any]:
    """status, text, raw_text, output_tokens and finish_reason of one sample."""
    if finished.error is not None:
        return dict(FAILED)
    sample = finished.completions[number]
    status, text = read_text(sample.text, opening, sample.finish_reason)
    return {
        "status": status,
        "text": text,
        "raw_text": sample.text,
        "output_tokens": sample.output_tokens,
        "finish_reason": sample.finish_reason,
    }
