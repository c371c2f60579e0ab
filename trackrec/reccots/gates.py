"""What features must be before they are published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.reccots.coverage import Coverage
from trackrec.reccots.features import VECTORS
from trackrec.runtime.errors import QualityGateError
from trackrec.runtime.settings import QualitySettings

_NORM_TOLERANCE = 1e-3  # float32 sums over 384 numbers stay within 1e-6; encoders in half precision within 1e-3


class Passed(NamedTuple):
    """Rows that passed the gate, and its figures coverage and duplicate_share."""

    rows: int
    shares: dict[str, float]


def gate_vectors(
    vectors: DataFrame,
    expected: Coverage,
    vector_size: int,
    settings: QualitySettings,
    night: datetime | None = None,
    *,
    unpublished: DataFrame | None = None,
) -> Passed:
    """Check the rows of ``reccot_vectors`` as they are to be; QualityGateError names every check that failed.

    Finite, unit norm, ``vector_size`` floats, of the parts those that are there; source_max_time < as_of: of the
    ``unpublished`` rows alone, where these are given apart. Coverage = rows / histories ``expected``, both of the
    ``night`` where one is given, as good nights before would hide an empty one; share of the histories given up;
    duplicate share = rows that repeat another row's text.
    """
    faulty = (vectors if unpublished is None else unpublished).agg(
        *_vector_faults(VECTORS, vector_size),
        F.count_if(F.col("source_max_time") >= F.col("as_of")).alias("rows that saw an event at or after as_of"),
    )
    row = faulty.first()
    assert row is not None  # an aggregate without groups has one row
    counts, (rows, covered, texts) = row.asDict(), _figures(vectors, night)
    shares = {
        "coverage": covered / expected.histories if expected.histories else 1.0,
        "duplicate_share": 1 - texts / rows if rows else 0.0,
    }
    faults = [f"{count:,} {fault}" for fault, count in counts.items() if count]
    of_night = "" if night is None else f" of the night {night:%Y-%m-%d}"
    if shares["coverage"] < settings.min_coverage:
        faults.append(
            f"coverage {shares['coverage']:.3f} ({covered:,} of {expected.histories:,} histories{of_night}) "
            f"below quality.min_coverage {settings.min_coverage:g}"
        )
    if expected.given_up_share > settings.max_quarantine_share:
        faults.append(
            f"G gave up {expected.given_up:,} of {expected.histories:,} histories{of_night}, a share of "
            f"{expected.given_up_share:.3f} above quality.max_quarantine_share {settings.max_quarantine_share:g}"
        )
    if shares["duplicate_share"] > settings.max_duplicate_share:
        faults.append(
            f"share of repeated RecCoTs {shares['duplicate_share']:.3f} above "
            f"quality.max_duplicate_share {settings.max_duplicate_share:g}"
        )
    if faults:
        raise QualityGateError(f"reccot_vectors not published: {'; '.join(faults)}.", _remedy(expected, covered))
    return Passed(rows, shares)


def _figures(vectors: DataFrame, night: datetime | None) -> tuple[int, int, int]:
    """Numbers of rows, of those of the ``night`` (None: of all), and of distinct texts."""
    of_night = F.lit(True) if night is None else F.col("as_of") == F.lit(night)
    row = vectors.agg(F.count("*"), F.count_if(of_night), F.count_distinct("reccot")).first()
    assert row is not None  # an aggregate without groups has one row
    return row[0], row[1], row[2]


def _remedy(expected: Coverage, covered: int) -> str:
    """What helps: to run again only where a run would ask for something."""
    asked_again = expected.histories - expected.empty - expected.given_up - covered
    if asked_again > 0:
        return f"Run generate and encode again, which have {asked_again:,} histories to do, or change the gate."
    return (
        "A rerun asks for nothing: look at reccots.status and the quarantine table, mend the source, the prompt or the "
        "generator, or change the gate."
    )


def gate_item_vectors(vectors: DataFrame, vector_size: int) -> None:
    """Check the rows that are to be written as ``item_vectors``; QualityGateError names every check that failed.

    Finite, unit norm, ``vector_size`` floats. One pass.
    """
    row = vectors.agg(*_vector_faults(("item_vector",), vector_size)).first()
    assert row is not None  # an aggregate without groups has one row
    faults = [f"{count:,} {fault}" for fault, count in row.asDict().items() if count]
    if faults:
        raise QualityGateError(
            f"item_vectors not written: {'; '.join(faults)}.",
            "Set encoder.vector_size to what the encoder gives, or name another encoder.model.source.",
        )


def _vector_faults(columns: tuple[str, ...], vector_size: int) -> list[Column]:
    """How many rows have a faulty vector among ``columns``, a count for each fault, named after it.

    A vector that is NULL, a part that its RecCoT does not have, is not faulty.
    """
    checks: dict[str, Callable[[Column], Column]] = {
        "vectors of the wrong length": lambda v: F.size(v) != vector_size,
        "vectors with NaN or infinity": _not_finite,
        "vectors not of unit norm": lambda v: F.abs(_norm(v) - 1) > _NORM_TOLERANCE,
    }

    def any_of(faulty: Callable[[Column], Column]) -> Column:
        return reduce(or_, (F.col(name).isNotNull() & faulty(F.col(name)) for name in columns))

    return [F.count_if(any_of(faulty)).alias(fault) for fault, faulty in checks.items()]


def _not_finite(vector: Column) -> Column:
    return F.exists(vector, lambda x: F.isnan(x) | (F.abs(x) == float("inf")))


def _norm(vector: Column) -> Column:
    squares = F.aggregate(vector, F.lit(0.0), lambda total, x: total + x.cast("double") * x.cast("double"))
    return F.sqrt(squares)
