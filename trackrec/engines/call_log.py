"""What an engine is asked for and answers, a line each in a file that outlives the process: for fault tests and audits.

Off unless the environment of the Python workers names a file. A line is one write to the file's end, so workers that
are killed in the middle of a request leave whole lines behind them.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from trackrec.engines.interface import Engine, Finished, Request

VARIABLE = "TRACKREC_CALL_LOG"  # of the environment: the file


def logged(engine: Engine) -> Engine:
    """``engine`` under a CallLog where TRACKREC_CALL_LOG names a file, else as it is."""
    path = os.environ.get(VARIABLE)
    return CallLog(engine, Path(path)) if path else engine


class CallLog:
    """An engine that appends JSON lines; see Engine.

    event (started or finished), key of the request, process, time (seconds), tokens written. A request is ``started``
    before the engine has it, so that none is asked for without a line.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.name = engine.name
        self._engine = engine
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return self._engine.unfinished

    def submit(self, request: Request) -> None:
        """Queue one request."""
        self._write("started", request.key, 0)
        self._engine.submit(request)

    def step(self) -> list[Finished]:
        """Advance all requests in flight."""
        finished = self._engine.step()
        for outcome in finished:
            self._write("finished", outcome.key, sum(sample.output_tokens for sample in outcome.completions))
        return finished

    def abort(self) -> None:
        """Drop everything in flight."""
        self._engine.abort()

    def close(self) -> None:
        """Give memory back, and the file."""
        self._engine.close()
        os.close(self._file)

    def _write(self, event: str, key: str, tokens: int) -> None:
        line = {"event": event, "key": key, "process": os.getpid(), "time": time.time(), "tokens": tokens}
        os.write(self._file, f"{json.dumps(line)}\n".encode())
