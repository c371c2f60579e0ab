"""The tables about items: what consumers join by item_id."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import CREATED, ROW_KEY, RUN
from trackrec.tables.schemas.generated import GeneratedTables, generated_columns

CATALOGUE = "catalogue"  # text_source of what the team itself says of an item

_ITEM = Column("item_id", "string", "the item")

ITEM_VECTORS = Table(
    "item_vectors",
    "What an item says of itself, encoded: one row an item, text_source and encoder_version, the present text's.",
    (
        _ITEM,
        Column("item_key", "string", "sha256 of text_source and text: another text is another row"),
        Column("encoder_version", "string", "weights and tokenizer of the encoder, name@hash"),
        Column(
            "text_source",
            "string",
            "catalogue: the team's own words; else the generator_version that wrote the description",
        ),
        Column(
            "text",
            "string",
            "title (year), attributes. description, as far as there are some; or the generator's description",
        ),
        Column("attributes", "array<string>", "the item's genres, categories, …, neutralised", nullable=True),
        Column("item_vector", "array<float>", "the text encoded, unit norm"),
        RUN,
        CREATED,
    ),
    key=("item_id", "item_key", "encoder_version"),
    writer="jobs/encode_items.py",
)

_DESCRIPTION_COLUMNS = (
    ROW_KEY,
    _ITEM,
    Column("item_key", "string", "sha256 of the catalogue's text about the item, as in item_vectors"),
    Column("prompt_key", "string", "sha256 of item_id, template version and prompt body"),
    Column("template_version", "string", "the prompt template, name@hash"),
    *generated_columns("description"),
)

ITEM_DESCRIPTIONS = Table(
    "item_descriptions",
    "What G wrote about items, one text a row_key: what it knows of them and the log does not.",
    (*_DESCRIPTION_COLUMNS, RUN, CREATED),
    key=("row_key",),
    writer="jobs/describe_items.py",
    checks=(("status_known", "status IN ('ok', 'cut', 'empty')"),),
)

ITEM_DESCRIPTION_STAGING = Table(
    "item_description_staging",
    "Write-ahead rows of G about items, good and failed alike, appended as each chunk ends.",
    (*_DESCRIPTION_COLUMNS, RUN, CREATED),
    key=("row_key", "run_id"),
    writer="jobs/describe_items.py",
)

DESCRIPTION_TEXTS = GeneratedTables(
    ITEM_DESCRIPTIONS, ITEM_DESCRIPTION_STAGING, identity=("item_id", "item_key", "template_version")
)
