"""What V's answers are worth, by hand: five rewards, and what each of them pays for."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.no_reccot import split_answers, with_no_reccots
from trackrec.feedback.rewards import MIN_GAPS, min_gap, needs_baseline, rewards
from trackrec.runtime.settings import FeedbackSettings

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)
ANSWER = (
    "row_key string, user_id string, prompt_key string, as_of timestamp, item_id string, event_time timestamp, "
    "label int, log_odds double"
)


def logit(p):
    return math.log(p / (1 - p))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def answers(spark, **by_key):
    """row_key → (label, log-odds) of each next event; row keys that begin alike are of one user."""
    rows = [
        (key, key[0], key[0], START, f"i{n}", START + timedelta(seconds=n), label, float(log_odds))
        for key, events in by_key.items()
        for n, (label, log_odds) in enumerate(events)
    ]
    return spark.createDataFrame(rows, ANSWER)


def rewarded(frame, kind="pairs", baseline=None, **settings):
    found = rewards(frame, FeedbackSettings(reward=kind, **settings), baseline).collect()
    return {row.row_key: row for row in found}


def reward(frame, kind, **settings):
    (row,) = rewarded(frame, kind, **settings).values()
    return row.reward


EVENTS = [(1, 2.0), (0, -1.0), (1, 0.5), (0, 1.5)]
PAIRS = [2.0 - -1.0, 2.0 - 1.5, 0.5 - -1.0, 0.5 - 1.5]
SIGNED = [2.0, 1.0, 0.5, -1.5]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("pairs", sum(map(sigmoid, PAIRS)) / 4),
        ("log_pairs", sum(math.log(sigmoid(x)) for x in PAIRS) / 4),
        ("log_score", sum(math.log(sigmoid(x)) for x in SIGNED) / 4),
        ("brier", -sum((1 - sigmoid(x)) ** 2 for x in SIGNED) / 4),
        ("agreement", sum(map(sigmoid, SIGNED)) / 4),
    ],
)
def test_a_reward_is_its_formula(spark, kind, expected):
    (row,) = rewarded(answers(spark, a=EVENTS), kind).values()
    assert (row.reward, row.reward_kind, row.n_scored) == (pytest.approx(expected, rel=1e-12), kind, 4)


def test_over_every_other_event_and_over_the_rest_it_is_the_same_formula(spark):
    half, rest = ("half_reward", "rest_reward")
    (row,) = rewarded(answers(spark, a=EVENTS), "agreement").values()
    assert row[half] == pytest.approx((sigmoid(2.0) + sigmoid(0.5)) / 2)
    assert row[rest] == pytest.approx((sigmoid(1.0) + sigmoid(-1.5)) / 2)
    (row,) = rewarded(answers(spark, a=[EVENTS[n] for n in (0, 2, 1)])).values()
    assert (row[half], row[rest]) == (pytest.approx(sigmoid(2.0 - -1.0)), None), "the 2nd event alone is no pair"


def of_six_in_ten(spark, p):
    """Six of ten events liked, and V says ``p`` of each."""
    return answers(spark, a=[(int(n < 6), logit(p)) for n in range(10)])


def test_of_six_in_ten_liked_agreement_pays_for_99_percent_and_the_proper_scores_for_60(spark):
    said = {p: of_six_in_ten(spark, p) for p in (0.5, 0.6, 0.99)}
    best = {kind: max(said, key=lambda p, kind=kind: reward(said[p], kind)) for kind in MIN_GAPS}
    assert best["agreement"] == 0.99
    assert (best["log_score"], best["brier"]) == (0.6, 0.6)


@pytest.mark.parametrize("kind", ["pairs", "log_pairs"])
def test_pairs_do_not_pay_for_saying_yes_to_everything(spark, kind):
    shifted = [(label, x + 3) for label, x in EVENTS]
    assert reward(answers(spark, a=shifted), kind) == pytest.approx(reward(answers(spark, a=EVENTS), kind), rel=1e-9)
    liked = [(1, 0.0), (1, 0.1), (1, -0.1), (0, 0.0)]
    yes = [(label, x + 3) for label, x in liked]
    assert reward(answers(spark, a=yes), "agreement") > reward(answers(spark, a=liked), "agreement") + 0.1


def test_of_three_pairs_in_four_in_order_pairs_pay_for_any_spread_and_log_pairs_for_log_odds_of_three_to_one(spark):
    def apart(distance):
        return answers(spark, a=[(1, 0.0), *[(0, -distance)] * 3, (0, distance)])

    said = {d: apart(d) for d in (0.2, math.log(3), 9.0)}
    best = {kind: max(said, key=lambda d, kind=kind: reward(said[d], kind)) for kind in ("pairs", "log_pairs")}
    assert best == {"pairs": 9.0, "log_pairs": math.log(3)}


def test_log_odds_far_apart_neither_overflow_nor_lose_the_difference(spark):
    far = answers(spark, a=[(1, 900.0), (0, -900.0), (0, 2000.0)])
    assert reward(far, "log_score") == pytest.approx(-2000 / 3)
    assert reward(far, "pairs") == pytest.approx(0.5)
    assert reward(far, "log_pairs") == pytest.approx(-1100 / 2)


def test_a_candidate_whose_events_have_one_label_has_no_pair(spark):
    frame = answers(spark, a=[(1, 1.0), (1, 2.0)], b=[(0, 1.0), (0, 2.0)], c=[(1, 1.0), (0, 2.0)])
    found = rewarded(frame)
    assert [found[key].reward is None for key in "abc"] == [True, True, False]
    assert {row.n_scored for row in found.values()} == {2}


def test_where_the_settings_say_so_the_log_score_stands_in_for_pairs_and_the_row_says_which_it_is(spark):
    frame = answers(spark, a=[(1, 1.0), (1, 2.0)], c=[(1, 1.0), (0, 2.0)])
    found = rewarded(frame, one_label="log_score")
    assert (found["a"].reward_kind, found["c"].reward_kind) == ("log_score", "pairs")
    assert found["a"].reward == pytest.approx((math.log(sigmoid(1)) + math.log(sigmoid(2))) / 2)
    assert found["c"].reward == pytest.approx(sigmoid(-1))


def test_the_log_score_is_measured_against_what_v_says_of_the_same_events_without_a_reccot(spark):
    frame = answers(spark, a1=[(1, 1.0), (0, -2.0)], a2=[(1, 0.5), (0, 0.5)], none=[(1, 0.5), (0, 0.5)])
    without = frame.where("row_key = 'none'").withColumn("user_id", F.lit("a"))
    found = rewarded(frame.where("row_key <> 'none'"), "log_score", baseline=without)
    gains = [math.log(sigmoid(1) / sigmoid(0.5)), math.log(sigmoid(2) / sigmoid(-0.5))]
    assert found["a1"].reward == pytest.approx(sum(gains) / 2)
    assert found["a2"].reward == 0


def test_without_v_s_answer_to_one_of_the_events_there_is_no_log_score(spark):
    frame = answers(spark, a=[(1, 1.0), (0, -2.0)])
    (row,) = rewarded(frame, "log_score", baseline=frame.where("item_id = 'i0'")).values()
    assert (row.reward, row.n_scored) == (None, 2)


def test_v_is_asked_once_a_history_without_a_reccot_and_its_answers_are_told_apart(spark):
    frame = answers(spark, a1=[(1, 1.0)], a2=[(1, 1.0)], b=[(1, 1.0)])
    candidates = frame.select(
        "row_key", "prompt_key", "user_id", "as_of", F.lit("text").alias("text"), F.lit("ok").alias("status")
    )
    asked = with_no_reccots(candidates).collect()
    added = [row for row in asked if row.text is None]
    assert [row.status for row in asked] == ["ok"] * 5
    assert sorted(row.prompt_key for row in added) == ["a", "b"]
    assert len({row.row_key for row in asked}) == 5
    both = split_answers(with_no_reccots(candidates))
    assert sorted(row.row_key for row in both.candidates.collect()) == ["a1", "a2", "b"]
    assert {row.row_key for row in both.baseline.collect()} == {row.row_key for row in added}


def test_only_the_log_score_needs_v_s_answers_without_a_reccot():
    needed = {
        (kind, other): needs_baseline(FeedbackSettings(reward=kind, one_label=other))
        for kind in MIN_GAPS
        for other in ("drop", "log_score")
    }
    assert {key for key, value in needed.items() if value} == {
        ("log_score", "drop"), ("log_score", "log_score"), ("pairs", "log_score"), ("log_pairs", "log_score"),
    }  # fmt: skip


def test_every_kind_of_reward_has_a_smallest_gap_and_the_settings_one_is_that_of_their_reward():
    assert min_gap(FeedbackSettings(), "pairs") == MIN_GAPS["pairs"]
    mine = FeedbackSettings(min_gap=0.5, one_label="log_score")
    assert (min_gap(mine, "pairs"), min_gap(mine, "log_score")) == (0.5, MIN_GAPS["log_score"])
    assert min_gap(FeedbackSettings(reward="log_score", min_gap=0.0), "log_score") == 0
