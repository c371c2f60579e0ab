"""The CTR job over real Delta tables, from its flags to the rows it appends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.train_ctr import main
from trackrec.report.__main__ import main as report_main
from trackrec.tables.schemas import FEATURE_GAIN

ROOT = Path(__file__).parents[2]

TIME = pa.timestamp("us", tz="UTC")
USERS, EVENTS, SIZE = 12, 20, 8  # windows by event number: 0-9, 10-14, 15-16, 17-19
WINDOWS = ["alignment"] * 10 + ["ctr_train"] * 5 + ["ctr_validation"] * 2 + ["ctr_test"] * 3
CONF = """
warehouse: {warehouse}
generator: {{model: {{source: "path:none"}}}}
encoder: {{model: {{source: "path:none"}}}}
ctr: {{item_texts: false, seeds: [1, 2], history: 4, hidden_units: [8], embedding_dim: 4, epochs: 2, batch_size: 32,
  components: 2, threads: 1}}
"""


def instants(seconds):
    return pa.array(np.asarray(seconds, dtype=np.int64) * 1_000_000).cast(TIME)


def samples_table(change=lambda window, label: label, known=lambda seconds: seconds):
    user = np.repeat(np.arange(USERS), EVENTS)
    number = np.tile(np.arange(EVENTS), USERS)
    label = np.random.default_rng(0).integers(0, 2, len(user))
    window = np.array(WINDOWS)[number]
    seconds = number * 100 + user
    return pa.table(
        {
            "user_id": [f"u{u}" for u in user],
            "item_id": [f"i{(u * 7 + n * 3) % 15}" for u, n in zip(user, number, strict=True)],
            "event_time": instants(seconds),
            "known_time": instants(known(seconds)),
            "label": pa.array(change(window, label), type=pa.int32()),
            "window": window,
            "in_scope": user < 8,
            "as_of": instants(seconds),
        }
    )


def snapshot_tables():
    user = np.repeat(np.arange(7), 2)  # of the eight users in scope one has no snapshot
    as_of = instants(np.tile([950, 1650], 7))
    keys = {"user_id": [f"u{u}" for u in user], "as_of": as_of}
    vectors = np.random.default_rng(1).standard_normal((2, len(user), SIZE)).astype(np.float32)
    prompt, reccot = (pa.array(list(v), type=pa.list_(pa.float32())) for v in vectors)
    tallies = [[{"attribute": "Drama", "liked": n % 7, "disliked": 9 - n % 7}] for n in range(14)]
    counts = {"n_events": np.arange(14) + 9, "n_liked": np.arange(14) % 7, "tallies": tallies}
    histories = pa.table({**keys, **counts, "template_version": ["t@1"] * 14, "created_time": as_of})
    published = {"feature_version": ["v1"] * 14, "created_time": as_of}
    return histories, pa.table({**keys, **published, "prompt_vector": prompt, "reccot_vector": reccot})


@pytest.fixture
def warehouse(tmp_path):
    histories, vectors = snapshot_tables()
    write_deltalake(tmp_path / "wh" / "samples", samples_table())
    write_deltalake(tmp_path / "wh" / "user_histories", histories)
    write_deltalake(tmp_path / "wh" / "reccot_vectors", vectors)
    (tmp_path / "conf.yaml").write_text(CONF.format(warehouse=tmp_path / "wh"))
    return tmp_path / "wh"


def run(warehouse, *overrides, run_id=None):
    flags = [flag for override in overrides for flag in ("--set", override)]
    flags += ["--run-id", run_id] if run_id else []
    return main(["--conf", str(warehouse.parent / "conf.yaml"), *flags])


def gained(warehouse):
    return DeltaTable(warehouse / "feature_gain").to_pyarrow_table().to_pylist()


def test_every_arm_seed_and_floor_becomes_a_row_and_a_line(warehouse, capsys):
    assert run(warehouse) == 0
    rows = gained(warehouse)
    arms = ["plain", "planted", "permuted", "tallies", "facts", "reccot"]
    expected = {(arm, seed) for arm in arms for seed in (1, 2)} | {("item_mean", None), ("item_mean_user_share", None)}
    assert len(rows) == len(expected)
    assert {(row["arm"], row["seed"]) for row in rows} == expected
    plain = {row["seed"]: row["test_auc"] for row in rows if row["arm"] == "plain"}
    for row in rows:
        floor = row["seed"] is None
        assert row["auc_gain"] == (None if floor else row["test_auc"] - plain[row["seed"]])
        assert (row["backbone"], row["train_rows"], row["test_rows"]) == ("floor" if floor else "DIN", 60, 24)
        assert row["coverage"] == (0 if floor or row["arm"] == "plain" else 7 / 8)
        assert row["feature_version"] == ("v1" if row["arm"] in ("facts", "reccot") else None)
        assert (row["planted_worth"] is not None) == (row["arm"] == "planted")
    out = capsys.readouterr().out
    for arm in (*arms, "item_mean", "item_mean_user_share"):
        assert re.search(rf"^{arm} +0\.\d{{4}}", out, re.MULTILINE), arm
    assert "train 60 rows of all users; validation 24 rows of all users; test 24 rows of 8 users in scope" in out
    assert out.count("validation AUC") == 12  # one progress line an arm and seed


def test_several_processes_measure_the_same_to_the_bit(warehouse, capsys):
    for run_id, processes in (("one", 1), ("two", 2)):
        assert run(warehouse, f"ctr.processes={processes}", "ctr.learning_curve=[0.5]", run_id=run_id) == 0
        assert capsys.readouterr().out.count("validation AUC") == 12 + 6  # the curve has plain, permuted and reccot
    measured = [
        [{name: row[name] for name in row if name not in ("run_id", "created_time")} for row in rows]
        for run_id in ("one", "two")
        for rows in ([row for row in gained(warehouse) if row["run_id"] == run_id],)
    ]
    by_fit = [sorted(rows, key=lambda row: (row["arm"], row["seed"] or 0)) for rows in measured]
    assert len(by_fit[0]) == 14
    assert by_fit[0] == by_fit[1]


def test_the_learning_curve_measures_what_is_under_test_and_other_users_reccots(warehouse):
    assert run(warehouse, "ctr.arms=[plain,tallies,permuted,reccot]", "ctr.learning_curve=[0.5]", "ctr.seeds=[1]") == 0
    slices = DeltaTable(warehouse / "gain_slices").to_pyarrow_table().to_pylist()
    of_curve = [(row["arm"], row["slice"]) for row in slices if "train" in row["slice"]]
    assert of_curve == [("permuted", "train 50 %"), ("reccot", "train 50 %")]


def test_how_vectors_were_whitened_stays_with_the_run(warehouse):
    assert run(warehouse, "ctr.arms=[plain,planted,permuted,reccot]", "ctr.seeds=[1]", run_id="r1") == 0
    rows = DeltaTable(warehouse / "feature_projections").to_pyarrow_table().to_pylist()
    assert {(row["run_id"], row["arm"], row["vector"]) for row in rows} == {
        ("r1", "reccot", "prompt"),
        ("r1", "reccot", "reccot"),
    }
    (of_reccot,) = (row for row in rows if row["vector"] == "reccot")
    _, published = snapshot_tables()
    vectors = np.array(published["reccot_vector"].to_pylist(), dtype=np.float32)
    inputs = (vectors - of_reccot["mean"]) @ np.array(of_reccot["components"]).T / of_reccot["deviation"]
    assert np.allclose(inputs[::2].mean(axis=0), 0, atol=1e-4)  # training rows join the first snapshot of each user
    assert np.allclose(inputs[::2].std(axis=0, ddof=1), 1, atol=1e-4)


def test_the_intervals_of_all_rows_and_of_slices_become_rows(warehouse):
    assert run(warehouse, "ctr.arms=[plain,reccot]", run_id="r1") == 0
    rows = {row["slice"]: row for row in DeltaTable(warehouse / "gain_slices").to_pyarrow_table().to_pylist()}
    assert list(rows) == ["all", "items < 10", "items < 50", "users < 20", "users >= 100"]
    gains = [row["auc_gain"] for row in gained(warehouse) if row["arm"] == "reccot"]
    whole = rows["all"]
    assert (whole["run_id"], whole["backbone"], whole["arm"], whole["reason"]) == ("r1", "DIN", "reccot", None)
    assert (whole["rows"], whole["users"], whole["gain"]) == (24, 8, pytest.approx(np.mean(gains)))
    assert whole["low"] < whole["gain"] < whole["high"]
    assert whole["minimum_detectable"] > 0
    assert (rows["items < 50"]["gain"], rows["users < 20"]["rows"]) == (whole["gain"], 24)  # 60 rows train, 20 a user
    nobody = rows["users >= 100"]
    assert (nobody["rows"], nobody["reason"]) == (0, "no rows")
    assert {nobody[name] for name in ("reference_auc", "gain", "low", "high", "logloss_change")} == {None}


def test_the_report_prints_the_stored_gains_and_plots_them_again(warehouse, capsys):
    assert run(warehouse, "ctr.arms=[plain,reccot]", "ctr.epochs=1", run_id="r1") == 0
    printed = capsys.readouterr().out.split("\n\n", 1)[1].splitlines()
    plots = [warehouse / "plots" / name for name in ("gain.png", "gain.svg")]
    drawn = [plot.read_bytes() for plot in plots]
    for plot in plots:
        plot.unlink()
    assert report_main(["gain", "--conf", str(warehouse.parent / "conf.yaml")]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[0] == "DIN, 2 seeds, features v1"
    assert again[1].startswith("train 60 rows, test 24 rows; run r1 of 20")
    assert [line for line in again if line][2:] == [line for line in printed if line][2:]
    assert [plot.read_bytes() for plot in plots] == drawn


def test_the_report_shows_the_newest_run_with_its_floors(warehouse, capsys):
    small = ("ctr.arms=[plain,reccot]", "ctr.epochs=1")
    assert run(warehouse, "ctr.seeds=[1,2]", *small, run_id="r1") == 0
    assert run(warehouse, "ctr.seeds=[3]", *small, run_id="r2") == 0
    capsys.readouterr()
    assert report_main(["gain", "--conf", str(warehouse.parent / "conf.yaml")]) == 0
    out = capsys.readouterr().out
    assert "DIN, 1 seed, features" in out
    assert "run r2 of" in out
    assert "r1" not in out


def test_the_report_says_in_what_the_runs_of_two_backbones_differ(warehouse, capsys):
    small = ("ctr.arms=[plain,reccot]", "ctr.epochs=1")
    assert run(warehouse, *small, "ctr.seeds=[1]", "ctr.backbone=DCNv2", "ctr.train_users=in_scope", run_id="r1") == 0
    assert run(warehouse, *small, run_id="r2") == 0
    capsys.readouterr()
    conf = warehouse.parent / "conf.yaml"
    assert report_main(["gain", "--conf", str(conf), "--set", "ctr.further_backbones=[DCNv2]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [line for line in lines if re.match(r"(DIN|DCNv2), \d seed|another run", line)]
    assert heads == [
        "DIN, 2 seeds, features v1",
        "another run than the other backbones': train_users all, seeds 1 2, training rows 60",
        "DCNv2, 1 seed, features v1",
        "another run than the other backbones': train_users in_scope, seeds 1, training rows 40",
    ]


def test_backbones_of_one_run_are_shown_in_the_order_of_the_settings_and_do_not_differ(warehouse, capsys):
    small = ("ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1", "ctr.backbone=FinalMLP")
    assert run(warehouse, *small, "ctr.further_backbones=[DIN,DCNv2]") == 0
    capsys.readouterr()
    order = ["--set", "ctr.backbone=FinalMLP", "--set", "ctr.further_backbones=[DIN]"]
    assert report_main(["gain", "--conf", str(warehouse.parent / "conf.yaml"), *order]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^(\w+), 1 seed", out, re.MULTILINE) == ["FinalMLP", "DIN", "DCNv2"]
    assert "another run" not in out


def test_the_kept_epoch_and_the_settings_stand_beside_the_figures(warehouse, capsys):
    assert run(warehouse, "ctr.arms=[plain,reccot]", "ctr.epochs=1", "ctr.learning_curve=[0.5]") == 0
    rows = gained(warehouse)
    assert [row["epoch"] for row in rows] == [1 if row["seed"] else None for row in rows]
    assert {json.loads(row["settings"])["epochs"] for row in rows} == {1}
    out = capsys.readouterr().out
    assert out.count("4 of 4 fits were ended by ctr.epochs (1), where they may still have been learning: raise it") == 2
    assert "train_ctr  trained on 50 %: 4 of 4 fits were ended by ctr.epochs" in out


def test_gains_of_an_earlier_version_are_shown_without_intervals(warehouse, capsys):
    assert run(warehouse, "ctr.arms=[plain,reccot]", "ctr.epochs=1") == 0
    table = DeltaTable(warehouse / "feature_gain").to_pyarrow_table()
    new = ["test_uauc", "test_uauc_unweighted", "test_ece", "planted_worth", "epoch", "settings"]
    write_deltalake(warehouse / "feature_gain", table.drop_columns(new), mode="overwrite", schema_mode="overwrite")
    (warehouse / "gain_slices").rename(warehouse / "elsewhere")
    capsys.readouterr()
    assert report_main(["gain", "--conf", str(warehouse.parent / "conf.yaml")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("reccot  "))
    assert re.search(r"[+-]0\.\d{4} ± 0\.\d{4}  -  +-  ", line)


def test_a_warehouse_without_gains_is_named_with_its_remedy(warehouse, capsys):
    assert report_main(["gain", "--conf", str(warehouse.parent / "conf.yaml")]) == 2
    assert "table feature_gain does not exist" in capsys.readouterr().err


def test_spark_finds_the_types_of_the_schema_in_feature_gain(warehouse):
    assert run(warehouse, "ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1") == 0
    delta = DeltaTable(warehouse / "feature_gain")
    names = {"bigint": "long", "int": "integer"}
    found = [(field.name, field.type.type, field.nullable) for field in delta.schema().fields]
    assert found == [(c.name, names.get(c.type, c.type), c.nullable) for c in FEATURE_GAIN.columns]
    protocol = delta.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) <= (1, 2)


def test_the_same_seeds_give_the_same_figures(warehouse):
    assert run(warehouse, "ctr.seeds=[4]") == 0
    assert run(warehouse, "ctr.seeds=[4]") == 0
    rows = gained(warehouse)
    assert len({row["run_id"] for row in rows}) == 2
    by_arm = {}
    for row in rows:
        by_arm.setdefault(row["arm"], set()).add((row["test_auc"], row["test_logloss"], row["validation_auc"]))
    assert {arm: len(figures) for arm, figures in by_arm.items()} == dict.fromkeys(by_arm, 1)


def test_training_and_early_stop_do_not_depend_on_test_labels(warehouse):
    settings = ("ctr.arms=[plain,reccot]", "ctr.seeds=[1]")
    assert run(warehouse, *settings) == 0
    write_deltalake(
        warehouse / "samples", samples_table(lambda w, y: np.where(w == "ctr_test", 1 - y, y)), mode="overwrite"
    )
    assert run(warehouse, *settings) == 0
    for arm in ("plain", "reccot", "item_mean", "item_mean_user_share"):
        first, second = (row for row in gained(warehouse) if row["arm"] == arm)
        assert first["validation_auc"] == second["validation_auc"]
        assert first["test_auc"] != second["test_auc"]


LATE, END = {"ctr_train": 14, "ctr_validation": 15}, {"ctr_train": 1500, "ctr_validation": 1700}
LEFT_OUT = {"ctr_train": USERS, "ctr_validation": USERS}  # one a user


def numbered(*numbers):
    """Of every row of ``samples_table`` whether it is one of these events of its user."""
    return np.isin(np.tile(np.arange(EVENTS), USERS), numbers)


@pytest.mark.parametrize("window", LATE)
def test_a_label_that_became_known_after_its_window_teaches_nothing_and_is_counted(warehouse, capsys, window):
    late = numbered(LATE[window])
    for flip in (False, True):
        table = samples_table(
            lambda _, label, flip=flip: np.where(late & flip, 1 - label, label),
            lambda seconds: np.where(late, 9999, seconds),  # after all events: in no history and no counter
        )
        write_deltalake(warehouse / "samples", table, mode="overwrite")
        assert run(warehouse, "ctr.arms=[plain]", "ctr.seeds=[1]") == 0
    for arm in ("plain", "item_mean", "item_mean_user_share"):
        first, second = (row for row in gained(warehouse) if row["arm"] == arm)
        assert (first["validation_auc"], first["test_auc"]) == (second["validation_auc"], second["test_auc"])
        assert first["train_rows"] == (48 if window == "ctr_train" else 60)
    words = f"left out {LEFT_OUT[window]} train and validation rows whose label became known after their window"
    assert words in capsys.readouterr().out
    assert [row[3]["train_ctr_late_labels"] for row in ledger(warehouse)] == [LEFT_OUT[window]] * 2


@pytest.mark.parametrize("window", LATE)
def test_a_window_ends_in_the_instant_in_which_the_next_one_begins(warehouse, window):
    for known in (END[window] - 1, END[window]):
        table = samples_table(known=lambda seconds, known=known: np.where(numbered(LATE[window]), known, seconds))
        write_deltalake(warehouse / "samples", table, mode="overwrite")
        assert run(warehouse, "ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1") == 0
    assert sorted(row[3]["train_ctr_late_labels"] for row in ledger(warehouse)) == [0, LEFT_OUT[window]]


def test_a_window_whose_labels_all_became_known_late_is_refused(warehouse, capsys):
    table = samples_table(known=lambda seconds: np.where(numbered(15, 16), 9999, seconds))
    write_deltalake(warehouse / "samples", table, mode="overwrite")
    assert_refused(warehouse, capsys, "ctr_validation but 16 whose label became known after its end")


def assert_refused(warehouse, capsys, *words, overrides=()):
    assert run(warehouse, *overrides) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert not (warehouse / "feature_gain").exists()


@pytest.mark.parametrize(
    ("table", "remedy"),
    [
        ("samples", "Run jobs/build_histories.py first."),
        ("user_histories", "Run jobs/build_histories.py first."),
        ("reccot_vectors", "Run jobs/publish_features.py first."),
    ],
)
def test_a_missing_table_is_named_with_its_remedy(warehouse, capsys, table, remedy):
    (warehouse / table).rename(warehouse / "elsewhere")
    assert_refused(warehouse, capsys, f"table {table} does not exist", remedy)


def test_the_plain_arm_needs_no_features(warehouse):
    (warehouse / "reccot_vectors").rename(warehouse / "elsewhere")
    assert run(warehouse, "ctr.arms=[plain,tallies]", "ctr.seeds=[1]") == 0


def test_a_missing_column_is_named(warehouse, capsys):
    write_deltalake(
        warehouse / "samples", samples_table().drop_columns(["label"]), mode="overwrite", schema_mode="overwrite"
    )
    assert_refused(warehouse, capsys, "table samples", "lacks label")


def test_one_class_in_test_is_refused(warehouse, capsys):
    table = samples_table(lambda window, label: np.where(window == "ctr_test", 1, label))
    write_deltalake(warehouse / "samples", table, mode="overwrite")
    assert_refused(warehouse, capsys, "table samples", "ctr_test", "both classes")


def test_an_empty_window_is_refused(warehouse, capsys):
    table = samples_table()
    keep = pa.compute.not_equal(table["window"], "ctr_validation")
    write_deltalake(warehouse / "samples", table.filter(keep), mode="overwrite")
    assert_refused(warehouse, capsys, "table samples", "ctr_validation", "windows.boundaries")


def test_vectors_that_no_training_row_joins_are_refused(warehouse, capsys):
    _, vectors = snapshot_tables()
    late = vectors.set_column(vectors.column_names.index("as_of"), "as_of", instants([9999] * 14))
    write_deltalake(warehouse / "reccot_vectors", late, mode="overwrite")
    assert_refused(warehouse, capsys, "table reccot_vectors has no snapshot", "jobs/nightly.py")


def test_an_unknown_feature_version_is_refused(warehouse, capsys):
    assert_refused(warehouse, capsys, "no row of feature_version v0", overrides=["ctr.feature_version=v0"])


def test_vectors_of_unequal_sizes_are_refused(warehouse, capsys):
    _, vectors = snapshot_tables()
    short = pa.array([[0.5] * (SIZE - n % 2) for n in range(14)], type=pa.list_(pa.float32()))
    broken = vectors.set_column(vectors.column_names.index("reccot_vector"), "reccot_vector", short)
    write_deltalake(warehouse / "reccot_vectors", broken, mode="overwrite")
    assert_refused(warehouse, capsys, "reccot_vector must be finite floats of one size", "[7.0, 8.0]")


COUNTS = {"train_ctr_rows": 3.0, "train_ctr_late_labels": 0.0}


def ledger(warehouse):
    rows = DeltaTable(warehouse / "runs").to_pyarrow_table().to_pylist()
    counts = [{name: n for name, n in row["counts"] if name != "train_ctr_seconds"} for row in rows]
    return [(row["run_id"], row["job"], row["status"], of_run) for row, of_run in zip(rows, counts, strict=True)]


def test_the_run_is_in_the_ledger_once_however_often_it_is_run_again(warehouse):
    small = ("ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1")
    assert run(warehouse, *small, run_id="r1") == 0
    assert ledger(warehouse) == [("r1", "train_ctr", "done", COUNTS)]
    before = gained(warehouse)
    assert run(warehouse, *small, run_id="r1") == 0
    assert ledger(warehouse) == [("r1", "train_ctr", "done", COUNTS)]
    assert gained(warehouse) == before


def test_an_error_nobody_foresaw_ends_with_70_and_is_in_the_ledger(warehouse, capsys):
    labels = samples_table().set_column(4, "label", pa.array(["like"] * USERS * EVENTS))
    write_deltalake(warehouse / "samples", labels, mode="overwrite", schema_mode="overwrite")
    log = warehouse.parent / "logs" / "ctr.log"
    assert run(warehouse, f"log={log}", run_id="r1") == 70
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "error: ValueError: " in error
    assert f"the traceback is in {log}" in error
    assert "in load_samples" in log.read_text()
    assert ledger(warehouse) == [("r1", "train_ctr", "failed", {})]
    assert not (warehouse / "feature_gain").exists()
    write_deltalake(warehouse / "samples", samples_table(), mode="overwrite", schema_mode="overwrite")
    assert run(warehouse, "ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1", run_id="r1") == 0
    assert ledger(warehouse) == [("r1", "train_ctr", "done", COUNTS)]


def test_the_environment_names_the_log_above_the_settings(warehouse, capsys, monkeypatch):
    labels = samples_table().set_column(4, "label", pa.array(["like"] * USERS * EVENTS))
    write_deltalake(warehouse / "samples", labels, mode="overwrite", schema_mode="overwrite")
    of_setting, of_environment = (warehouse.parent / name / "ctr.log" for name in ("setting", "environment"))
    monkeypatch.setenv("TRACKREC_LOG", str(of_environment))
    assert run(warehouse, f"log={of_setting}") == 70
    assert f"the traceback is in {of_environment}" in capsys.readouterr().err
    assert "in load_samples" in of_environment.read_text()
    assert not of_setting.parent.exists()


def test_bad_input_leaves_no_ledger(warehouse, capsys):
    assert_refused(warehouse, capsys, "no row of feature_version v0", overrides=["ctr.feature_version=v0"])
    assert not (warehouse / "runs").exists()


def test_a_local_uri_is_a_path(warehouse):
    assert run(warehouse, f"warehouse=file://{warehouse}", "ctr.arms=[plain]", "ctr.seeds=[1]", "ctr.epochs=1") == 0
    assert len(gained(warehouse)) == 3


def test_neither_the_job_nor_the_report_loads_spark_for_a_path(warehouse):
    flags = ["--conf", str(warehouse.parent / "conf.yaml"), "--set", "ctr.arms=[plain]", "--set", "ctr.epochs=1"]
    program = (
        "import sys; from jobs.train_ctr import main; from trackrec.report.__main__ import main as report;"
        f"assert main({flags!r}) == 0; assert report(['tables', *{flags[:2]!r}]) == 0;"
        "assert 'pyspark' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert f"Delta tables in {warehouse}\n" in done.stdout
    assert "feature_gain       version   3,       4 rows" in done.stdout


def test_the_report_names_a_warehouse_without_tables(warehouse, capsys):
    flags = ["--conf", str(warehouse.parent / "conf.yaml"), "--set", f"warehouse={warehouse.parent}/empty"]
    assert report_main(["tables", *flags]) == 2
    assert capsys.readouterr().err == (
        f"error: there is no table in {warehouse.parent}/empty. Run jobs/nightly.py first, or set warehouse.\n"
    )


def test_arms_without_plain_are_refused(warehouse, capsys):
    assert_refused(warehouse, capsys, "ctr.arms lacks plain", overrides=["ctr.arms=[reccot]"])
