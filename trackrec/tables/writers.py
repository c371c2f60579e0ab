"""Who wrote a RecCoT: an LLM, or a teacher in its place; told by generator_version. No Spark."""

from __future__ import annotations

TEACHER = "statistics@"  # how the generator_version of the teacher that needs no LLM begins


def is_teacher(generator_version: str | None) -> bool:
    """Whether a teacher wrote it. NULL stands in rows of an earlier version, which were all G's."""
    return generator_version is not None and generator_version.startswith(TEACHER)
