"""What the UDFs of G and V have in common: frames of requests in, frames of finished rows out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trackrec.engines.interface import Finished, Request
from trackrec.engines.pump import pump
from trackrec.runtime.progress_channel import ProgressSender

if TYPE_CHECKING:
    import pandas as pd

    from udfs.worker import WorkerEngine


def pumped_frames(
    frames: Iterator[pd.DataFrame],
    worker_engine: WorkerEngine,
    high_water: int,
    to_request: Callable[[Any], Request],
    to_rows: Callable[[Any, Finished], Iterable[dict[str, Any]]],
    *,
    columns: list[str],
    frame_rows: int,
    progress: ProgressSender,
) -> Iterator[pd.DataFrame]:
    """Frames of ``frame_rows`` rows or a few more, in the order in which requests finish; the last may be smaller.

    ``to_request`` is given each input row (a named tuple), ``to_rows`` the same row with its outcome. ``progress``
    counts each finished row before the frame that holds it is full.
    """
    import pandas as pd

    engine = worker_engine.engine
    inputs: dict[str, Any] = {}  # of the requests in flight, by request key

    def to_requests(frame: pd.DataFrame) -> Iterator[Request]:
        for row in frame.itertuples(index=False):
            request = to_request(row)
            inputs[request.key] = row
            yield request

    rows: list[dict[str, Any]] = []
    try:
        for finished in pump(frames, engine, to_requests, high_water):
            finished_rows = list(to_rows(inputs.pop(finished.key), finished))
            progress.rows_finished(len(finished_rows))
            rows += finished_rows
            if len(rows) >= frame_rows:
                yield pd.DataFrame(rows, columns=columns)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=columns)
    finally:
        progress.flush()
        # The task was cancelled, and the engine serves the next one; or the engine broke, and its own error must not be
        # hidden by one of abort.
        with suppress(Exception):
            if engine.unfinished:
                engine.abort()
