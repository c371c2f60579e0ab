"""The tables of the feature pipeline: as-of histories, what G wrote about them, its vectors, what consumers join."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import (
    AS_OF,
    CREATED,
    PROMPT_KEY,
    ROW_KEY,
    RUN,
    SOURCE_MAX,
    TIME_ORDER,
    USER,
)
from trackrec.tables.schemas.generated import GeneratedTables, generated_columns

VECTOR_SIZE = 384  # floats of all-MiniLM-L6-v2, the default encoder

SAMPLES = Table(
    "samples",
    "Labelled events in their time window, each with the snapshot that was the newest at its time.",
    (
        USER,
        Column("item_id", "string", "the item"),
        Column("event_time", "timestamp", "when it happened, UTC"),
        Column("known_time", "timestamp", "when the system knew of it, UTC: never before event_time"),
        Column("label", "int", "1 liked, 0 not"),
        Column("window", "string", "alignment, ctr_train, ctr_validation or ctr_test, by event_time or by split"),
        Column("split", "string", "the log's own split, which the window follows; NULL: by event_time", nullable=True),
        Column("in_scope", "boolean", "whether RecCoTs are made for this user (histories.max_users)"),
        Column("as_of", "timestamp", "newest snapshot with as_of <= event_time; NULL: there is none", nullable=True),
        RUN,
        CREATED,
    ),
    key=("user_id", "item_id", "event_time"),
    writer="jobs/build_histories.py",
    checks=(
        ("label_binary", "label IN (0, 1)"),
        ("snapshot_not_later", "as_of IS NULL OR as_of <= event_time"),
        ("window_known", "window IN ('alignment', 'ctr_train', 'ctr_validation', 'ctr_test')"),
    ),
)

_COUNTED = "array<struct<attribute:string,liked:int,disliked:int>>"

USER_HISTORIES = Table(
    "user_histories",
    "As-of histories: what was known of a user strictly before as_of, and the prompt body made of it.",
    (
        USER,
        AS_OF,
        PROMPT_KEY,
        SOURCE_MAX,
        Column("policy", "string", "refresh policy: every_n_events or nightly"),
        Column("template_version", "string", "the prompt template, name@hash"),
        Column("n_events", "bigint", "events known before as_of"),
        Column("n_liked", "bigint", "of these, liked"),
        Column("liked", "array<string>", "titles of the newest liked items, oldest first"),
        Column("disliked", "array<string>", "titles of the newest items not liked, oldest first"),
        Column("tallies", _COUNTED, "per attribute, how often liked and not among the newest events"),
        Column("shown_events", "int", "the newest events, as tallies; NULL: a template without shares", nullable=True),
        Column("shown_liked", "int", "of these, liked", nullable=True),
        Column("above", _COUNTED, "attributes liked clearly more than all of these, clearest first", nullable=True),
        Column("below", _COUNTED, "attributes liked clearly less than all of these, clearest first", nullable=True),
        Column("prompt_body", "string", "the text that G is asked, before the tokenizer's chat template"),
        Column("revision", "bigint", "of a user's rows of one as_of and template the largest holds", nullable=True),
        RUN,
        CREATED,
    ),
    key=("user_id", "as_of", "prompt_key"),
    writer="jobs/build_histories.py",
    checks=(TIME_ORDER, ("counts", "n_liked >= 0 AND n_liked <= n_events")),
)

_RECCOT_COLUMNS = (ROW_KEY, USER, PROMPT_KEY, AS_OF, SOURCE_MAX, *generated_columns("RecCoT"))

RECCOTS = Table(
    "reccots",
    "What G, or a teacher in its place, wrote: exactly one text a row_key.",
    (*_RECCOT_COLUMNS, RUN, CREATED),
    key=("row_key",),
    writer="jobs/generate_reccot.py or jobs/publish_teacher.py",
    checks=(TIME_ORDER, ("status_known", "status IN ('ok', 'cut', 'empty')")),
)

RECCOT_STAGING = Table(
    "reccot_staging",
    "Write-ahead rows of G, good and failed alike, appended as each chunk ends.",
    (*_RECCOT_COLUMNS, RUN, CREATED),
    key=("row_key", "run_id"),
    writer="jobs/generate_reccot.py",
)

RECCOT_TEXTS = GeneratedTables(RECCOTS, RECCOT_STAGING, identity=("as_of", "source_max_time", "user_id"))

_PARTS = (
    Column("liked_vector", "array<float>", "of the RecCoT, what its user likes; NULL: it says nothing", nullable=True),
    Column("avoided_vector", "array<float>", "of it, what they avoid; NULL: it says nothing", nullable=True),
    Column("outlook_vector", "array<float>", "of it, what should suit them next; NULL: it says nothing", nullable=True),
)
PART_VECTORS = tuple(column.name for column in _PARTS)

RECCOT_EMBEDDINGS = Table(
    "reccot_embeddings",
    "Vectors of a RecCoT, of its parts, and of the facts that it was written from.",
    (
        ROW_KEY,
        Column(
            "encoder_version",
            "string",
            "weights and tokenizer of the encoder, and what texts it is given: name@hash+parts2",
        ),
        USER,
        PROMPT_KEY,
        AS_OF,
        SOURCE_MAX,
        Column("reccot_vector", "array<float>", f"the RecCoT encoded, {VECTOR_SIZE} floats of unit norm by default"),
        Column("prompt_vector", "array<float>", "the facts of the prompt encoded, tallies first; the same size"),
        *_PARTS,
        RUN,
        CREATED,
    ),
    key=("row_key", "encoder_version"),
    writer="jobs/encode_reccot.py",
    checks=(TIME_ORDER,),
)

RECCOT_VECTORS = Table(
    "reccot_vectors",
    "The features consumers join by user and time: newest as_of <= the time of the label.",
    (
        USER,
        AS_OF,
        Column("feature_version", "string", "hash of template, generator, sampling and encoder versions"),
        SOURCE_MAX,
        ROW_KEY,
        PROMPT_KEY,
        Column("status", "string", "ok, or cut: the model was stopped by max_tokens, whole sentences kept"),
        Column("reccot", "string", "the RecCoT in words"),
        Column("reccot_vector", "array<float>", "the RecCoT encoded, unit norm"),
        Column("prompt_vector", "array<float>", "the facts of the prompt encoded, tallies first; unit norm"),
        *_PARTS,
        Column("generator_version", "string", "who wrote the RecCoT: as in reccots", nullable=True),
        Column("template_version", "string", "the prompt template, name@hash", nullable=True),
        Column(
            "encoder_version", "string", "the encoder and what it was given: as in reccot_embeddings", nullable=True
        ),
        RUN,
        CREATED,
    ),
    key=("user_id", "as_of", "feature_version"),
    writer="jobs/publish_features.py",
    checks=(TIME_ORDER, ("status_published", "status IN ('ok', 'cut')")),
)
