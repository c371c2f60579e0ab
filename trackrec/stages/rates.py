"""What a text of G took so far, out of the texts themselves and the ledger of the runs that wrote them."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.reccots.costs import Rates
from trackrec.reccots.feature_version import GeneratorIdentity
from trackrec.reccots.features import written_by
from trackrec.tables.warehouse import Warehouse


def measured_rates(tables: Warehouse, name: str, writer: GeneratorIdentity, stage: str) -> Rates:
    """Rates of ``writer``, by what table ``name`` has of it and by ``stage`` of the runs that wrote that."""
    texts = written_by(tables.read_or_empty(name), *writer)
    row = texts.agg(F.avg("prompt_tokens"), F.avg("output_tokens")).first()
    assert row is not None  # an aggregate without groups has one row
    runs = tables.read_or_empty("runs").join(texts.select("run_id").distinct(), "run_id", "left_semi")
    measured = {word: F.element_at("counts", f"{stage}_{word}") for word in ("seconds", "rows")}
    # Seconds are of runs that ended well, since there are any in the ledger; rows of others would make texts cheap.
    took = (
        runs.select(*[c.alias(w) for w, c in measured.items()])
        .where("seconds IS NOT NULL")
        .agg(F.sum("seconds"), F.sum("rows"))
        .first()
    )
    assert took is not None
    seconds, rows = took
    return Rates(row[0], row[1], seconds / rows if seconds and rows else None)
