"""Every table of trackrec: columns, types, comments, keys and constraints, one file a part of the flow.

This package is the one source: tables are created and brought up to date (``ddl``, ``lake``, ``migration``), frames are
checked (``contract``) and ``docs/tables.md`` is written (``python -m trackrec.tables.schemas``) from it. It imports
neither pyspark nor deltalake, so that consumers and documentation can read it anywhere.
"""

from __future__ import annotations

from trackrec.tables.contract import Table
from trackrec.tables.schemas.external import INTERACTIONS, ITEMS, USERS
from trackrec.tables.schemas.feedback import MODEL_VERSIONS, PREFERENCES, REC_TUNING, TEACHER_RECCOTS, VALIDATIONS
from trackrec.tables.schemas.generated import GeneratedTables
from trackrec.tables.schemas.items import (
    DESCRIPTION_TEXTS,
    ITEM_DESCRIPTION_STAGING,
    ITEM_DESCRIPTIONS,
    ITEM_VECTORS,
)
from trackrec.tables.schemas.nights import ITEM_DIGESTS, LOG_DIGESTS, NIGHTS
from trackrec.tables.schemas.operations import (
    FEATURE_GAIN,
    FEATURE_PROJECTIONS,
    FORGOTTEN_USERS,
    GAIN_SLICES,
    LEASES,
    QUARANTINE,
    RUNS,
)
from trackrec.tables.schemas.pipeline import (
    PART_VECTORS,
    RECCOT_EMBEDDINGS,
    RECCOT_STAGING,
    RECCOT_TEXTS,
    RECCOT_VECTORS,
    RECCOTS,
    SAMPLES,
    USER_HISTORIES,
    VECTOR_SIZE,
)

__all__ = [
    "DESCRIPTION_TEXTS",
    "FEATURE_GAIN",
    "FEATURE_PROJECTIONS", "FORGOTTEN_USERS",
    "GAIN_SLICES",
    "INTERACTIONS",
    "ITEMS",
    "ITEM_DESCRIPTIONS",
    "ITEM_DESCRIPTION_STAGING",
    "ITEM_DIGESTS",
    "ITEM_VECTORS",
    "LEASES",
    "LOG_DIGESTS",
    "MODEL_VERSIONS",
    "NIGHTS",
    "PART_VECTORS",
    "PREFERENCES",
    "QUARANTINE",
    "RECCOTS",
    "RECCOT_EMBEDDINGS",
    "RECCOT_STAGING",
    "RECCOT_TEXTS",
    "RECCOT_VECTORS",
    "REC_TUNING",
    "RUNS",
    "SAMPLES",
    "TABLES",
    "TEACHER_RECCOTS",
    "USERS",
    "USER_HISTORIES",
    "VALIDATIONS",
    "VECTOR_SIZE",
    "GeneratedTables",
]  # fmt: skip

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        INTERACTIONS, ITEMS, USERS, SAMPLES, USER_HISTORIES, RECCOTS, RECCOT_STAGING, RECCOT_EMBEDDINGS,
        RECCOT_VECTORS, ITEM_VECTORS, ITEM_DESCRIPTIONS, ITEM_DESCRIPTION_STAGING, TEACHER_RECCOTS, VALIDATIONS,
        PREFERENCES, REC_TUNING, MODEL_VERSIONS, QUARANTINE, RUNS, NIGHTS, LOG_DIGESTS, ITEM_DIGESTS, LEASES,
        FORGOTTEN_USERS, FEATURE_GAIN, GAIN_SLICES, FEATURE_PROJECTIONS,
    )
}  # fmt: skip
