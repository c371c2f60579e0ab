"""The parts of a RecCoT: what is liked, avoided and expected stands apart, whatever its words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackrec.reccots.parts import Parts, parts_of
from trackrec.training.teachers.statistics import History, Tally, reccot

OPENING = "The user is drawn to"
GENRES = ["Action", "Children's", "Comedy", "Drama", "Film-Noir", "Sci-Fi"]
LIKED = [
    "No Country for Old Men", "Lost in Translation", "Mr. Holland's Opus", "Dr. No", "Nr. 5", "Postman, The",
    "E.T. the Extra-Terrestrial", "That Thing You Do!", "I Like It Like That", "Tie Me Up! Tie Me Down!",
]  # fmt: skip
DISLIKED = [
    "Not Another Teen Movie", "But I'm a Cheerleader", "Everyone Says I Love You", "Can't Hardly Wait", "Mrs. Brown",
    "Who's Harry Crumb?", "So I Married an Axe Murderer", "Expect No Mercy", "Nothing but Trouble",
    "Nightmare on Elm Street, A",
]  # fmt: skip
histories = st.builds(
    lambda liked, disliked, tallies, n_liked, others: History(liked, disliked, tallies, n_liked, n_liked + others),
    st.lists(st.sampled_from(LIKED), unique=True),
    st.lists(st.sampled_from(DISLIKED), unique=True),
    st.lists(
        st.builds(Tally, st.sampled_from(GENRES), st.integers(0, 30), st.integers(0, 30)),
        unique_by=lambda t: t.attribute,
    ),
    st.integers(0, 60),
    st.integers(1, 60),
)


@settings(max_examples=2000)
@given(histories, st.integers(0, 10_000))
def test_every_mention_of_the_teacher_is_in_its_part_and_in_no_other(history, seed):
    text = reccot(history, OPENING, "films", seed)
    parts = parts_of(text, [*history.liked, *history.disliked])
    share = history.n_liked / history.n_events
    for tally in history.tallies:
        counted = f"{tally.attribute} ({tally.liked} liked, {tally.disliked} not)"
        if counted in text:
            assert [counted in part for part in parts] == [tally.lift(share) > 0, tally.lift(share) < 0, False]
        for outlook in (f"{tally.attribute} should suit them", f"expect {tally.attribute} to please"):
            assert (outlook in text) == (outlook in parts.outlook)
        for risk in (f"{tally.attribute} is a risk", f"{tally.attribute} rather not"):
            assert (risk in text) == (risk in parts.avoided)
    for title in (*history.liked, *history.disliked):
        if title in text:
            whole = title.rstrip("!?")  # a sentence ends there
            assert [whole in part for part in parts] == [title in history.liked, title in history.disliked, False], (
                title
            )
    assert f"{history.n_liked} of {history.n_events}" not in " ".join(parts), "how strict a user is stands in no part"


PROSE = {
    "a contrast": (
        "The user is drawn to slow-burning crime dramas, but they avoid broad comedies.",
        Parts("The user is drawn to slow-burning crime dramas", "they avoid broad comedies", ""),
    ),
    "a contrast within one clause": (
        "They love sci-fi and dislike romance.",
        Parts("They love sci-fi", "dislike romance", ""),
    ),
    "a list keeps its side": (
        "The user enjoys drama, romance, and comedy; war, horror and westerns leave them cold.",
        Parts("The user enjoys drama, romance, and comedy", "war, horror and westerns leave them cold", ""),
    ),
    "a list before its verb": (
        "Comedy, Horror and War are not for them.",
        Parts("", "Comedy, Horror and War are not for them", ""),
    ),
    "a concession": (
        "While they respect classics, slapstick bores them. Although War, Crime and Action fail to, they adore Drama.",
        Parts(
            "While they respect classics. they adore Drama",
            "slapstick bores them. Although War, Crime and Action fail to",
            "",
        ),
    ),
    "rather than": (
        "The user prefers character studies rather than effects, and is less fond of sequels.",
        Parts("The user prefers character studies", "rather than effects, and is less fond of sequels", ""),
    ),
    "over": ("They prefer drama over comedy.", Parts("They prefer drama", "over comedy", "")),
    "an aside": (
        "They like Heat. Comedy, however, rarely works.",
        Parts("They like Heat", "Comedy, however, rarely works", ""),
    ),
    "what is expected": (
        "They are fond of heist films. They would probably enjoy a spy thriller next, but won't like a musical.",
        Parts("They are fond of heist films", "won't like a musical", "They would probably enjoy a spy thriller next"),
    ),
    "a conclusion": (
        "The user likes 12 of 40 films, so expect Dr. No and Mr. Bean to please, and Horror is a risk.",
        Parts("", "Horror is a risk", "expect Dr. No and Mr. Bean to please"),
    ),
    "examples follow their sentence": (
        "They steer clear of gore. For example, Saw and Hostel. They like wit.",
        Parts("They like wit", "They steer clear of gore. For example, Saw and Hostel", ""),
    ),
    "negations that are none": (
        "They enjoy Heat not only for its cast but also for its pace, and never tire of noir.",
        Parts("They enjoy Heat not only for its cast but also for its pace, and never tire of noir", "", ""),
    ),
    "what a film is not": (
        "They are drawn to comedies that are not too dark and to romance.",
        Parts("They are drawn to comedies that are not too dark and to romance", "", ""),
    ),
    "quoted titles": (
        "They love \"No Country for Old Men\" and \"Dumb, but not Dumber.\" They avoid 'Big' and “I Like It”.",
        Parts(
            'They love "No Country for Old Men" and "Dumb, but not Dumber."',
            "They avoid 'Big' and “I Like It”",
            "",
        ),
    ),
    "titles that begin a sentence": (
        "No Country for Old Men is loved. Not Another Teen Movie is liked. But I'm a Cheerleader pleased.",
        Parts(
            "No Country for Old Men is loved. Not Another Teen Movie is liked. But I'm a Cheerleader pleased", "", ""
        ),
    ),
    "full stops that end nothing": (
        "They like G.I. Jane and Nr. 5. They avoid Dr. No, U.S. Marshals and Elm Street, A. War should please.",
        Parts(
            "They like G.I. Jane and Nr. 5",
            "They avoid Dr. No, U.S. Marshals and Elm Street, A",
            "War should please",
        ),
    ),
    "only strictness": ("They are a strict judge, with 3 of 40 liked.", Parts("", "", "")),
    "no preference at all": ("Here is a summary of the data", Parts("", "", "")),
    "nothing": ("", Parts("", "", "")),
}  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), PROSE.values(), ids=PROSE)
def test_free_prose_is_taken_apart(text, parts):
    assert parts_of(text) == parts


def test_a_title_with_the_end_of_a_sentence_inside_needs_to_be_given():
    text = "They like Tie Me Up! Tie Me Down! and Heat. They avoid nothing but trouble and drama."
    titles = ["Tie Me Up! Tie Me Down!", "nothing but trouble"]
    assert parts_of(text, titles).liked == "They like Tie Me Up! Tie Me Down! and Heat"
    assert parts_of(text, titles).avoided == "They avoid nothing but trouble and drama"
    assert "Heat" not in parts_of(text).liked


def test_a_title_of_one_small_word_does_not_hide_that_word():
    assert parts_of("They like Heat but avoid gore.", ["but", "avoid"]).avoided == "avoid gore"


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=4))
def test_any_text_has_parts_of_its_own_words(text, titles):
    for part in parts_of(text, titles):
        for span in part.split(". "):
            assert span.strip() in text


def test_a_long_text_takes_no_long_time():
    parts_of("They like drama (1 liked, 2 not) \"and 'a, but not " * 4000)
