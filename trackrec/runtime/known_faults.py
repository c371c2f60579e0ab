"""Faults that nobody's code makes, but that every long run meets: a full disk, a read-only folder, a JVM that is gone.

One table: by which words Python, Spark, Delta and delta-rs tell a fault, what a person is told, and what to do. The
words were collected by making each fault (tests/e2e/test_known_faults.py).
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from trackrec.runtime.errors import BadInputError, FailedError, TrackrecError
from trackrec.runtime.places import without_scheme

_FOLDERS = "warehouse, models, cache, log, and spark.local.dir of spark-defaults.conf"
_CONFLICT = "another writer"
_NO_JVM = "py4j found nobody at its port"
_GOES_ON = "What was committed stays, and the next run goes on behind it."


@dataclass(frozen=True)
class KnownFault:
    """One row: ``signs`` (a regular expression over the words of an error and its causes) → ``what``, ``remedy``.

    ``what`` may name a ``{place}``: a file, folder or table that the error names, else ``nowhere``.
    """

    name: str
    signs: str
    what: str
    remedy: str
    nowhere: str = ""
    error: type[TrackrecError] = FailedError


# In the order in which they are looked for: a full disk may also end a JVM or leave a log that is cut.
KNOWN_FAULTS = (
    KnownFault(
        "disk full",
        r"java\.io\.IOException: (No space left on device|Disk quota exceeded)"
        r"|java\.io\.FileNotFoundException: .* \((No space left on device|Disk quota exceeded)\)"
        r"|DSQuotaExceededException|\[[Ee]rrno (28|122)\]|\(os error (28|122)\)",
        "the disk is full where {place} is written.",
        f"Make room, or set another folder (of {_FOLDERS}). {_GOES_ON}",
        nowhere="this run's data",
    ),
    KnownFault(
        "link in the place of a lock",
        r"\[Errno 40\]",
        "{place} is a link where a file of this run belongs, and is not followed.",
        "Remove it, and see who else may write to its folder.",
        error=BadInputError,
    ),
    KnownFault(
        "no right",
        r"\[Errno (1|13|17|20|30)\] [^:]+: '|\(os error (1|13|20|30)\)"
        r"|\((Read-only file system|Permission denied|Not a directory)\)"
        r"|DELTA_CANNOT_CREATE_LOG_PATH|ParentNotDirectoryException|AccessControlException|AccessDeniedException",
        "{place} cannot be used: it is read-only or another user's, or a file stands where a folder belongs.",
        f"Ask for the right to it, or set another folder (of {_FOLDERS}).",
        nowhere="a folder of this run",
        error=BadInputError,
    ),
    KnownFault(
        _CONFLICT,
        r"DELTA_CONCURRENT_\w+|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|Concurrent(Append|Delete\w+|Transaction|Write)Exception"
        r"|[Cc]oncurrent transaction",
        "another writer changed {place} at the same moment.",
        "Run it again. Writers that are none of trackrec's jobs see no lease: let them (OPTIMIZE, deletions) run at "
        f"another time. {_GOES_ON}",
        nowhere="a table",
    ),
    KnownFault(
        "damaged log",
        r"DELTA_VERSIONS_NOT_CONTIGUOUS|DELTA_TRUNCATED_TRANSACTION_LOG|DELTA_LOG_FILE_(NOT_FOUND|MALFORMED)"
        r"|DELTA_STATE_RECOVER_ERROR|DELTA_MISSING_(PART_FILES|TRANSACTION_LOG)|DELTA_INVALID_(LOG_VERSION|COMMIT)"
        r"|reading file \S*/_delta_log/|Kernel error: .*(Json error|contiguous commit|No table metadata)",
        "the Delta log of {place} is damaged: a file of its folder _delta_log is cut, or gone.",
        "Run it again, in case the storage did not answer. Still so: put the folder back from a backup; or move it "
        "away, and the job that writes the table makes it anew, a night with --full (of reccots and reccot_staging the "
        "texts are then paid for again).",
        nowhere="a table",
        error=BadInputError,
    ),
    KnownFault(
        "damaged data",
        r"FAILED_READ_FILE\.(FILE_NOT_EXIST|CANNOT_READ_FILE_FOOTER)|DELTA_FILE_NOT_FOUND|is not a Parquet file",
        "{place}, a file of a table, is damaged or gone.",
        "Put it back from a backup, or go back to a version before it (RESTORE TABLE … TO VERSION AS OF …) and run the "
        "next night with --full.",
        nowhere="something",
        error=BadInputError,
    ),
    KnownFault(
        "names of more parts",
        r"REQUIRES_SINGLE_PART_NAMESPACE",
        "the catalog takes names of the form catalog.schema.table, and got {place}.",
        "Is its first part no catalog that Spark knows? Set spark.sql.catalog.<name> in spark-defaults.conf, or write "
        "spark_catalog.<schema>.<table>.",
        nowhere="a longer one",
        error=BadInputError,
    ),
    KnownFault(
        "memory of the JVM",
        r"java\.lang\.OutOfMemoryError",
        "Spark's JVM had too little memory.",
        f"Raise spark.driver.memory, on a cluster spark.executor.memory, in spark-defaults.conf. {_GOES_ON}",
    ),
    KnownFault(
        "JVM gone",
        r"SparkContext was shut down|stopped SparkContext|SparkContext has been shutdown|Answer from Java side is empty"
        rf"|Py4JNetworkError|\APy4JError: An error occurred while calling \S+\Z|{_NO_JVM}",
        "Spark's JVM is gone: killed by the system for want of memory, or stopped by somebody.",
        "See the end of the log and the system's (dmesg); lower spark.driver.memory where the machine has less. "
        f"{_GOES_ON}",
    ),
)

_PLACES = (  # where such an error names a file, folder or table; of a log: its table
    r"reading file (\S+?)/_delta_log/",
    r"_LOG\] (\S+?)/_delta_log/",
    r"table delta\.`([^`]+)`",
    r"got identifier (\S+?)\.? ",
    r"reading file (\S+?)\.?(?:\s|$)",
    r"FileNotFoundException: (.+?) \([A-Z]",
    r"(?:writing rows to|Cannot create|is not a directory:) (\S+?)\.?(?:\s|$)",
    r"\[Errno \d+\] .+?: '(.+?)'",
    r"Unable to (?:open|create) (?:file|dir) (\S+?)(?:#\d+)?:",
)


def foreseen(error: BaseException, place: str = "") -> TrackrecError | None:
    """What to tell a person of ``error`` where it, or a cause of it, is a known fault; None of other errors.

    ``place``, e.g. ``table reccots (/data/reccots)``, stands for what the error itself would name. A TrackrecError is
    told as it is, whatever caused it.
    """
    fault = known_fault(error)
    if fault is None:
        return None
    named = place or _place_of("\n".join(_words(error))) or fault.nowhere
    told = fault.error(fault.what.format(place=named), fault.remedy)
    told.__cause__ = error
    return told.with_traceback(error.__traceback__)


def known_fault(error: BaseException) -> KnownFault | None:
    """The row of the table that ``error`` is, or None."""
    if isinstance(error, TrackrecError):
        return None
    words = list(_words(error))
    return next((f for f in KNOWN_FAULTS if any(re.search(f.signs, text) for text in words)), None)


def is_lasting(error: BaseException) -> bool:
    """Whether a second try would meet the same: of known faults all but another writer's commit at the same moment."""
    fault = known_fault(error)
    return fault is not None and fault.name != _CONFLICT


def _words(error: BaseException) -> Iterator[str]:
    """``Type: message`` of an error and its causes, the JVM's among them, without the frames of stacks."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines = (line for line in str(current).splitlines() if not line.lstrip().startswith("at "))
        yield f"{type(current).__name__}: " + "\n".join(lines)
        if isinstance(current, ConnectionError) and _passed_py4j(current):
            yield _NO_JVM
        current = current.__cause__ or _handled(current)


def _handled(error: BaseException) -> BaseException | None:
    """What an error of Spark's or py4j's was raised in the handling of; of others that is nobody's cause."""
    if error.__suppress_context__ or not type(error).__module__.startswith(("pyspark.", "py4j.")):
        return None
    return error.__context__


def _passed_py4j(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("py4j.") for frame, _ in frames)


def _place_of(text: str) -> str:
    for pattern in _PLACES:
        if found := re.search(pattern, text):
            return without_scheme(found[1])
    return ""
