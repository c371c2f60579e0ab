"""A teacher's RecCoTs are never taken for G's."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from trackrec.ctr.reccots import _newest_version
from trackrec.runtime.errors import BadInputError
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import StatisticsTeacher


def published(*rows):
    """reccot_vectors, one row a (feature_version, generator_version), each published later than the one before."""
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, len(rows) + 1)]
    columns = {"feature_version": [row[0] for row in rows], "created_time": pa.array(times, pa.timestamp("us", "UTC"))}
    return pa.table(columns | {"generator_version": pa.array([row[1] for row in rows], pa.string())})


def test_a_teacher_is_known_by_its_version():
    versions = [StatisticsTeacher.version, "llm@0a1b2c3d4e5f", "llm@0a1b2c3d4e5f+vllm.float32", None]
    assert [is_teacher(version) for version in versions] == [True, False, False, False]


def test_the_newest_features_are_those_of_g_though_a_teachers_are_newer():
    g = "llm@0a1b2c3d4e5f+vllm.float32"
    by_both = published(("old", None), ("teacher's", "statistics@2"), ("of G", g), ("its next", "statistics@4"))
    assert _newest_version(by_both, by_teacher=False) == "of G"
    assert _newest_version(by_both, by_teacher=True) == "its next"
    assert _newest_version(published(("old", None), ("its", "statistics@2")), by_teacher=False) == "old"


def test_features_of_a_teacher_alone_are_bad_input():
    with pytest.raises(BadInputError, match="no row written by an LLM"):
        _newest_version(published(("teacher's", "statistics@2")), by_teacher=False)
