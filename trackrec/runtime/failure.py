"""How an error ends a job: one line on stderr and an exit code; what nobody foresaw keeps its traceback in the log."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import EXIT_BAD_INPUT, EXIT_FAILED, LostWorkerError, TrackrecError, is_worker_lost
from trackrec.runtime.known_faults import foreseen, known_fault
from trackrec.runtime.terminal import printable, printable_line

DEFAULT_LOG = "logs/trackrec.log"
LOG_VARIABLE = "TRACKREC_LOG"  # of the environment; log4j2.properties names it too
_LINE_CHARS = 400  # Spark's messages run over pages
_OWN_PACKAGES = ("trackrec", "udfs", "jobs")


def log_file(setting: str = DEFAULT_LOG) -> str:
    """Where a run's log goes: the file that TRACKREC_LOG names, else ``setting`` (the setting ``log``).

    Under spark-submit Spark opens its part before any setting is read, so the variable is what can move all of it.
    """
    return os.environ.get(LOG_VARIABLE) or setting


def print_error(error: Exception, log: str = DEFAULT_LOG) -> int:
    """Print the error as one line on stderr and return its exit code.

    A TrackrecError says what failed and the remedy, and so does a known fault, whose traceback goes to the file
    ``log``. A package that is not installed is bad input. Anything else was not foreseen: its traceback goes to the
    log too, the code is 70.
    """
    error = _cause_in_worker(error, log)
    if known := foreseen(error):
        keep_traceback(error, log)
        error = known
    error = _lost_worker(error, log)
    if isinstance(error, TrackrecError):
        line, code = str(error), error.exit_code
    elif isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in _OWN_PACKAGES:
        line, code = _missing_package(error), EXIT_BAD_INPUT
    else:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        message = message if len(message) <= _LINE_CHARS else message[:_LINE_CHARS] + " …"
        line = f"{message} - this is a bug in trackrec or its environment; {keep_traceback(error, log)}."
        code = EXIT_FAILED
    print(f"error: {printable_line(line)}", file=sys.stderr, flush=True)
    return code


def keep_traceback(error: Exception, log: str) -> str:
    """Append the traceback to ``log``, or print it where that cannot be written; returns where it is, in words.

    Of a known fault it is not printed: on a full disk the log is full too, and one line says all.
    """
    text = printable("".join(traceback.format_exception(error)))
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with Path(log).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{utc_now():%Y-%m-%d %H:%M:%S} UTC {sys.argv[0]} failed\n{text}")
    except OSError as fault:
        if known_fault(error) is None:
            print(text, file=sys.stderr, flush=True)
        return f"the traceback is above, for {log} cannot be written ({fault.strerror})"
    return f"the traceback is in {log}"


def _missing_package(error: ModuleNotFoundError) -> str:
    return (
        f"the package {error.name} is not installed for {sys.executable}. Run `make install` and use .venv/bin/python "
        "(spark-submit: set PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON to it), or install trackrec with the extra that "
        "brings it."
    )


def _lost_worker(error: Exception, log: str) -> Exception:
    """A LostWorkerError in the place of a Spark job's failure by a worker that died; other errors as they are."""
    if isinstance(error, TrackrecError) or not is_worker_lost(error):
        return error
    return LostWorkerError(
        "a Python worker died while it worked, as it does where the system ends it for want of memory.",
        f"Look into {log} and the system's log; lower batch_size, max_num_seqs or kv_cache_gb of the model that ran. "
        "What was committed stays, and the next run goes on behind it.",
    ).with_traceback(error.__traceback__)


def _cause_in_worker(error: Exception, log: str) -> Exception:
    """Of an error that Spark wraps around a Python worker's own, the latter's last line; other errors as they are."""
    if "pyspark" not in sys.modules:
        return error
    from pyspark.errors import PythonException

    if not isinstance(error, PythonException):
        return error
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("\tat ")]
    last = next((line for line in reversed(lines) if "Error" in line or "Exception" in line), lines[-1]).strip()
    if last.startswith(f"{TrackrecError.__module__}."):  # foreseen there, e.g. weights that this executor cannot have
        return TrackrecError(f"a Python worker failed: {last}.", f"The whole traceback is in {log}.").with_traceback(
            error.__traceback__
        )
    unforeseen = RuntimeError(f"a Python worker failed: {last}")
    unforeseen.__cause__ = error
    return unforeseen
