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

LEASES = Table(
    "leases",
    "The run that writes to this warehouse: one row while there is one.",
    (
        Column("name", "string", "what is held: warehouse"),
        Column("token", "string", "random, of this holding"),
        RUN,
        Column("job", "string", "the job's name"),
        Column("host", "string", "the machine of its driver"),
        Column("process", "bigint", "its process there"),
        Column("taken_time", "timestamp", "when it took the lease, UTC"),
        Column("heartbeat_time", "timestamp", "when it was last heard of, UTC"),
    ),
    key=("name",),
    writer="every job",
)

FORGOTTEN_USERS = Table(
    "forgotten_users",
    "Users who are to be forgotten: their events are read no more. Their ids stand in no table.",
    (Column("user_hash", "string", "sha256 of the user's id"), RUN, CREATED),
    key=("user_hash",),
    writer="jobs/forget_users.py",
)

FEATURE_GAIN = Table(
    "feature_gain",
    "What the features are worth: one row an arm, seed, backbone and run of the CTR job; floors have no seed.",
    (
        Column("run_id", "string", "the run of the CTR job"),
        Column(
            "arm",
            "string",
            "plain; controls: planted, permuted, tallies, teacher; reccot, item_description or a feature version; "
            "floors: item_mean, item_mean_user_share",
        ),
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
        Column("test_uauc", "double", "mean AUC within users on ctr_test, weighted by their rows", nullable=True),
        Column("test_uauc_unweighted", "double", "the same, each user counts once", nullable=True),
        Column("test_ece", "double", "calibration error on ctr_test, 10 bins of equal width", nullable=True),
        Column(
            "planted_worth",
            "double",
            "of arm planted: the AUC that the planted signal adds to the plain arm's own logit",
            nullable=True,
        ),
        Column("epoch", "int", "the epoch that was kept, 1 = first; NULL for floors", nullable=True),
        Column("settings", "string", "JSON of the settings under ctr that decide the figures", nullable=True),
        CREATED,
    ),
    key=("run_id", "arm", "seed", "backbone"),
    earlier_keys=(("run_id", "arm", "seed"),),
    writer="jobs/train_ctr.py",
)

_INTERVAL = "of the 95 % interval over users and seeds"

GAIN_SLICES = Table(
    "gain_slices",
    "Gains with their intervals, on all test rows and on parts of them: one row a slice, arm, backbone and run of the "
    "CTR job. Figures are means over seeds, NULL where reason says why there is none.",
    (
        Column("run_id", "string", "the run of the CTR job, as in feature_gain"),
        Column("backbone", "string", "the CTR model, e.g. DIN"),
        Column("arm", "string", "as in feature_gain; plain and floors have no row"),
        Column(
            "slice",
            "string",
            "all; items < 10 and < 50 events in the training rows; users < 20 and >= 100 events before the row; train "
            "10 % and so on: all test rows, fewer training rows; against permuted, against tallies: all test rows, "
            "that arm in plain's place",
        ),
        Column("rows", "bigint", "test rows of the slice"),
        Column("users", "bigint", "users with such a row"),
        Column("reference_auc", "double", "AUC of plain, or of the arm in its place", nullable=True),
        Column("arm_auc", "double", "AUC of the arm", nullable=True),
        Column("gain", "double", "arm_auc minus reference_auc", nullable=True),
        Column("low", "double", f"lower end {_INTERVAL}", nullable=True),
        Column("high", "double", f"upper end {_INTERVAL}", nullable=True),
        Column(
            "minimum_detectable",
            "double",
            "the smallest gain that this design would have shown with 80 % power; NULL with one seed",
            nullable=True,
        ),
        Column("uauc_gain", "double", "gain in mean AUC within users, each user counts once", nullable=True),
        Column("uauc_low", "double", f"lower end {_INTERVAL}", nullable=True),
        Column("uauc_high", "double", f"upper end {_INTERVAL}", nullable=True),
        Column("logloss_change", "double", "log-loss minus the reference's, nats; below 0 is better", nullable=True),
        Column("logloss_low", "double", f"lower end {_INTERVAL}", nullable=True),
        Column("logloss_high", "double", f"upper end {_INTERVAL}", nullable=True),
        Column("reason", "string", "why figures are NULL: no rows, one class only, one user only", nullable=True),
        CREATED,
    ),
    key=("run_id", "backbone", "arm", "slice"),
    writer="jobs/train_ctr.py",
)

FEATURE_PROJECTIONS = Table(
    "feature_projections",
    "How the CTR job whitened an arm's vectors: input = components · (vector − mean) / deviation. Fitted on the "
    "snapshots that training rows join; a model that serves such features needs the same.",
    (
        Column("run_id", "string", "the run of the CTR job, as in feature_gain"),
        Column("arm", "string", "as in feature_gain; all: the items' texts; controls drawn by seed have no row"),
        Column("vector", "string", "prompt, liked, avoided, outlook, reccot, item (its inputs are .3 times these), …"),
        Column("feature_version", "string", "the features used; NULL where none", nullable=True),
        Column("mean", "array<float>", "as long as the vector"),
        Column(
            "components", "array<array<float>>", "ctr.components orthonormal directions, each as long as the vector"
        ),
        Column("deviation", "array<float>", "standard deviation along each of them; infinite where there is none"),
        CREATED,
    ),
    key=("run_id", "arm", "vector"),
    writer="jobs/train_ctr.py",
)
