"""Spark's own names for what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackrec.runtime.known_faults import foreseen

if TYPE_CHECKING:
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException


def error_condition(error: PySparkException | Py4JJavaError) -> str:
    """The error condition of an exception, e.g. PATH_NOT_FOUND; its message runs over pages.

    Exceptions of the JVM carry it in brackets in their text; without any, the exception's class name is returned.
    """
    from pyspark.errors import PySparkException

    condition = error.getCondition() if isinstance(error, PySparkException) else None
    if condition and not condition.startswith("_LEGACY"):
        return str(condition)
    bracketed = re.search(r"\[([A-Z0-9_.]+)\]", str(error))
    return bracketed.group(1) if bracketed else type(error).__name__


@contextmanager
def naming(place: str) -> Iterator[None]:
    """A known fault in this block is told of ``place``, e.g. ``table reccots (/data)``; other errors as they are."""
    try:
        yield
    except Exception as error:
        if known := foreseen(error, place):
            raise known from error
        raise
