"""The hold-out of bench.reading, what its figures say, and a real model's answers, asked for once."""

from dataclasses import replace

import numpy as np
import pytest

from bench import reading, reading_real
from bench.reading_figures import NONE, OFFSET, OWN, SHUFFLED, USER_SHARE, compared, table
from bench.reading_offset import fitted, floors, offsets_of
from bench.reading_real import ask_real
from bench.reading_rows import Row, Rows, balanced, others_reccots, ring
from bench.stacking import stacking_weight
from tests.conftest import CONF
from tests.weights import write_weights
from trackrec.feedback.offset import Offset
from trackrec.runtime.settings_files import load_settings

LEVEL = Offset(user=0.0, item=0.0, constant=0.3, share=0.5)  # every event alike


def row(user, number, label=0, *, snapshot=None, liked=3):
    history = f"Below.\n<<<\nIn all: liked {liked} of 6 films.\n>>>\nWhat?"
    counts, named = (liked, 6, number % 7, 10), (f"film {number}", ("Drama",), 0, 0)
    return Row(snapshot or f"{user}-{number // 4}", user, label, history, f"About {user}.", *named, *counts)


def log(users=12, each=9):
    """Rows of users with as many events as their number in the row of users allows, labels by turns."""
    return [row(f"u{user}", number, (user + number) % 2) for user in range(users) for number in range(each - user % 3)]


def test_the_holdout_has_as_many_events_of_every_user_and_no_label_chooses_them():
    chosen = balanced(log(), users=5, each=8)
    assert len(chosen) == 40
    users = list(dict.fromkeys(row.user for row in chosen))
    assert users == [user for user in ring({f"u{i}" for i in range(12)}) if user not in ("u2", "u5", "u8", "u11")][:5]
    flipped = balanced([replace(row, label=1 - row.label) for row in log()], users=5, each=8)
    assert [(row.user, row.item) for row in flipped] == [(row.user, row.item) for row in chosen]


def test_another_users_reccot_is_never_ones_own():
    rows = balanced(log(), users=6, each=8)
    others = others_reccots(rows)
    assert all(text != row.reccot for text, row in zip(others, rows, strict=True))
    assert set(others) == {row.reccot for row in rows}


def test_what_the_own_reccot_brings_is_compared_with_others_and_with_floors_user_by_user():
    rows = balanced(log(), users=8, each=7)
    right = [2.0 * row.label - 1.0 for row in rows]
    level = floors(rows, LEVEL)
    found = compared(rows, {OWN: right, SHUFFLED: [-odds for odds in right]}, level)
    assert found["validator"][OWN]["uauc"] == [1.0, 1.0, 1.0]
    assert found["uauc"][f"own - {SHUFFLED}"] == [1.0, 1.0, 1.0]
    assert found["uauc"][f"V - {OFFSET}"][0] == pytest.approx(0.5)
    assert found["logloss"][f"{OFFSET} - V"][1] > 0
    assert "| easy | 1.0000 [1.0000, 1.0000] | +1.0000" in table({"easy": found})


def test_a_users_share_ranks_the_films_of_no_user():
    rows = balanced(log(), users=8, each=7)
    found = compared(rows, {OWN: [0.1 * i for i in range(len(rows))]}, floors(rows, LEVEL))
    assert found["uauc"][f"V - {USER_SHARE}"][0] == pytest.approx(found["validator"][OWN]["uauc"][0] - 0.5)


def test_the_weight_of_a_models_log_odds_is_found_beside_an_offset_that_stays():
    dice = np.random.default_rng(0)
    odds, offset = dice.normal(3, 2, 20_000), dice.normal(0, 1, 20_000)
    label = dice.random(20_000) < 1 / (1 + np.exp(-(offset + 0.4 * odds - 1.2)))
    weight, bias = stacking_weight(odds.tolist(), offset.tolist(), label.astype(int).tolist())
    assert weight == pytest.approx(0.4, abs=0.03)
    assert bias == pytest.approx(-1.2, abs=0.1)


@pytest.fixture
def real(tmp_path):
    """A model in transformers' layout that the scripted engine answers for."""
    folder = write_weights(tmp_path / "weights")
    return load_settings(CONF, [f"generator.model.source=path:{folder}", "generator.engine=scripted"])


def test_a_real_model_is_asked_for_every_prompt_once_though_it_was_stopped_while_it_wrote(real, settings, tmp_path):
    rows = Rows(tuple(row(f"t{i}", i, i % 2) for i in range(20)), tuple(balanced(log(), users=6, each=8)))
    first = ask_real(rows, LEVEL, settings, real, "reccot", 20, tmp_path)
    assert set(first["alone"]) == {OWN, SHUFFLED, NONE}
    (path,) = tmp_path.glob("*.jsonl")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-3]) + "\n" + lines[-3][:25])
    asked = []
    build = reading_real.build_engine

    def counted(spec):
        engine = build(spec)
        submit = engine.submit
        engine.submit = lambda request: (asked.append(request.key), submit(request))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_real, "build_engine", counted)
        assert ask_real(rows, LEVEL, settings, real, "reccot", 20, tmp_path) == first
        assert len(asked) == 3
        assert ask_real(rows, LEVEL, settings, real, "reccot", 20, tmp_path) == first
        assert len(asked) == 3


def test_stacked_log_odds_are_the_offset_and_the_weighted_model(real, settings, tmp_path):
    rows = Rows(tuple(row(f"t{i}", i, i % 2) for i in range(20)), tuple(balanced(log(), users=6, each=8)))
    offset = fitted(rows.train)
    found = ask_real(rows, offset, settings, real, "reccot", 20, tmp_path)
    start = offsets_of(rows.held, offset)
    assert len(set(start)) > 5
    alone = zip(start, found["alone"][OWN], strict=True)
    expected = [begun + found["weight"] * odds + found["bias"] for begun, odds in alone]
    assert found["stacked"][OWN] == pytest.approx(expected, abs=1e-2)


def test_a_way_starts_at_the_offset_of_its_own_training_rows_and_must_beat_that_one(settings, tmp_path, monkeypatch):
    rows = Rows(tuple(row(f"t{i}", i, int(i % 3 == 0), liked=i % 6) for i in range(40)), tuple(balanced(log(), 6, 8)))
    started = []

    def without_training(name, settings, rows, offset, count, folder):
        started.append((count, offset))
        return {OWN: [0.0] * len(rows.held), SHUFFLED: [0.0] * len(rows.held)}

    monkeypatch.setattr(reading, "measured", without_training)
    found = [reading.tuned_way("fixed offset", settings, rows, count, tmp_path) for count in (12, 40)]
    assert started == [(12, fitted(rows.train[:12])), (40, fitted(rows.train))]
    assert started[0][1] != started[1][1]
    assert found[0]["logloss"] != found[1]["logloss"], "each is compared with its own offset"
