"""A teacher's RecCoTs are never taken for G's."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from trackrec.ctr.features import newest_of_generator
from trackrec.runtime.errors import BadInputError
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import StatisticsTeacher


def published(*rows):
    """reccot_vectors, one row a (feature_version, generator_version), each published later than the one before."""
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, len(rows) + 1)]
    columns = {"feature_version": [row[0] for row in rows], "created_time": pa.array(times, pa.timestamp("us", "UTC"))}
    return pa.table(columns | {"generator_version": pa.array([row[1] for row in rows], pa.string())})


def test_a_teacher_is_known_by_its_version():
    versions = [
        StatisticsTeacher.version,
        "openai:gpt@0a1b2c3d4e5f",
        "llm@0a1b2c3d4e5f+vllm.float32",
        "x@1+scripted",
        None,
    ]
    assert [is_teacher(version) for version in versions] == [True, True, False, False, False]


def test_the_newest_features_are_those_of_g_though_a_teachers_are_newer():
    g = "llm@0a1b2c3d4e5f+vllm.float32"
    assert newest_of_generator(published(("old", None), ("of G", g), ("teacher's", "statistics@2"))) == "of G"
    assert newest_of_generator(published(("old", None), ("teacher's", "statistics@2"))) == "old"


def test_features_of_a_teacher_alone_are_bad_input():
    with pytest.raises(BadInputError, match="only a teacher's"):
        newest_of_generator(published(("teacher's", "statistics@2")))
