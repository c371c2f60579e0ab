"""What is checked before features are published, the vectors of a RecCoT's parts among it."""

from datetime import UTC, datetime

import pytest

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
    return gate_vectors(spark.createDataFrame(values, SCHEMA), len(rows), 2, QualitySettings())


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
