"""The offline teacher of templates without shares says only what the history shows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackrec.histories.templates import template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.stages.distill import who_teaches
from trackrec.training.teachers.statistics import statistics_teacher
from trackrec.training.teachers.tallies import History, Tally, reccot

GENRES = ["Action", "Comedy", "Crime", "Drama", "Horror", "War"]
TITLES = ["Heat", "Alien", "Babe", "Speed", "Fargo", "Psycho", "Gandhi", "Clueless"]
OPENING = "The user is drawn to"
tallies = st.lists(
    st.builds(Tally, st.sampled_from(GENRES), st.integers(0, 30), st.integers(0, 30)), unique_by=lambda t: t.attribute
)
histories = st.builds(
    lambda liked, disliked, tallies, n_liked, others: History(
        liked, [t for t in disliked if t not in liked], tallies, n_liked, n_liked + others
    ),
    st.lists(st.sampled_from(TITLES), unique=True),
    st.lists(st.sampled_from(TITLES), unique=True),
    tallies,
    st.integers(0, 60),
    st.integers(1, 60),
)
SHOWN = History(["Fargo", "Heat"], ["Babe"], [Tally("Crime", 9, 1), Tally("Comedy", 1, 6), Tally("War", 1, 0)], 30, 60)


@given(histories, st.integers(0, 10_000))
def test_every_title_genre_and_count_in_it_is_in_the_history_and_on_its_side(history, seed):
    text = reccot(history, OPENING, "films", seed)
    said = [t for t in TITLES if t in text]
    assert set(said) <= {*history.liked, *history.disliked}
    by_name = {t.attribute: t for t in history.tallies}
    assert {g for g in GENRES if g in text} <= set(by_name)
    counts = re.findall(r"(\w+) \((\d+) liked, (\d+) not\)", text)
    assert len(counts) == text.count("(")
    for genre, liked, disliked in counts:
        assert (by_name[genre].liked, by_name[genre].disliked) == (int(liked), int(disliked))
    assert f"{history.n_liked} of {history.n_events}" in text
    share = history.n_liked / history.n_events
    first = text.split(". ")[0]
    assert all(by_name[g].liked >= share * by_name[g].total for g in GENRES if g in first)


@given(histories, st.integers(0, 10_000))
def test_it_is_one_short_line_that_begins_with_the_opening(history, seed):
    text = reccot(history, OPENING, "films", seed)
    assert text.startswith(f"{OPENING} ")
    assert text.endswith(".")
    assert "\n" not in text
    assert "  " not in text
    assert len(text.split()) < 80


def test_the_same_seed_gives_the_same_text_and_others_other_words():
    texts = [reccot(SHOWN, OPENING, "films", seed) for seed in range(40)]
    assert texts == [reccot(SHOWN, OPENING, "films", seed) for seed in range(40)]
    assert len(set(texts)) > 20


def test_it_goes_from_evidence_to_what_to_expect():
    text = reccot(SHOWN, OPENING, "films", 1)
    assert "Crime (9 liked, 1 not)" in text
    assert "Comedy (1 liked, 6 not)" in text
    assert "War" not in text, "one event is no evidence"
    assert re.search(r"so (Crime should suit them|expect Crime to please), and Comedy (is a risk|rather not)\.$", text)


def template(name="preference_v1", **words):
    return template_of(PromptSettings(template=name, **words), HistorySettings())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("preference_v1", {"liked": "clicked", "not_liked": "passed over"}),
        ("preference_v1", {"not_liked": "skipped"}),
        ("preference_v1", {"language": "German"}),
        ("themes_v1", {"language": "German"}),
    ],
)
def test_it_refuses_words_and_languages_that_its_texts_are_not_in(name, words):
    with pytest.raises(BadInputError, match=r"distill\.teacher=openai or model"):
        statistics_teacher(template(name, **words))


@pytest.mark.parametrize("name", ["preference_v1", "themes_v1", "evidence_v1", "contrast_v1", "outlook_v1"])
def test_a_distillation_says_which_teacher_writes_and_why_it_reads_tallies(name):
    said = who_teaches("statistics", template(name), statistics_teacher(template(name)))
    assert said == f"teacher statistics, statistics@2: it reads tallies, as {name} shows no shares"


def test_of_templates_with_shares_the_teacher_that_reads_them_is_named():
    chosen = template("preference_v2")
    teacher = statistics_teacher(chosen)
    assert who_teaches("statistics", chosen, teacher) == f"teacher statistics, {teacher.version}"
