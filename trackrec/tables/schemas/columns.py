"""Columns that several tables share, each said once."""

from __future__ import annotations

from trackrec.tables.contract import Column

USER = Column("user_id", "string", "whose row this is; a deletion request removes every row by it")
RUN = Column("run_id", "string", "the run that wrote the row")
CREATED = Column("created_time", "timestamp", "when the row was written, UTC")
AS_OF = Column("as_of", "timestamp", "the clock of the snapshot, UTC: only what was known strictly before it is in")
SOURCE_MAX = Column("source_max_time", "timestamp", "time of the newest event used, UTC; strictly before as_of")
PROMPT_KEY = Column("prompt_key", "string", "sha256 of user_id, template version and prompt body")
ROW_KEY = Column("row_key", "string", "sha256 of prompt_key, generator version, sampling parameters, sample number")
GENERATOR = Column(
    "generator_version",
    "string",
    "weights, adapter, tokenizer and chat template of G, and what computes it: name@hash+engine.dtype; or a teacher's",
)
TIME_ORDER = ("time_order", "source_max_time < as_of")
VALIDATOR = Column(
    "validator_version",
    "string",
    "weights of V, what computes it and its prompt: name@hash+engine.dtype+validator@hash",
)
