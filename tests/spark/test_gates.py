"""What is checked before features are published, the vectors of a RecCoT's parts among it."""

from datetime import UTC, datetime

import pytest

from trackrec.reccots.coverage import Coverage, coverage_of
from trackrec.reccots.features import VECTORS
from trackrec.reccots.gates import gate_vectors
from trackrec.runtime.errors import QualityGateError
from trackrec.runtime.settings import QualitySettings

pytestmark = pytest.mark.spark

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
SCHEMA = ", ".join(
    ["reccot string", "as_of timestamp", "source_max_time timestamp", *(f"{v} array<float>" for v in VECTORS)]
)
UNIT = [0.6, 0.8]


def checked(spark, *rows):
    """The gate's figures for one row a mapping of what differs from a good one without any part."""
    good = {"reccot_vector": UNIT, "prompt_vector": UNIT}
    values = [
        (f"text {i}", NOON, NOON.replace(hour=11), *((good | row).get(name) for name in VECTORS))
        for i, row in enumerate(rows)
    ]
    expected = Coverage(len(rows), len(rows), 0, 0)
    return gate_vectors(spark.createDataFrame(values, SCHEMA), expected, 2, QualitySettings()).shares


def test_a_reccot_without_some_part_is_published(spark):
    assert checked(spark, {}, {"liked_vector": UNIT}) == {"coverage": 1.0, "duplicate_share": 0.0}


@pytest.mark.parametrize("part", VECTORS)
@pytest.mark.parametrize(
    ("vector", "fault"),
    [
        ([1.0], "1 vectors of the wrong length"),
        ([1.0, 0.5], "1 vectors not of unit norm"),
        ([1.0, float("nan")], "1 vectors with NaN or infinity"),
    ],
)
def test_a_faulty_vector_is_named_whichever_it_is(spark, part, vector, fault):
    with pytest.raises(QualityGateError, match=fault):
        checked(spark, {"liked_vector": UNIT, part: vector}, {"avoided_vector": UNIT})


def vectors_of(spark, *nights: int):
    """Good rows, one each night of January."""
    rows = [
        (f"text {i}", NOON.replace(day=day), NOON.replace(hour=11), UNIT, UNIT, None, None, None)
        for i, day in enumerate(nights)
    ]
    return spark.createDataFrame(rows, SCHEMA)


def test_good_nights_do_not_hide_an_empty_one(spark):
    vectors, night = vectors_of(spark, *range(1, 30)), NOON.replace(day=30)
    with pytest.raises(QualityGateError, match=r"coverage 0.000 \(0 of 3 histories of the night 2024-01-30\)"):
        gate_vectors(vectors, Coverage(3, 0, 0, 0), 2, QualitySettings(), night)


def test_a_night_in_which_no_user_changed_is_whole(spark):
    vectors, night = vectors_of(spark, 1), NOON.replace(day=2)
    assert gate_vectors(vectors, Coverage(0, 0, 0, 0), 2, QualitySettings(), night).shares["coverage"] == 1


@pytest.mark.parametrize(
    ("expected", "remedy"),
    [
        (Coverage(10, 1, 4, 0), "Run generate and encode again, which have 5 histories to do"),
        (Coverage(10, 1, 4, 5), "A rerun asks for nothing"),
    ],
)
def test_a_rerun_is_advised_only_where_it_would_ask_for_something(spark, expected, remedy):
    with pytest.raises(QualityGateError, match=remedy):
        gate_vectors(vectors_of(spark, 1), expected, 2, QualitySettings())


def test_more_histories_given_up_than_may_be_quarantined_are_named(spark):
    settings = QualitySettings(min_coverage=0, max_quarantine_share=0.2)
    with pytest.raises(QualityGateError, match=r"G gave up 3 of 10 histories, a share of 0.300"):
        gate_vectors(vectors_of(spark, 1), Coverage(10, 7, 0, 3), 2, settings)


def test_histories_are_counted_by_what_became_of_them(spark):
    histories = spark.createDataFrame(
        [("ok",), ("cut",), ("empty",), ("fault",), ("late",), ("new",)], "prompt_key string"
    )
    reccots = [("ok", "ok"), ("cut", "cut"), ("empty", "empty"), ("late", "ok"), ("other", "ok")]
    faults = [("fault",), ("fault",), ("late",), ("another",)]
    assert coverage_of(
        histories,
        spark.createDataFrame(reccots, "prompt_key string, status string"),
        spark.createDataFrame(faults, "prompt_key string"),
    ) == Coverage(histories=6, served=3, empty=1, given_up=1)
