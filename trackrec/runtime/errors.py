"""The errors a person is meant to read, and the exit code each one ends a job with."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_QUALITY_GATE = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EXIT_HELD = 75  # EX_TEMPFAIL of sysexits.h: another run writes to this warehouse; try again later
EXIT_FAILED = 70  # EX_SOFTWARE of sysexits.h: an error nobody foresaw; Python's own 1 would read as a quality gate


class TrackrecError(Exception):
    """What failed (table, column, row count) and the remedy. A job prints it as one line, without a traceback."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[TrackrecError], tuple[str, str]]:
        """Both parts reach another process: by default an exception is made again of its one message."""
        return type(self), (self.what, self.remedy)


class BadInputError(TrackrecError):
    """A missing table, column or model, a wrong type, an unknown setting. Nothing was written. Exit code 2."""


class QualityGateError(TrackrecError):
    """The rows did not pass a check before publishing. Nothing was published. Exit code 1."""

    exit_code = EXIT_QUALITY_GATE


class LeaseHeldError(TrackrecError):
    """Another run writes to the same warehouse. Nothing was written by this one. Exit code 75."""

    exit_code = EXIT_HELD


class LeaseLostError(TrackrecError):
    """Another run took the warehouse over while this one was silent. Exit code 75."""

    exit_code = EXIT_HELD


class FailedError(TrackrecError):
    """What a run stands on failed: a disk, Spark's JVM, a table that another writer changed. Exit code 70."""

    exit_code = EXIT_FAILED


class LostWorkerError(FailedError):
    """A Python worker of Spark ended without a word: killed by the system, crashed, or stopped as it hung."""


# "crashed" of PythonRunner; of an executor that took its worker along; of udfs.worker.refuse_retry
_WORKER_LOST = ("Python worker exited unexpectedly", "ExecutorLostFailure", LostWorkerError.__name__)


def is_worker_lost(error: Exception) -> bool:
    """Whether a Spark job failed because a Python worker, or its executor, ended while it worked."""
    text = str(error)
    return any(sign in text for sign in _WORKER_LOST)
