"""Floors, the paired difference, what could be detected, the words about it, and the printed table."""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats

from trackrec.ctr.comparison import Difference, Figure
from trackrec.ctr.floors import item_mean, item_mean_user_share
from trackrec.ctr.gain import Gain, gains_of
from trackrec.ctr.results import ArmResult, GainRow, Measurement, Sizes, SliceGain
from trackrec.ctr.run_settings import settings_text
from trackrec.ctr.samples import Samples
from trackrec.ctr.slices import measure_slices
from trackrec.ctr.verdicts import control_verdicts, floor_verdicts, plain_words, planted_verdict, still_learning
from trackrec.report.gain import gain_table, measured_figures
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings


@pytest.mark.parametrize(
    ("differences", "interval", "words"),
    [
        ((0.0021, 0.0064, -0.0022), (-0.003, 0.007), "+0.0021 ± 0.0043 over 3 seeds"),
        ((0.0021, 0.0064, -0.0022), (-0.003, 0.007), "within noise, no gain shown"),
        ((0.0110, 0.0100, 0.0120), (-0.002, 0.020), "within noise, no gain shown"),
        ((0.0110, 0.0100, 0.0120), (0.002, 0.020), ": a gain"),
        ((-0.001, -0.002, 0.001), (-0.004, 0.003), "negative, within noise, no gain shown"),
        ((-0.011, -0.010, -0.012), (-0.02, -0.002), "a loss, the features make the model worse"),
        ((0.05,), (0.01, 0.09), "one seed: its spread is unknown, no gain shown"),
    ],
)
def test_a_gain_is_called_by_its_name(differences, interval, words):
    verdict = Gain("reccot", differences, interval).verdict()
    assert verdict.startswith("reccot: ")
    assert words in verdict


@pytest.mark.parametrize(
    ("differences", "interval", "words"),
    [
        ((-0.011, -0.010, -0.012), (-0.02, -0.002), "-0.0200 to -0.0020): item texts are worth +0.0110 to plain"),
        ((0.011, 0.010, 0.012), (0.002, 0.02), ": item texts are worth -0.0110 to plain"),
        ((-0.011, -0.010, -0.012), (-0.03, 0.002), ": within noise, what item texts are worth to plain is not shown"),
        ((-0.011,), (-0.03, 0.002), "one seed: its spread is unknown, nothing shown"),
    ],
)  # fmt: skip
def test_the_arm_that_goes_without_the_items_words_says_what_they_are_worth(differences, interval, words):
    verdict = Gain("without_item_text", differences, interval).verdict()
    assert verdict.endswith(words)
    assert "gain" not in verdict


def test_a_network_below_a_floor_is_said_to_be_no_serious_baseline():
    floors = {"item_mean": 0.69, "item_mean_user_share": 0.738}
    assert floor_verdicts({"plain": [0.715, 0.725], "reccot": [0.75]}, floors) == [
        "plain: 0.7200 is below the floor item_mean_user_share (0.7380): this network is not yet a serious baseline"
    ]


def difference(by_seed, error):
    """By seed against 0, with draws of users whose standard deviation is ``error``."""
    draws = np.random.default_rng(0).normal(size=1000)
    own = Figure(np.array(by_seed), error * draws / np.std(draws, ddof=1))
    return Difference.of(own, Figure(np.zeros(len(by_seed)), np.zeros(1000)))


def test_the_interval_and_what_can_be_detected_are_1_96_and_2_8_standard_errors_where_users_are_what_varies():
    found = difference([0.010, 0.010, 0.010], 0.002)
    assert (found.low, found.high) == pytest.approx((0.010 - 1.96 * 0.002, 0.010 + 1.96 * 0.002), rel=1e-4)
    assert found.minimum_detectable == pytest.approx(2.8 * 0.002, rel=1e-3)


def test_where_seeds_are_what_varies_the_interval_is_students():
    by_seed = [0.011, 0.009, 0.0135, 0.007, 0.0095]
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(by_seed), scipy.stats.sem(by_seed))
    assert (difference(by_seed, 1e-9).low, difference(by_seed, 1e-9).high) == pytest.approx((low, high))


def test_a_spread_that_a_gain_must_exceed_too_raises_what_can_be_detected():
    by_seed = np.tile([-0.01, 0.01], 20)
    spread, error = np.std(by_seed, ddof=1), scipy.stats.sem(by_seed)
    assert difference(by_seed, 1e-9).minimum_detectable == pytest.approx(spread + 0.85 * error, rel=1e-3)
    assert spread > 2.1 * error


def test_with_one_seed_it_is_unknown_what_can_be_detected():
    found = difference([0.05], 0.002)
    assert found.low == pytest.approx(0.05 - 1.96 * 0.002, rel=1e-4)
    assert np.isnan(found.minimum_detectable)


def gain(arm, mean, error=0.001, worth=None):
    """A gain over two seeds whose interval is the mean ± 1.96 × ``error``."""
    return Gain(arm, (mean - 1e-4, mean + 1e-4), (mean - 1.96 * error, mean + 1.96 * error), 2.8 * error, worth)


def by_arm(*gains):
    return {g.arm: g for g in gains}


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        (
            0.0096,
            "finds +0.0096 of +0.0100 planted at 10 % of a vector's variance (95 % interval +0.0076 to +0.0116)",
        ),
        (
            0.0059,
            "No other row of this table can be trusted",
        ),  # its interval is above 0, but .6 of the worth is not there
        (0.0019, "No other row of this table can be trusted"),  # its interval includes 0
    ],
)
def test_a_planted_signal_that_is_not_found_takes_the_trust_from_every_other_row(mean, words):
    assert words in planted_verdict(by_arm(gain("planted", mean, worth=0.01)))


CHANCE = ": too few test users or seeds to tell chance from a signal; take more users or seeds"
ROWS = ": too few training rows have vectors to learn from; take more users (histories.max_users). No other row"


@pytest.mark.parametrize(
    ("mean", "interval", "why"),
    [
        (0.0333, (-0.001, 0.0676), f"; the interval contains 0{CHANCE}"),
        (0.0040, (0.001, 0.007), f"; less than 60 % of its worth comes out{CHANCE}"),
        (0.0010, (0.0005, 0.002), f"; less than 60 % of its worth comes out{ROWS}"),
        (0.0020, (-0.002, 0.006), f"; the interval contains 0 and less than 60 % of its worth comes out{CHANCE}"),
        (0.0010, (-0.002, 0.004), f"; the interval contains 0 and less than 60 % of its worth comes out{ROWS}"),
        (0.0010, (np.nan, np.nan), "; no interval was stored. No other row"),
    ],
)
def test_why_a_planted_signal_is_not_found_is_said_with_a_way_out(mean, interval, why):
    verdict = planted_verdict(by_arm(Gain("planted", (mean, mean), interval, 0.003, 0.0081)))
    assert verdict.startswith(f"the instrument does not find what was planted: {mean:+.4f} of +0.0081 planted")
    assert why in verdict


def test_a_table_without_a_planted_signal_says_so():
    assert "whether this instrument would find one is unknown" in planted_verdict(by_arm(gain("reccot", 0.01)))


def against(rival, low):
    """A row of reccot against a rival, +.001 better, with this lower end of the interval."""
    names = {"backbone": "DIN", "arm": "reccot", "slice": f"against {rival}"}
    figures = {field.name: 0.0 for field in dataclasses.fields(SliceGain) if field.type == "float"}
    return SliceGain(**{**figures, **names, "rows": 4, "users": 2, "gain": 0.001, "low": low, "high": 0.003})


def test_a_gain_no_larger_than_its_controls_earns_nothing():
    gains = by_arm(gain("permuted", 0.002), gain("tallies", 0.004), gain("reccot", 0.003))
    assert "reccot brings no more than its control tallies: the texts earn nothing" in control_verdicts(gains, [])
    assert control_verdicts({**gains, "reccot": gain("reccot", 0.005)}, [against("tallies", 0.0001)])[1:] == []


def test_a_gain_that_may_be_larger_than_a_control_by_chance_earns_nothing_that_is_shown():
    gains = by_arm(gain("tallies", 0.004), gain("reccot", 0.005))
    (verdict,) = control_verdicts(gains, [against("tallies", -0.001)])
    assert verdict.startswith(
        "reccot is not shown to bring more than its control tallies (+0.0010, 95 % interval -0.00"
    )
    assert control_verdicts(gains, [against("tallies", 0.0001)]) == []


def test_a_feature_version_by_name_must_beat_the_controls_too_and_an_item_description_need_not():
    gains = by_arm(gain("tallies", 0.006), gain("facts", 0.001), gain("qwen", 0.004), gain("item_description", 0.004))
    assert control_verdicts(gains, []) == ["qwen brings no more than its control tallies: the texts earn nothing"]
    assert "the counts alone may do as much" in plain_words(
        0.7, by_arm(gain("tallies", 0.006), gain("qwen", 0.004)), []
    )


def test_texts_about_other_users_that_show_a_gain_are_a_warning():
    (said,) = control_verdicts(by_arm(gain("permuted", 0.004)), [])
    assert said.startswith("permuted: texts about other users gain too, AUC")
    assert "seeds differ" not in said, "a gain in its own line of the table too"
    assert control_verdicts(by_arm(gain("permuted", 0.001)), []) == []


def of_permuted(low, logloss_high):
    return dataclasses.replace(
        against("tallies", low), arm="permuted", slice="all", logloss_change=-0.004, logloss_low=-0.006,
        logloss_high=logloss_high,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "logloss_high", "words"),
    [
        (0.0002, 0.001, "AUC +0.0010 (95 % interval +0.0002 to +0.0030, above 0 although its seeds differ): "),
        (-0.001, -0.002, "gain too, log-loss -0.0040 (95 % interval -0.0060 to -0.0020): "),
        (0.0002, -0.002, "although its seeds differ) and log-loss -0.0040 (95 % interval -0.0060 to -0.0020): "),
        (-0.001, 0.001, None),
    ],
)
def test_texts_about_other_users_that_gain_by_their_interval_are_a_warning(low, logloss_high, words):
    gains = by_arm(Gain("permuted", (-0.002, 0.004), (low, 0.003)))  # not beyond its spread over seeds
    verdicts = control_verdicts(gains, [of_permuted(low, logloss_high)])
    assert [words in verdict for verdict in verdicts] == ([True] if words else [])
    for verdict in verdicts:
        assert verdict.endswith("a gain of that size in another arm is not shown to come from what its texts say")


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        (
            (gain("reccot", 0.0064),),
            ["with the RecCoTs 64 more. That is more than chance: they make the model better."],
        ),
        ((gain("reccot", 0.0012),), ["12 more. That is less than this test can tell from chance", "would see 28."]),
        ((gain("reccot", -0.0012),), ["with the RecCoTs 12 fewer. That is less than"]),
        ((gain("reccot", 0.00001),), ["with the RecCoTs no more. That is less than"]),
        ((gain("reccot", -0.0064),), ["64 fewer. That is more than chance: they make the model worse."]),
        ((gain("reccot", 0.0064), gain("tallies", 0.0070)), ["more than chance, but the counts alone may do as much."]),
        ((gain("reccot", 0.0064), gain("planted", 0.001, worth=0.01)), ["64 more. But this test misses even a signal"]),
        ((Gain("reccot", (0.0064,), (0.001, 0.01)),), ["64 more. One training run cannot tell that from chance."]),
        ((gain("item_description", 0.0064),), ["with the item descriptions 64 more."]),
    ],
)
def test_the_verdict_counts_pairs_for_a_person_who_knows_no_auc(gains, words):
    verdict = plain_words(0.7554, by_arm(*gains), [])
    assert verdict.startswith("Of 10,000 pairs of a liked and a not liked item the model puts 7,554 in the right order")
    for word in words:
        assert word in verdict


def test_controls_alone_have_no_verdict_for_everybody():
    assert plain_words(0.7554, by_arm(gain("tallies", 0.01)), []) is None


@pytest.fixture
def log():
    time = np.array([1, 2, 3, 4, 5, 6])
    return Samples(
        user=np.zeros(6, dtype=int),
        item=np.array([2, 2, 3, 2, 3, 1]),
        item_all=np.array([0, 0, 1, 0, 1, 2]),
        event_time=time,
        known_time=time,
        label=np.array([1, 0, 1, 1, 0, 1]),
        window=np.array(["alignment", "ctr_train", "ctr_train", "ctr_train", "ctr_test", "ctr_test"], dtype=object),
        in_scope=np.ones(6, dtype=bool),
        users=pa.array(["u"]),
        items=pa.array(["i", "j", "k"]),
        n_items=4,
    )


def test_the_item_mean_is_shrunk_and_made_of_fitted_rows_only(log):
    overall = 2 / 3  # rows 1, 2 and 3
    means = item_mean(log, np.array([1, 2, 3]))
    assert means[0] == pytest.approx((1 + 5 * overall) / (2 + 5))
    assert means[4] == pytest.approx((1 + 5 * overall) / (1 + 5))
    assert means[5] == pytest.approx(overall)  # an item without a fitted row


def test_the_user_share_adds_what_was_known_strictly_before_the_event(log):
    overall = 2 / 3
    share = (3 + 5 * overall) / (4 + 5)  # rows 0 to 3, the alignment window included
    fitted = np.array([1, 2, 3])
    expected = item_mean(log, fitted)[4] + 0.7 * (share - overall)
    assert item_mean_user_share(log, fitted)[4] == pytest.approx(expected)


def test_a_floor_does_not_see_the_labels_it_is_tested_on(log):
    fitted, label = np.array([1, 2, 3]), log.label.copy()
    label[4:] = 1 - label[4:]
    other = dataclasses.replace(log, label=label)
    assert item_mean_user_share(log, fitted)[4] == item_mean_user_share(other, fitted)[4]
    assert np.array_equal(item_mean(log, fitted), item_mean(other, fitted))


def row(arm, **columns):
    figures = {"test_auc": 0.7, "test_logloss": 0.6, "validation_auc": 0.71, "train_rows": 9, "test_rows": 4}
    return GainRow(**{"arm": arm, "backbone": "DIN", **figures, **columns})


def measurement(version="v1", late=0):
    predicted = {"plain": [0.2, 0.6, 0.4, 0.8], "reccot": [0.1, 0.9, 0.2, 0.8]}
    arms = []
    for seed in (1, 2):
        arms += [
            ArmResult(row("plain", seed=seed, auc_gain=0.0), np.array(predicted["plain"]), 2.0),
            ArmResult(
                row("reccot", seed=seed, auc_gain=0.01 * seed, coverage=0.5, feature_version=version),
                np.array(predicted["reccot"]),
                2.0,
            ),
        ]
    return Measurement(
        settings=CtrSettings(seeds=(1, 2)),
        sizes=Sizes(9, 5, 4, 2, late),
        label=np.array([0, 1, 1, 0]),
        user=np.array([0, 0, 1, 1]),
        floors=(row("item_mean", backbone="floor"), row("item_mean_user_share", backbone="floor", test_auc=0.6)),
        arms=tuple(arms),
    )


def table(of):
    return gain_table(measured_figures(of, measure_slices(of, {})))


def test_gains_are_paired_by_seed_and_plain_has_none():
    of = measurement()
    gains = gains_of(of.rows, measure_slices(of, {}))
    assert list(gains) == ["reccot"]
    assert gains["reccot"].differences == (0.01, 0.02)


def test_arms_of_other_rows_or_seeds_than_plains_are_refused():
    of = measurement()
    short = dataclasses.replace(of.arms[1], predicted=of.arms[1].predicted[:3])
    with pytest.raises(BadInputError, match=r"arm reccot has test rows by seed 1: 3, 2: 4, plain 1: 4, 2: 4"):
        measure_slices(dataclasses.replace(of, arms=(of.arms[0], short, *of.arms[2:])), {})
    with pytest.raises(BadInputError, match="arm reccot has test rows by seed 1: 4, plain 1: 4, 2: 4"):
        measure_slices(dataclasses.replace(of, arms=of.arms[:3]), {})


def test_the_table_has_a_line_an_arm_and_floor_with_aligned_columns():
    lines = table(measurement()).splitlines()
    assert lines[:2] == [
        "DIN, adaptor linear, 2 seeds, features v1",
        "train 9 rows of all users; validation 5 rows of all users; test 4 rows of 2 users in scope",
    ]
    head, floor, _, plain, reccot = lines[3:8]
    at = head.index("gain on plain")
    assert (floor[at : at + 5], plain[at], reccot[at : at + 16]) == ("floor", "-", "+0.0150 ± 0.0071")
    assert reccot.endswith("50.0%")


def kept(epochs, settings):
    """Rows of plain that kept these epochs."""
    return [row("plain", seed=n, epoch=epoch, settings=settings) for n, epoch in enumerate(epochs)]


def test_fits_that_were_ended_before_patience_could_end_them_are_counted():
    text = settings_text(CtrSettings(epochs=8, patience=2))
    assert still_learning([*kept([8, 3, 7], text), row("item_mean", backbone="floor", settings=text)]) == (
        "2 of 3 fits were ended by ctr.epochs (8), where they may still have been learning: raise it"
    )
    assert still_learning(kept([6, 3], text)) is None
    assert still_learning(kept([None, None], None)) is None  # of an earlier version


def test_the_table_says_that_networks_were_still_learning():
    of = measurement()
    text = settings_text(of.settings.model_copy(update={"epochs": 2}))
    arms = [dataclasses.replace(arm, row=dataclasses.replace(arm.row, epoch=2, settings=text)) for arm in of.arms]
    assert "4 of 4 fits were ended by ctr.epochs (2)" in table(dataclasses.replace(of, arms=tuple(arms)))
    assert "ctr.epochs" not in table(of)


def test_one_seed_is_one_and_its_interval_is_over_users_alone():
    of = measurement()
    one = dataclasses.replace(of, arms=of.arms[:2], settings=CtrSettings(seeds=(1,)))
    assert table(one).splitlines()[0] == "DIN, adaptor linear, 1 seed, features v1"
    assert "Interval: over users. " in table(one)
    assert "over users and seeds" not in table(one)
    assert "Interval: over users and seeds. " in table(of)


def test_what_goes_without_the_items_words_covers_nothing():
    of = measurement()
    arms = [
        dataclasses.replace(arm, row=dataclasses.replace(arm.row, arm="without_item_text")) for arm in of.arms[1::2]
    ]
    lines = table(dataclasses.replace(of, arms=(of.arms[0], arms[0], of.arms[2], arms[1]))).splitlines()
    (line,) = (line for line in lines if re.match(r"without_item_text +0\.", line))
    assert line.endswith("  -")


def test_no_line_of_the_table_is_wider_than_120_columns():
    of = measurement()
    names = ("plain", "planted", "permuted", "tallies", "teacher", "reccot", "item_description")
    arms = [dataclasses.replace(of.arms[1], row=dataclasses.replace(of.arms[1].row, arm=arm)) for arm in names]
    seeds = [dataclasses.replace(arm, row=dataclasses.replace(arm.row, seed=seed)) for seed in (1, 2) for arm in arms]
    assert max(map(len, table(dataclasses.replace(of, arms=tuple(seeds))).splitlines())) <= 120


def test_rows_left_out_are_shown_where_there_are_any():
    assert "left out" not in table(measurement())
    assert "left out 1,234 train and validation rows" in table(measurement(late=1234))


def test_escape_sequences_of_a_version_never_reach_the_terminal():
    assert "features v\\x1b[31m1" in table(measurement("v\x1b[31m1"))
