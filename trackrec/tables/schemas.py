"""Every table of trackrec: columns, types, comments, keys and constraints.

This file is the one source: DDL, CHECK constraints, validation (``contract``) and ``docs/tables.md`` (``python -m
trackrec.tables.schemas``) all come from here. It imports neither pyspark nor deltalake, so that consumers and
documentation can read it anywhere.
"""

from __future__ import annotations

from trackrec.tables.columns import (
    AS_OF,
    CREATED,
    GENERATOR,
    PROMPT_KEY,
    ROW_KEY,
    RUN,
    SOURCE_MAX,
    TIME_ORDER,
    USER,
)  # fmt: skip
from trackrec.tables.contract import Column, Table
from trackrec.tables.feedback_schemas import MODEL_VERSIONS, PREFERENCES, REC_TUNING, TEACHER_RECCOTS, VALIDATIONS

VECTOR_SIZE = 384  # floats of all-MiniLM-L6-v2, the default encoder

INTERACTIONS = Table(
    "interactions",
    "What users did: the team's own log, one row an event.",
    (
        Column("user_id", "string", "the user"),
        Column("item_id", "string", "the item"),
        Column("event_time", "timestamp", "when it happened, UTC"),
        Column("rating", "double", "a graded answer; becomes the label by source.like_threshold", nullable=True),
        Column("label", "int", "1 liked, 0 not; given instead of, or besides, the rating", nullable=True),
        Column("available_time", "timestamp", "when the system learned of it; missing: at event_time", nullable=True),
    ),
    key=("user_id", "item_id", "event_time"),
    writer="the team",
    external=True,
)

ITEMS = Table(
    "items",
    "What can be recommended: the team's own catalogue.",
    (
        Column("item_id", "string", "the item"),
        Column("title", "string", "its name, untrusted text", nullable=True),
        Column("attributes", "array<string>", "genres, categories, brands, …", nullable=True),
    ),
    key=("item_id",),
    writer="the team",
    external=True,
)

USERS = Table(
    "users",
    "Optional: who the users are.",
    (Column("user_id", "string", "the user"), Column("profile", "string", "free text about the user", nullable=True)),
    key=("user_id",),
    writer="the team",
    external=True,
)

SAMPLES = Table(
    "samples",
    "Labelled events in their time window, each with the snapshot that was the newest at its time.",
    (
        USER,
        Column("item_id", "string", "the item"),
        Column("event_time", "timestamp", "when it happened, UTC"),
        Column("known_time", "timestamp", "when the system knew of it, UTC: never before event_time"),
        Column("label", "int", "1 liked, 0 not"),
        Column("window", "string", "alignment, ctr_train, ctr_validation or ctr_test, by event_time"),
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
        Column(
            "tallies",
            "array<struct<attribute:string,liked:int,disliked:int>>",
            "per attribute, how often liked and not among the newest events",
        ),
        Column("prompt_body", "string", "the text that G is asked, before the tokenizer's chat template"),
        RUN,
        CREATED,
    ),
    key=("user_id", "as_of", "prompt_key"),
    writer="jobs/build_histories.py",
    checks=(TIME_ORDER, ("counts", "n_liked >= 0 AND n_liked <= n_events")),
)

_RECCOT_COLUMNS = (
    ROW_KEY,
    USER,
    PROMPT_KEY,
    AS_OF,
    SOURCE_MAX,
    GENERATOR,
    Column("sampling", "string", "sampling parameters as canonical JSON"),
    Column("sample_number", "int", "which of the n samples of one request"),
    Column("seed", "bigint", "the request's seed; sample i was drawn with seed + i"),
    Column("status", "string", "ok, cut (ended by max_tokens: text is its whole sentences), empty or failed"),
    Column("text", "string", "the RecCoT; empty when status is empty or failed"),
    Column("raw_text", "string", "what the model wrote, unchanged"),
    Column("prompt_tokens", "int", "tokens of the prompt, chat template included"),
    Column("output_tokens", "int", "tokens generated"),
    Column("finish_reason", "string", "stop, length or error"),
    Column("latency_ms", "double", "from submitting the request to its last token, milliseconds"),
    Column("engine", "string", "vllm, transformers or scripted"),
    Column("engine_id", "string", "the engine's start, host:process@UTC; a run has as many as it started engines"),
    Column("error", "string", "what failed, with the remedy", nullable=True),
    Column("error_kind", "string", "transient (tried again) or permanent (quarantined)", nullable=True),
)

RECCOTS = Table(
    "reccots",
    "What G wrote: exactly one text a row_key.",
    (*_RECCOT_COLUMNS, RUN, CREATED),
    key=("row_key",),
    writer="jobs/generate_reccot.py",
    checks=(TIME_ORDER, ("status_known", "status IN ('ok', 'cut', 'empty')")),
)

RECCOT_STAGING = Table(
    "reccot_staging",
    "Write-ahead rows of G, good and failed alike, appended as each chunk ends.",
    (*_RECCOT_COLUMNS, RUN, CREATED),
    key=("row_key", "run_id"),
    writer="jobs/generate_reccot.py",
)

RECCOT_EMBEDDINGS = Table(
    "reccot_embeddings",
    "Vectors of a RecCoT and of the prompt it came from.",
    (
        ROW_KEY,
        Column("encoder_version", "string", "weights and tokenizer of the encoder, name@hash"),
        USER,
        PROMPT_KEY,
        AS_OF,
        SOURCE_MAX,
        Column("reccot_vector", "array<float>", f"the RecCoT encoded, {VECTOR_SIZE} floats of unit norm by default"),
        Column("prompt_vector", "array<float>", "the prompt body encoded, the same size"),
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
        Column("prompt_vector", "array<float>", "the prompt encoded, unit norm"),
        RUN,
        CREATED,
    ),
    key=("user_id", "as_of", "feature_version"),
    writer="jobs/publish_features.py",
    checks=(TIME_ORDER, ("status_published", "status IN ('ok', 'cut')")),
)

QUARANTINE = Table(
    "quarantine",
    "Rows that were set aside, with the reason; the job went on without them.",
    (
        Column("fault_key", "string", "sha256 of table, reason and row"),
        Column("source_table", "string", "where the row stood"),
        Column("reason", "string", "why it was set aside, a short constant such as null_user_id"),
        Column("user_id", "string", "whose row it is, where known", nullable=True),
        Column("row", "string", "the row as JSON, cut at 2,000 characters"),
        RUN,
        CREATED,
    ),
    key=("fault_key",),
    writer="every job that reads rows",
)

RUNS = Table(
    "runs",
    "The run ledger: one row a finished job.",
    (
        RUN,
        Column("job", "string", "the job's name"),
        Column("status", "string", "done, quality_gate, bad_input or failed"),
        Column("counts", "map<string,double>", "rows, rows_per_s, tokens, unchanged, quarantined, …"),
        Column("config_hash", "string", "sha256 of the settings in force"),
        Column("started_time", "timestamp", "when the job began, UTC"),
        CREATED,
    ),
    key=("run_id", "job"),
    writer="every job",
)

FEATURE_GAIN = Table(
    "feature_gain",
    "What the features are worth: one row an arm, seed and run of the CTR job; floors have no seed.",
    (
        Column("run_id", "string", "the run of the CTR job"),
        Column("arm", "string", "plain, random_vector, two_numbers, reccot; floors: item_mean, item_mean_user_share"),
        Column("seed", "int", "seed of the arm, paired across arms; NULL for floors", nullable=True),
        Column("feature_version", "string", "the features used; NULL where none", nullable=True),
        Column("backbone", "string", "the CTR model, e.g. DIN; floor for a floor"),
        Column("test_auc", "double", "AUC on ctr_test, read once"),
        Column("test_logloss", "double", "mean negative log-likelihood on ctr_test, nats"),
        Column("validation_auc", "double", "AUC on ctr_validation at the chosen epoch"),
        Column("auc_gain", "double", "test_auc minus the plain arm's of the same seed; NULL for floors", nullable=True),
        Column("train_rows", "bigint", "rows fitted"),
        Column("test_rows", "bigint", "rows tested"),
        Column("coverage", "double", "share of test rows with a feature vector"),
        Column("created_time", "timestamp", "when the row was written, UTC"),
    ),
    key=("run_id", "arm", "seed"),
    writer="jobs/train_ctr.py",
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        INTERACTIONS, ITEMS, USERS, SAMPLES, USER_HISTORIES, RECCOTS, RECCOT_STAGING, RECCOT_EMBEDDINGS,
        RECCOT_VECTORS, TEACHER_RECCOTS, VALIDATIONS, PREFERENCES, REC_TUNING, MODEL_VERSIONS, QUARANTINE, RUNS,
        FEATURE_GAIN,
    )
}  # fmt: skip


def markdown() -> str:
    """docs/tables.md: every table with its key, writer, columns and constraints."""
    lines = ["# Tables", "", "Generated from `trackrec/tables/schemas.py` by `make docs`; a test keeps it fresh.", ""]
    for table in TABLES.values():
        kind = "read, never written" if table.external else f"written by {table.writer}"
        lines += [f"## {table.name}", "", table.comment, "", f"Key: `{', '.join(table.key)}` · {kind}", ""]
        lines += ["| column | type | null | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {c.name} | `{c.type}` | {'yes' if c.nullable else 'no'} | {c.comment.replace('|', chr(92) + '|')} |"
            for c in table.columns
        ]
        lines += [f"\nConstraint `{name}`: `{sql}`" for name, sql in table.checks]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
