"""Which histories a loop learns from and which events it is measured on."""

import pytest

from tests.e2e.logs import log_rows, write_conf, write_csv
from trackrec.feedback.holdout import holdout_start
from trackrec.feedback.user_split import in_share
from trackrec.runtime.run import Run
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.histories import build_histories
from trackrec.stages.inputs import holdout_of, stored_histories, teaching_snapshots
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def built(spark, tmp_path_factory):
    """(settings, tables) with the histories of eight users' alignment window."""
    folder = tmp_path_factory.mktemp("loop-histories")
    windows, feedback = {"fractions": [0.7, 0.1, 0.1, 0.1]}, {"holdout_share": 0.4}
    write_conf(folder, histories={"every_n": 3, "windows": ["alignment"]}, windows=windows, feedback=feedback)
    write_csv(folder / "log.csv", log_rows(users=8))
    settings = load_settings(folder / "conf.yaml", [f"warehouse={folder}/warehouse"])
    tables = Warehouse(spark, settings.warehouse)
    build_histories(Run(name="tests", settings=settings, run_id="r"), tables)
    return settings, tables


def snapshots(built, count):
    return {(row["user_id"], row["as_of"]) for row in teaching_snapshots(*built, count).collect()}


def test_a_loop_learns_from_snapshots_before_the_hold_out_that_some_event_joins(built):
    settings, tables = built
    start = holdout_start(tables.read("samples"), settings.feedback.holdout_share)
    joined = {(r["user_id"], r["as_of"]) for r in tables.read("samples").where("window = 'alignment'").collect()}
    every = {(r["user_id"], r["as_of"]) for r in stored_histories(settings, tables).collect()}
    taught = snapshots(built, None)
    assert taught == {(user, as_of) for user, as_of in joined & every if as_of.astimezone(start.tzinfo) < start}
    assert taught < every


def test_fewer_histories_are_part_of_more_and_of_several_users(built):
    few, more = snapshots(built, 5), snapshots(built, 10)
    assert (len(few), len(more)) == (5, 10)
    assert few < more < snapshots(built, None)
    assert len({user for user, _ in more}) > 2


def test_two_vs_judge_all_users_and_one_judges_those_that_it_was_not_tuned_on(built):
    settings, tables = built
    folds = {row["user_id"]: row["fold"] for row in holdout_of(settings, tables).collect()}
    assert folds == {user: 0 if in_share(user, 0.5) else 1 for user in folds}
    assert set(folds.values()) == {0, 1}
    alone = settings.model_copy(update={"feedback": settings.feedback.model_copy(update={"cross_fit": False})})
    assert {row["user_id"] for row in holdout_of(alone, tables).collect()} == {u for u, fold in folds.items() if fold}
