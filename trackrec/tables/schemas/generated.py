"""The tables of a kind of text that G writes: what it wrote, and the write-ahead rows of that."""

from __future__ import annotations

from dataclasses import dataclass

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import GENERATOR


@dataclass(frozen=True)
class GeneratedTables:
    """``texts`` has exactly one text a row_key; ``staging`` good and failed rows alike, one an attempt.

    ``identity``: the columns that say what a text is about. A request has them beside its prompt_key, and its rows
    repeat them; of equal prompts the one with the smallest identity, column by column, is the request.
    """

    texts: Table
    staging: Table
    identity: tuple[str, ...]

    @property
    def written(self) -> Table:
        """A row as it leaves G: ``staging`` without run_id and created_time."""
        return self.staging.without_stamp


# Of a row without a text: what its columns hold in the place of one.
FAILED = {"status": "failed", "text": "", "raw_text": "", "output_tokens": 0, "finish_reason": "error"}


def generated_columns(noun: str) -> tuple[Column, ...]:
    """The columns that every row of G has behind those that say what it is about; ``noun``: what its text is called."""
    return (
        GENERATOR,
        Column("sampling", "string", "sampling parameters as canonical JSON"),
        Column("sample_number", "int", "which of the n samples of one request"),
        Column("seed", "bigint", "the request's seed; sample i was drawn with seed + i"),
        Column("status", "string", "ok, cut (ended by max_tokens: text is its whole sentences), empty or failed"),
        Column("text", "string", f"the {noun}; empty when status is empty or failed"),
        Column("raw_text", "string", "what the model wrote, unchanged"),
        Column("prompt_tokens", "int", "tokens of the prompt, chat template included"),
        Column("output_tokens", "int", "tokens generated"),
        Column("finish_reason", "string", "stop, length or error"),
        Column("latency_ms", "double", "from submitting the request to its last token, milliseconds"),
        Column("engine", "string", "vllm, transformers or scripted; teacher: no model wrote it"),
        Column("engine_id", "string", "the engine's start, host:process@UTC; a run has as many as it started engines"),
        Column("error", "string", "what failed, with the remedy", nullable=True),
        Column("error_kind", "string", "transient (tried again) or permanent (quarantined)", nullable=True),
    )
