"""The dot plot of the gains: its files, its words, and what it does where it cannot be drawn."""

import dataclasses
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from trackrec.ctr.results import GainRow, SliceGain
from trackrec.report.gain import GainFigures
from trackrec.report.plot import plot_folder, save_plot


def gain_row(arm, seed, gain, worth=None):
    figures = {
        "test_auc": 0.75 + gain,
        "test_logloss": 0.6,
        "validation_auc": 0.7,
        "train_rows": 9,
        "test_rows": 10_003,
    }
    return GainRow(arm=arm, seed=seed, backbone="DIN", auc_gain=gain, planted_worth=worth, **figures)


def slice_row(arm, gain):
    figures = dict.fromkeys(
        ("uauc_gain", "uauc_low", "uauc_high", "logloss_change", "logloss_low", "logloss_high"), 0.0
    )
    interval = {"low": gain - 0.002, "high": gain + 0.002, "minimum_detectable": 0.0029}
    size = {"rows": 10_003, "users": 166, "reference_auc": 0.75, "arm_auc": 0.75 + gain}
    return SliceGain(backbone="DIN", arm=arm, slice="all", gain=gain, **size, **interval, **figures)


GAINS = {"plain": 0.0, "planted": 0.0096, "permuted": -0.0004, "reccot": 0.0012}


def figures(backbone="DIN", arms=tuple(GAINS)):
    rows = {
        arm: [
            gain_row(arm, seed, GAINS[arm] + spread, 0.01 if arm == "planted" else None)
            for seed, spread in enumerate((-1e-4, 1e-4))
        ]
        for arm in arms
    }
    slices = [slice_row(arm, GAINS[arm]) for arm in arms if arm != "plain"]
    return GainFigures(backbone, ("heading",), rows, slices)


def svg_texts(path):
    return ["".join(element.itertext()) for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_png_and_an_svg_are_saved_and_described_in_words(tmp_path):
    place, words = save_plot([figures()], tmp_path / "plots")
    assert place == f"plot: {tmp_path}/plots/gain.png and {tmp_path}/plots/gain.svg"
    assert words.startswith(
        "Dot plot with 95 % intervals. Gain in AUC on plain DIN (0.7500), 10,003 test rows of 166 us"
    )
    assert "planted +0.0096 (+0.0076 to +0.0116), counts; permuted -0.0004 (-0.0024 to +0.0016);" in words
    assert (tmp_path / "plots/gain.png").read_bytes().startswith(b"\x89PNG")
    texts = svg_texts(tmp_path / "plots/gain.svg")
    assert "Gain in AUC on plain DIN (0.7500), 10,003 test rows of 166 users, 2 seeds" in texts
    arms = [text for text in texts if text in GAINS]
    assert arms == ["reccot", "planted", "permuted"], "what is under test stands apart from the controls, on top"


def test_the_same_figures_give_the_same_svg(tmp_path):
    for name in ("one", "two"):
        save_plot([figures()], tmp_path / name)
    assert (tmp_path / "one/gain.svg").read_bytes() == (tmp_path / "two/gain.svg").read_bytes()


def test_two_backbones_share_a_plot(tmp_path):
    save_plot([figures(), figures("DCNv2")], tmp_path)
    titles = [text for text in svg_texts(tmp_path / "gain.svg") if text.startswith("Gain in AUC")]
    assert [title.split()[5] for title in titles] == ["DIN", "DCNv2"]


def test_what_tells_a_run_from_the_others_stands_under_its_title_and_in_the_words(tmp_path):
    apart = dataclasses.replace(figures("DCNv2"), differs_in="epochs 8, seeds 1 2")
    _, words = save_plot([figures(), apart], tmp_path)
    assert "another run: epochs 8, seeds 1 2" in svg_texts(tmp_path / "gain.svg")
    assert "DCNv2 (0.7500), 10,003 test rows of 166 users, 2 seeds (another run: epochs 8, seeds 1 2): planted" in words
    assert words.count("another run") == 1


def test_one_seed_has_an_interval_over_users_alone(tmp_path):
    two = figures()
    one = dataclasses.replace(two, rows={arm: rows[:1] for arm, rows in two.rows.items()})
    save_plot([one], tmp_path)
    texts = svg_texts(tmp_path / "gain.svg")
    assert any(text.endswith("166 users, 1 seed") for text in texts)
    assert "difference of AUC, mean over seeds with 95 % interval over users" in texts


@pytest.mark.parametrize(("worth", "found"), [(0.01, True), (0.02, False)])
def test_a_planted_signal_counts_where_it_is_found(monkeypatch, tmp_path, worth, found):
    from matplotlib.axes import Axes

    faces, plot = [], Axes.plot

    def noted(axes, *given, **how):
        faces.extend([how["markerfacecolor"]] if "D" in given else [])
        return plot(axes, *given, **how)

    monkeypatch.setattr(Axes, "plot", noted)
    of_signal = figures(arms=("plain", "planted"))
    rows = [dataclasses.replace(row, planted_worth=worth) for row in of_signal.rows["planted"]]
    _, words = save_plot([dataclasses.replace(of_signal, rows={**of_signal.rows, "planted": rows})], tmp_path)
    assert faces == ["black" if found else "white"]
    assert (", counts" in words) is found


def test_the_plot_uses_no_colour(tmp_path):
    from PIL import Image

    save_plot([figures()], tmp_path)
    red, green, blue = Image.open(tmp_path / "gain.png").convert("RGB").split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()


def test_an_arm_without_an_interval_is_drawn_without_one(tmp_path):
    stored = figures()
    _, words = save_plot([GainFigures(stored.backbone, stored.heading, stored.rows, [])], tmp_path)
    assert words.endswith("permuted -0.0004; reccot +0.0012.")


def test_plain_alone_is_not_drawn(tmp_path):
    assert save_plot([figures(arms=("plain",))], tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


def test_without_matplotlib_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (line,) = save_plot([figures()], tmp_path / "plots")
    assert line == "no plot of the gains: matplotlib is not installed; it comes with the extra [ctr]."


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "plots").write_text("a file")
    (line,) = save_plot([figures()], tmp_path / "plots")
    assert line == f"no plot of the gains: {tmp_path}/plots cannot be written (File exists)."


@pytest.mark.parametrize(
    ("warehouse", "folder"),
    [
        ("warehouse/demo", "warehouse/demo/plots"),
        ("file:///data/wh", "/data/wh/plots"),
        ("s3://bucket/wh/", "plots/s3___bucket_wh"),
        ("main.reccot", "plots/main.reccot"),
    ],
)
def test_a_plot_lies_beside_local_tables_or_in_the_working_directory(warehouse, folder):
    assert plot_folder(warehouse) == Path(folder)
