"""What bench.rewards says of a few judged candidates, by hand."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from bench.rewards import Judged, compared, held_back, lines, longer, same_choice, spearman
from trackrec.feedback.rewards import MIN_GAPS
from trackrec.runtime.errors import BadInputError

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)
CANDIDATE = (
    "prompt_key string, user_id string, row_key string, sample_number int, status string, text string, "
    "output_tokens int"
)
ANSWER = (
    "row_key string, user_id string, as_of timestamp, item_id string, event_time timestamp, label int, log_odds double"
)
LABELS = [1, 1, 0, 0]  # so the 1st and 3rd event are a pair, and the 2nd and 4th


def frames(spark, **histories):
    """History → (tokens, log-odds of each event) of each candidate."""
    candidates, answers = [], []
    for history, said in histories.items():
        for number, (tokens, log_odds) in enumerate(said):
            key = f"{history}{number}"
            candidates.append((history, f"user of {history}", key, number, "ok", f"text {number}", tokens))
            for n, (label, x) in enumerate(zip(LABELS, log_odds, strict=False)):
                time = START + timedelta(seconds=n)
                answers.append((key, f"user of {history}", START, f"i{n}", time, label, float(x)))
    return spark.createDataFrame(candidates, CANDIDATE), spark.createDataFrame(answers, ANSWER)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_a_choice_by_every_other_event_is_asked_about_the_rest(spark):
    # Candidate 0 orders the 1st and 3rd event, 1 orders none; of the 2nd and 4th, 0 is 1 apart and 1 is 2.
    figures = compared(
        *frames(spark, p=[(10, [3, 1, 0, 0]), (30, [0, 2, 0, 0])], q=[(10, [3, 1, 0, 0]), (30, [0] * 4)]), 4
    )
    assert (figures["histories"], figures["candidates"], figures["users"]) == (2, 4, 2)
    row = figures["rewards"]["pairs"]
    of_1st_and_3rd, of_2nd_and_4th = [sigmoid(3), sigmoid(0)], {"p": [sigmoid(1), sigmoid(2)], "q": [sigmoid(1), 0.5]}
    first, *others = ((a - b) / 2 for a, b in (of_1st_and_3rd, *of_2nd_and_4th.values()))
    gains = {"p": [others[0], -first], "q": [others[1], first]}  # the 2nd and 4th choose 1 of p, 0 of q
    assert row["choices"] == 4
    assert row["held_back"] == pytest.approx(sum(map(sum, gains.values())) / 4, abs=1e-5)
    assert (row["low"], row["high"]) == tuple(pytest.approx(sum(gains[user]) / 2, abs=1e-5) for user in "pq")
    assert row["chosen_by"] == pytest.approx((2 * first - others[0] + others[1]) / 4, abs=1e-5)
    assert (row["same_as_pairs"], row["longer"]) == (1.0, -20.0)
    assert row["length_corr"] < 0
    assert figures["rewards"].keys() == MIN_GAPS.keys()
    assert len(list(lines(figures))) > 15


def test_where_three_of_four_are_right_agreement_chooses_the_surer_candidate_and_the_log_score_the_other(spark):
    figures = compared(*frames(spark, p=[(10, [0.4, 0.4, -0.4, 0.4]), (14, [6, 6, -6, 6])]), 4)
    assert figures["same_choice"]["log_score/agreement"] == 0.0
    assert figures["spearman"]["log_score/agreement"] == -1.0
    assert (figures["rewards"]["log_score"]["longer"], figures["rewards"]["agreement"]["longer"]) == (-4.0, 4.0)


def test_a_history_without_pairs_is_in_no_figure_and_none_at_all_is_bad_input(spark):
    candidates, answers = frames(spark, p=[(10, [1, 1]), (10, [2, 2])])
    with pytest.raises(BadInputError, match="no history with two candidates that ended and pairs"):
        compared(candidates, answers, 2)


ONE = {
    "a": Judged("u", [10, 20, 60], [0.1, 0.3, 0.2], half=[0.1, 0.3, 0.2], rest=[0.0, 0.0, 0.0]),
    "b": Judged("v", [5, 7], [0.5, 0.5], half=[0.5, 0.4], rest=[0.0, 0.0]),
    "c": Judged("v", [5, 7], [0.5, 0.4], half=[0.5, None], rest=[0.0, 0.1]),
}
OTHER = {
    "a": Judged("u", [10, 20, 60], [0.1, 0.2, 0.3], half=[0.0] * 3, rest=[0.1, 0.2, 0.3]),
    "b": Judged("v", [5, 7], [0.9, 0.5], half=[0.0] * 2, rest=[0.9, 0.5]),
    "c": Judged("v", [5, 7], [0.9, 0.5], half=[None, 0.0], rest=[0.9, 0.5]),
}


def test_figures_of_two_rewards_are_means_over_histories():
    assert same_choice(ONE, OTHER) == pytest.approx(2 / 3)
    assert spearman(ONE, OTHER) == pytest.approx((0.5 + 1.0) / 2), "b has equal rewards"
    assert longer(ONE) == pytest.approx((20 - 35 + 5 - 7 + 5 - 7) / 3)


def test_what_one_reward_chooses_by_half_of_the_events_is_asked_about_by_another_over_the_rest():
    found = held_back("pairs", ONE, OTHER)
    assert found.choices == 2, "the other half shows no gap, and a candidate of c has no reward by it"
    assert found.gain == pytest.approx((0.0 + 0.2) / 2)
    assert (found.low, found.high) == (pytest.approx(0.0), pytest.approx(0.2))
    assert found.chosen_by == pytest.approx((0.1 + 0.05) / 2)
