"""The parts of a RecCoT: what is liked, avoided and expected stands apart, whatever its words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stood_out import drawn_shares
from trackrec.histories.templates import template_of
from trackrec.reccots.parts import Parts, parts_of
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.stages.encode import notice_of_language
from trackrec.training.teachers.statistics import reccot

GENRES = ["Action", "Children's", "Comedy", "Drama", "Film-Noir", "Sci-Fi", "garden tools", "toys"]
LIKED = [
    "No Country for Old Men", "Lost in Translation", "Mr. Holland's Opus", "Dr. No", "Nr. 5", "Postman, The",
    "E.T. the Extra-Terrestrial", "That Thing You Do!", "I Like It Like That", "Tie Me Up! Tie Me Down!",
]  # fmt: skip
DISLIKED = [
    "Not Another Teen Movie", "But I'm a Cheerleader", "Everyone Says I Love You", "Can't Hardly Wait", "Mrs. Brown",
    "Who's Harry Crumb?", "So I Married an Axe Murderer", "Expect No Mercy", "Nothing but Trouble",
    "Nightmare on Elm Street, A",
]  # fmt: skip
histories = drawn_shares(GENRES)


@settings(max_examples=2000, deadline=None)
@given(histories, st.sampled_from(["preference_v2", "clicks_v2"]))
def test_every_mention_of_the_teacher_is_in_its_part_and_in_no_other(history, name):
    words = PromptSettings(template=name, item_noun="films", attribute_noun="genres")
    text = reccot(history, template_of(words, HistorySettings()))
    parts = parts_of(text)
    for side, tallies in enumerate((history.above, history.below)):
        for place, tally in enumerate(tallies[:4]):
            if not place:
                assert f"({tally.liked} of {tally.total})" in parts[side]
            assert (tally.attribute in parts.liked, tally.attribute in parts.avoided) == (side == 0, side == 1)
            assert (tally.attribute in parts.outlook) == (side == 0 and place == 0)
    assert f"their last {history.events}" not in " ".join(parts), "how strict a user is stands in no part"
    assert ("no clear preference" in text) == (not parts.liked and not parts.avoided)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(LIKED), unique=True, min_size=1, max_size=2),
    st.lists(st.sampled_from(DISLIKED), unique=True, min_size=1, max_size=2),
    st.sampled_from(["They are cooler on Comedy (1 liked, 6 not); {} did not please.", "They did not like {}."]),
    st.sampled_from(["They like 3 of 40 films", "With 3 of 40 liked they choose with care", "They are a strict judge"]),
)
def test_titles_are_in_the_part_of_their_clause_whatever_words_they_are_made_of(liked, disliked, avoided, strictness):
    text = (
        f"The user is drawn to Drama (9 liked, 1 not), lately {' and '.join(liked)}. {avoided} {strictness}, so Drama "
        "should suit them, and Comedy is a risk."
    ).format(" and ".join(disliked))
    parts = parts_of(text, [*liked, *disliked])
    for title in (*liked, *disliked):
        whole = title.rstrip("!?")  # a sentence ends there
        assert [whole in part for part in parts] == [title in liked, title in disliked, False], title
    assert parts.outlook == "Drama should suit them"
    assert parts.avoided.endswith("Comedy is a risk")
    assert "40" not in " ".join(parts), "how strict a user is stands in no part"


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
    "clicks": (
        "They click Drama and War and pass over Comedy. They have no clear preference for a brand.",
        Parts("They click Drama and War", "pass over Comedy", ""),
    ),
    "what is bought, watched or read": (
        "They bought garden tools. The user often watches war films. They avoid role play and open endings.",
        Parts(
            "They bought garden tools. The user often watches war films",
            "They avoid role play and open endings",
            "",
        ),
    ),
    "a share that is small": (
        "They liked 54 % of their last 50 films. Of Comedy they liked only 30 % (3 of 10).",
        Parts("", "Of Comedy they liked only 30 % (3 of 10)", ""),
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


@settings(deadline=None)
@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=4))
def test_any_text_has_parts_of_its_own_words(text, titles):
    for part in parts_of(text, titles):
        for span in part.split(". "):
            assert span.strip() in text


def test_a_long_text_takes_no_long_time():
    parts_of("They like drama (1 liked, 2 not) \"and 'a, but not " * 4000)


@pytest.mark.parametrize("language", [None, "English", " english "])
def test_of_english_texts_there_is_no_notice(language):
    assert notice_of_language(language) is None


def test_of_texts_in_another_language_it_is_said_that_they_have_few_parts():
    assert "prompt.language is German, and" in notice_of_language(" German ")
    assert parts_of("Diese Person mag Krimis und meidet Romanzen.") == Parts("", "", "")
