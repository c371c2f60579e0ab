"""From rewards to preferences, by hand on a few candidates."""

import math

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.length import LengthEffect, length_effects, slopes_of, without_length
from trackrec.feedback.preferences import candidate_groups, preferences, ranked_groups
from trackrec.feedback.rewards import HALVES
from trackrec.runtime.settings import FeedbackSettings

pytestmark = pytest.mark.spark

DEFAULT = FeedbackSettings()
CANDIDATE = (
    "prompt_key string, user_id string, row_key string, sample_number int, status string, text string, "
    "output_tokens int"
)


def candidates(spark, *rows):
    """(prompt_key, row_key, text[, status[, tokens]]); the sample number is the row's place."""
    values = [
        (r[0], f"user of {r[0]}", r[1], i, r[3] if len(r) > 3 else "ok", r[2], r[4] if len(r) > 4 else 10)
        for i, r in enumerate(rows)
    ]
    return spark.createDataFrame(values, CANDIDATE)


def scores(spark, **by_key):
    """Rewards over four events each, or (reward, events[, kind[, hash of the events]]); as many are the same ones."""
    given = {key: score if isinstance(score, tuple) else (score, 4) for key, score in by_key.items()}
    rows = [(key, *score, *("pairs", score[1])[len(score) - 2 :]) for key, score in given.items()]
    columns = "row_key string, reward double, n_scored int, reward_kind string, events_hash bigint"
    halves = {half: F.lit(None).cast("double") for half in HALVES}
    return spark.createDataFrame(rows, columns).withColumns(halves)


def ranked(spark, rows, settings=DEFAULT, slopes=None, **by_key):
    groups = candidate_groups(candidates(spark, *rows), scores(spark, **by_key), settings)
    return ranked_groups(groups, settings, slopes)


def verdicts(spark, rows, settings=DEFAULT, **by_key):
    return {row.prompt_key: row.verdict for row in ranked(spark, rows, settings, **by_key).collect()}


def kept(spark, rows, settings=DEFAULT, slopes=None, **by_key):
    return preferences(ranked(spark, rows, settings, slopes, **by_key), settings).collect()


def test_the_best_candidate_is_chosen_and_the_others_rejected_best_first(spark):
    rows = [("p", "a", "A"), ("p", "b", "B"), ("p", "c", "C")]
    (row,) = kept(spark, rows, a=0.5, b=0.7, c=0.6)
    assert (row.prompt_key, row.user_id, row.chosen.row_key, row.chosen.text) == ("p", "user of p", "b", "B")
    assert [(c.row_key, c.reward) for c in row.rejected] == [("c", 0.6), ("a", 0.5)]
    assert row.gap == pytest.approx(0.2)


def test_only_the_lowest_are_rejected_where_the_settings_say_how_many(spark):
    rows = [("p", key, key.upper()) for key in "abcd"]
    two = FeedbackSettings(rejected=2)
    (row,) = kept(spark, rows, two, a=0.1, b=0.2, c=0.3, d=0.4)
    assert (row.chosen.row_key, [c.row_key for c in row.rejected]) == ("d", ["b", "a"])
    (row,) = kept(spark, rows, FeedbackSettings(rejected=9), a=0.1, b=0.2, c=0.3, d=0.4)
    assert [c.row_key for c in row.rejected] == ["c", "b", "a"]


def test_a_repeated_text_counts_once_as_its_first_sample(spark):
    rows = [("p", "a", "same"), ("p", "b", "same"), ("p", "c", "other")]
    (row,) = kept(spark, rows, a=0.5, b=0.9, c=0.1)
    assert (row.chosen.row_key, [c.row_key for c in row.rejected]) == ("a", ["c"])


def test_equal_rewards_rank_by_sample_number_however_the_rows_come(spark):
    rows = [("p", "z", "A"), ("p", "y", "B"), ("p", "x", "C"), ("p", "w", "D"), ("p", "v", "E")]
    settings = FeedbackSettings(min_gap=0)
    frame, scored = candidates(spark, *rows), scores(spark, v=0.4, w=0.4, x=0.5, y=0.5, z=0.5)
    for order in (F.col("sample_number"), F.desc("sample_number")):
        groups = ranked_groups(candidate_groups(frame.orderBy(order), scored, settings), settings)
        assert [[c.row_key for c in row.ranked] for row in groups.collect()] == [["z", "y", "x", "w", "v"]]
        (row,) = preferences(groups, settings).collect()
        assert [row.chosen.row_key, *(c.row_key for c in row.rejected)] == ["z", "w", "v"]


def test_what_v_judges_as_good_as_the_chosen_one_is_not_rejected(spark):
    """Texts that name the same attributes have one reward of a V that counts."""
    rows = [("p", key, key.upper()) for key in "abcd"]
    (row,) = kept(spark, rows, FeedbackSettings(rejected=2), a=0.6, b=0.6, c=0.6 + 1e-12, d=0.2)
    assert [c.row_key for c in row.rejected] == ["d"]
    settings = FeedbackSettings(min_gap=0)
    assert verdicts(spark, rows, settings, a=0.6, b=0.6, c=0.6, d=0.6) == {"p": "small_gap"}


def test_a_group_that_teaches_nothing_is_dropped_with_its_reason(spark):
    rows = [
        ("empty", "a", "", "empty"), ("empty", "b", "", "empty"),
        ("cut", "o", "one", "cut"), ("cut", "p", "", "empty"),
        ("repeats", "c", "same"), ("repeats", "d", "same"),
        ("failed", "e", "text"), ("failed", "f", "", "empty"),
        ("unscored", "g", "one"), ("unscored", "h", "two"),
        ("fewer events", "m", "one"), ("fewer events", "n", "two"),
        ("other events", "u", "one"), ("other events", "v", "two"),
        ("few events", "q", "one"), ("few events", "r", "two"),
        ("one label", "s", "one"), ("one label", "t", "two"),
        ("close", "i", "one"), ("close", "j", "two"),
        ("good", "k", "one"), ("good", "l", "two"),
    ]  # fmt: skip
    settings = FeedbackSettings(min_gap=0.1)
    assert verdicts(
        spark, rows, settings, c=0.1, d=0.9, e=0.5, g=0.5, i=0.5, j=0.55, k=0.5, l=0.8, m=0.5, n=(0.9, 1),
        q=(0.5, 3), r=(0.9, 3), s=(None, 4), t=(None, 4), u=(0.5, 4), v=(0.9, 4, "pairs", 5),
    ) == {
        "empty": "all_empty",
        "cut": "all_cut",
        "repeats": "one_distinct",
        "failed": "one_distinct",
        "unscored": "not_scored",
        "fewer events": "not_scored",
        "other events": "not_scored",
        "few events": "few_events",
        "one label": "one_label",
        "close": "small_gap",
        "good": "kept",
    }  # fmt: skip


def test_candidates_that_were_cut_do_not_compete_whatever_their_reward_and_are_counted(spark):
    rows = [("p", "a", "A"), ("p", "b", "B"), ("p", "c", "C", "cut"), ("p", "d", "A", "cut")]
    (group,) = ranked(spark, rows, a=0.5, b=0.7, c=0.9, d=0.1).collect()
    assert ([c.row_key for c in group.ranked], group.n_cut) == (["b", "a"], 2)
    (row,) = kept(spark, rows, a=0.5, b=0.7, c=0.9, d=0.1)
    assert [c.ended for c in (row.chosen, *row.rejected)] == [True, True]


def test_a_log_score_that_stands_in_for_pairs_has_a_smallest_gap_of_its_own(spark):
    rows = [("pairs", "a", "A"), ("pairs", "b", "B"), ("one label", "c", "C"), ("one label", "d", "D")]
    stand_in = FeedbackSettings(one_label="log_score", min_gap=0.3)
    scored = {"a": 0.5, "b": 0.75, "c": (-0.25, 4, "log_score"), "d": (-0.21, 4, "log_score")}
    assert verdicts(spark, rows, stand_in, **scored) == {"pairs": "small_gap", "one label": "kept"}
    scored |= {"c": (-0.21, 4, "log_score"), "d": (-0.2, 4, "log_score")}
    assert verdicts(spark, rows, stand_in, **scored)["one label"] == "small_gap"


def test_rewards_of_two_kinds_in_one_group_cannot_be_compared(spark):
    rows = [("p", "a", "A"), ("p", "b", "B")]
    assert verdicts(spark, rows, a=0.5, b=(-0.5, 4, "log_score")) == {"p": "not_scored"}


LONG = [("p", "a", "A", "ok", 10), ("p", "b", "B", "ok", 20), ("p", "c", "C", "ok", 60)]


def test_what_a_token_is_worth_is_taken_out_of_rewards_less_the_groups_mean_length(spark):
    (row,) = kept(spark, LONG, slopes={"pairs": 0.01}, a=0.5, b=0.7, c=0.8)
    entries = [row.chosen, *row.rejected]
    assert [c.row_key for c in entries] == ["b", "a", "c"]
    assert [c.reward for c in entries] == pytest.approx([0.8, 0.7, 0.5])
    assert row.raw_rewards == [0.7, 0.5, 0.8]
    assert (row.gap, row.reward_kind) == (pytest.approx(0.3), "pairs")


def test_where_nothing_is_taken_out_the_raw_rewards_are_not_kept_twice(spark):
    (row,) = kept(spark, LONG, slopes={"brier": 0.01}, a=0.5, b=0.7, c=0.8)
    assert (row.chosen.row_key, row.raw_rewards) == ("c", None)


def test_reward_and_length_are_correlated_within_groups_over_all_of_them(spark):
    rows = [
        *(("p", f"p{i}", f"text {i}", "ok", tokens) for i, tokens in enumerate((10, 20, 30))),
        *(("q", f"q{i}", f"text {i}", "ok", tokens) for i, tokens in enumerate((100, 140))),
        ("alone", "z", "text", "ok", 900),
    ]
    scored = {"p0": 0.1, "p1": 0.3, "p2": 0.2, "q0": -0.9, "q1": -0.5, "z": 9.0}
    groups = candidate_groups(candidates(spark, *rows), scores(spark, **scored), DEFAULT)
    tokens, reward = [-10, 0, 10, -20, 20], [-0.1, 0.1, 0.0, -0.2, 0.2]
    products = sum(t * r for t, r in zip(tokens, reward, strict=True))
    (effect,) = length_effects(groups).values()
    assert effect.candidates == 5
    assert effect.corr == pytest.approx(products / math.sqrt(sum(t * t for t in tokens) * sum(r * r for r in reward)))
    assert effect.slope == pytest.approx(products / sum(t * t for t in tokens))
    after = length_effects(without_length(groups, {"pairs": effect.slope}))["pairs"]
    assert after.corr == pytest.approx(0, abs=1e-12)


def test_the_slope_is_taken_only_where_length_explains_more_than_is_allowed():
    effects = {"pairs": LengthEffect(9, -0.2, -0.003), "log_score": LengthEffect(9, math.nan, math.nan)}
    assert slopes_of(effects, 0.1) == {"pairs": -0.003}
    assert slopes_of(effects, 0.2) == {}


def test_candidates_of_one_length_have_no_correlation_and_keep_their_rewards(spark):
    groups = candidate_groups(candidates(spark, ("p", "a", "A"), ("p", "b", "B")), scores(spark, a=0.1, b=0.2), DEFAULT)
    effect = length_effects(groups)["pairs"]
    assert math.isnan(effect.corr)
    assert slopes_of({"pairs": effect}, 0.0) == {}
