"""The tables that say how runs went: the ledger, rows that were set aside, what the features are worth."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import CREATED, RUN

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
    writer="jobs/build_histories.py, generate_reccot.py, validate_reccot.py or distill_generator.py",
)

RUNS = Table(
    "runs",
    "The run ledger: one row a finished job.",
    (
        RUN,
        Column("job", "string", "the job's name"),
        Column("status", "string", "done, quality_gate, bad_input or failed"),
        Column(
            "counts",
            "map<string,double>",
            "counts of each stage as <stage>_<count>, e.g. generate_rows, and its figures",
        ),
        Column("config_hash", "string", "sha256 of the settings in force"),
        Column("started_time", "timestamp", "when the job began, UTC"),
        CREATED,
    ),
    key=("run_id", "job"),
    writer="every job",
)

FEATURE_GAIN = Table(
    "feature_gain",
    "What the features are worth: one row an arm, seed, backbone and run of the CTR job; floors have no seed.",
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
    key=("run_id", "arm", "seed", "backbone"),
    earlier_keys=(("run_id", "arm", "seed"),),
    writer="jobs/train_ctr.py",
)
