"""Who wrote a RecCoT: an LLM, or a teacher in its place; told by the form of generator_version. No Spark."""

from __future__ import annotations


def is_teacher(generator_version: str | None) -> bool:
    """Whether no LLM of ours wrote it: a teacher's version, ``statistics@2``, does not say what computed it.

    G's is ``<model>@<hash>+<engine>.<dtype>``; NULL stands in rows of an earlier version, which were all G's.
    """
    return generator_version is not None and "+" not in generator_version
