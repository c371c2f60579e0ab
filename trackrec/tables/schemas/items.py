"""The tables about items: what consumers join by item_id."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import CREATED, RUN

CATALOGUE = "catalogue"  # text_source of what the team itself says of an item

ITEM_VECTORS = Table(
    "item_vectors",
    "What an item says of itself, encoded: one row an item, text_source and encoder_version, the present text's.",
    (
        Column("item_id", "string", "the item"),
        Column("item_key", "string", "sha256 of text_source and text: another text is another row"),
        Column("encoder_version", "string", "weights and tokenizer of the encoder, name@hash"),
        Column(
            "text_source",
            "string",
            "catalogue: the team's own words; else the generator_version that wrote the description",
        ),
        Column("text", "string", "title (year), attributes. description, as far as there are some"),
        Column("attributes", "array<string>", "the item's genres, categories, …, neutralised", nullable=True),
        Column("item_vector", "array<float>", "the text encoded, unit norm"),
        RUN,
        CREATED,
    ),
    key=("item_id", "item_key", "encoder_version"),
    writer="jobs/encode_items.py",
)
