"""Whether what a RecCoT says of its prompt is so: numbers, sides, and that nothing stands out."""

import pytest
from hypothesis import given

from bench.counts import by_writer, figures
from tests.unit.test_parts import GENRES, histories
from trackrec.histories.shares import Shares, Tally
from trackrec.histories.templates import template_of
from trackrec.reccots.claims import Claims, claims_of
from trackrec.reccots.parts import parts_of
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.training.teachers.statistics import reccot

SHARES = Shares(27, 50, [Tally("Drama", 16, 4), Tally("War", 5, 1)], [Tally("Comedy", 3, 7), Tally("Horror", 0, 4)])
ATTRIBUTES = ["Drama", "War", "Comedy", "Horror", "Action"]
TEXTS = {
    "all right": (
        "They liked 54 % of their last 50 films. Of Drama they liked 80 % (16 of 20) and of War 83 % (5 of 6). Of "
        "Comedy they liked only 30 % (3 of 10) and of Horror none (0 of 4). They prefer Drama and are less "
        "drawn to Comedy.",
        Claims(5, 5, 6, 6),
    ),
    "a wrong usual share": ("They liked 55 % of their last 50 films.", Claims(1, 0, 0, 0)),
    "a wrong share of a right count": ("Of Drama they liked 81 % (16 of 20).", Claims(1, 0, 1, 1)),
    "the counts of another attribute": ("Of War they liked 80 % (16 of 20).", Claims(1, 0, 1, 1)),
    "an attribute that the prompt does not name": ("Of Action they liked 80 % (16 of 20).", Claims(1, 0, 1, 0)),
    "sides the wrong way round": ("They prefer Comedy and are less drawn to Drama.", Claims(0, 0, 2, 0)),
    "an outlook": ("Next, Drama should suit them; War is a risk.", Claims(0, 0, 2, 1)),
    "what is expected": ("Expect about 54 % of the next films to please.", Claims(1, 1, 0, 0)),
    "nothing of the prompt": ("They have a balanced taste.", Claims(0, 0, 0, 0)),
}


@pytest.mark.parametrize(("text", "claims"), TEXTS.values(), ids=TEXTS)
def test_claims_are_told_true_from_false(text, claims):
    assert claims_of(text, SHARES, ATTRIBUTES) == claims


@given(histories)
def test_the_teacher_claims_nothing_that_is_not_so(shares):
    words = PromptSettings(template="preference_v2", item_noun="films", attribute_noun="genres")
    claims = claims_of(reccot(shares, template_of(words, HistorySettings())), shares, GENRES)
    assert claims.right_numbers == claims.numbers >= 1
    assert claims.on_their_side == claims.mentions
    assert (claims.mentions == 0) == (not shares.above and not shares.below)


WORDS_FOR_LIKED = ("liked", "bought", "purchased", "opened", "watched", "played", "read", "clicked", "listened to",
                   "finished", "played to the end", "gave at least four stars")  # fmt: skip


@pytest.mark.parametrize("word", WORDS_FOR_LIKED)
def test_what_the_teacher_says_in_another_word_for_liked_is_read_as_well(word):
    words = PromptSettings(template="clicks_v2", item_noun="films", attribute_noun="genres", liked=word)
    text = reccot(SHARES, template_of(words, HistorySettings()))
    assert claims_of(text, SHARES, ATTRIBUTES) == Claims(3, 3, 8, 8)
    parts = parts_of(text)
    assert f"Of Drama they {word} 80 % (16 of 20)" in parts.liked
    assert f"Of Comedy they {word} only 30 % (3 of 10)" in parts.avoided


def history(above=(), below=()):
    sides = [[{"attribute": a, "liked": liked, "disliked": b} for a, liked, b in side] for side in (above, below)]
    shown = {"shown_events": 50, "shown_liked": 27, "above": sides[0], "below": sides[1]}
    return {"liked": [], "disliked": [], "tallies": [], "n_liked": 30, "n_events": 60, **shown}


def test_the_bench_counts_each_way_of_sampling_alone_and_no_teacher():
    histories = {"p": history()}
    rows = [("g@1", "greedy", "a"), ("g@1", "warm", "b"), ("statistics@5", "{}", "c"), ("g@1", "greedy", None)]
    named = [
        dict(zip(("generator_version", "sampling", "text"), row, strict=True)) | {"prompt_key": "p"} for row in rows
    ]
    assert by_writer(named, histories) == {
        ("g@1", "greedy"): [("a", histories["p"])],
        ("g@1", "warm"): [("b", histories["p"])],
    }


def test_the_bench_says_whether_its_goals_are_met_and_how_often_a_verdict_is_missing():
    clear, none = history(above=[("Drama", 16, 4)]), history()
    true = "They liked 54 % of their last 50 films. Of Drama they liked 80 % (16 of 20). They prefer Drama."
    middling = "They liked 54 % of their last 50 films. There is no clear preference."
    found = figures([(true, clear), (middling, none), (middling, clear)], ATTRIBUTES)
    assert (found["counts"], found["sides"], found["goals_met"]) == (1.0, 1.0, True)
    assert (found["middling"], found["middling_true"], found["middling_right"]) == (0.667, 0.333, 0.667)
    wrong = figures([(true, none), (true, clear)], ATTRIBUTES)
    assert (wrong["counts"], wrong["sides"], wrong["goals_met"]) == (0.75, 0.5, False)
    assert figures([("Nothing.", none)], ATTRIBUTES)["goals_met"] is False


def test_the_bench_reads_texts_about_prompts_without_shares():
    tallies = [{"attribute": "Drama", "liked": 16, "disliked": 4}, {"attribute": "War", "liked": 1, "disliked": 5}]
    row = history() | {"above": None, "below": None, "tallies": tallies}
    found = figures([("Drawn to Drama (16 liked, 4 not). Cooler on War (2 liked, 5 not).", row)], ATTRIBUTES)
    assert (found["counts"], found["sides"], found["numbers"]) == (0.5, 1.0, 2)
