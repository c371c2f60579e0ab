"""The offline teacher says only what the prompt shows, evidence first, always in the same words."""

import re

import pytest
from hypothesis import given

from tests.stood_out import drawn_shares
from trackrec.histories.shares import Shares, Tally, percent, shares_of
from trackrec.histories.templates import NAMES, template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.training.teachers.statistics import StatisticsTeacher, reccot

GENRES = ["Action", "Children's", "Comedy", "Crime", "Drama", "Film-Noir", "Horror", "War", "garden tools", "toys"]
histories = drawn_shares(GENRES)


def template(name="preference_v2", **words):
    return template_of(
        PromptSettings(template=name, item_noun="films", attribute_noun="genres", **words), HistorySettings()
    )


DRAMA, WAR, COMEDY, HORROR = Tally("Drama", 16, 4), Tally("War", 5, 1), Tally("Comedy", 3, 7), Tally("Horror", 0, 4)
TEXTS = {
    "both sides": (
        Shares(27, 50, [DRAMA, WAR], [HORROR, COMEDY]),
        "They liked 54 % of their last 50 films. Of Drama they liked 80 % (16 of 20). Of Horror they liked none (0 of "
        "4). They prefer Drama and War and are less drawn to Horror and Comedy. Next, Drama should suit them; Horror "
        "is a risk.",
    ),
    "of more than four the names of four": (
        Shares(27, 50, [DRAMA, WAR, *(Tally(name, 3, 1) for name in ("Crime", "1950s", "toys"))], [COMEDY]),
        "They liked 54 % of their last 50 films. Of Drama they liked 80 % (16 of 20). Of Comedy they liked only 30 % "
        "(3 of 10). They prefer Drama, War, Crime and 1950s and are less drawn to Comedy. Next, Drama should suit "
        "them; Comedy is a risk.",
    ),
    "only above": (
        Shares(27, 50, [DRAMA], []),
        "They liked 54 % of their last 50 films. Of Drama they liked 80 % (16 of 20). They prefer Drama. "
        "Next, Drama should suit them.",
    ),
    "only below": (
        Shares(27, 50, [], [COMEDY]),
        "They liked 54 % of their last 50 films. Of Comedy they liked only 30 % (3 of 10). They are less drawn to "
        "Comedy. Next, other films should suit them as usual; Comedy is a risk.",
    ),
    "nothing stands out": (
        Shares(27, 50, [], []),
        "They liked 54 % of their last 50 films. Their genres all lie near that share, so "
        "there is no clear preference. Expect about 54 % of the next films to please.",
    ),
}


@pytest.mark.parametrize(("history", "text"), TEXTS.values(), ids=TEXTS)
def test_it_goes_from_evidence_to_a_verdict_and_an_outlook(history, text):
    assert reccot(history, template()) == text


@given(histories)
def test_every_number_in_it_stands_in_the_history_and_every_attribute_on_its_side(history):
    text = reccot(history, template())
    assert text.startswith(
        f"They liked {percent(history.liked, history.events)} % of their last {history.events} films. "
    )
    counts = re.findall(r"[Oo]f ([\w'-]+(?: tools)?) (?:they liked )?(only )?(\d+ %|none) \((\d+) of (\d+)\)", text)
    assert len(counts) == text.count("(") == min(1, len(history.above)) + min(1, len(history.below))
    above, below = ({t.attribute: t for t in side} for side in (history.above, history.below))
    for genre, only, share, liked, total in counts:
        tally = (above if genre in above else below)[genre]
        assert (tally.liked, tally.total) == (int(liked), int(total))
        assert share == (f"{percent(tally.liked, tally.total)} %" if tally.liked else "none")
        assert bool(only or share == "none") == (genre in below)
    verdicts = (("They prefer ", above), ("less drawn to ", below))
    for said, side in verdicts:
        names = re.findall(rf"{said}(.*?)(?: and are|\. )", text)
        assert [name for found in names for name in re.split(", | and ", found)] == [*side][:4]
    assert ("no clear preference" in text) == (not counts)


@given(histories)
def test_it_is_one_short_line_and_the_same_for_the_same_history(history):
    text = reccot(history, template())
    assert text == reccot(history, template())
    assert text.endswith(".")
    assert "\n" not in text
    assert "  " not in text
    assert len(text.split()) < 75


@given(histories)
def test_of_clicks_it_says_no_word_of_liking(history):
    text = reccot(history, template("clicks_v2"))
    assert text.startswith("They clicked ")
    assert not re.search(r"lik|rate", text)


@pytest.mark.parametrize(("liked", "events", "share"), [(1, 8, 13), (1, 3, 33), (2, 3, 67), (0, 4, 0), (4, 4, 100)])
def test_a_share_is_rounded_half_up(liked, events, share):
    assert percent(liked, events) == share


def test_it_reads_rows_of_user_histories_as_spark_and_pandas_hand_them_out():
    above = [{"attribute": "Drama", "liked": 16, "disliked": 4}]
    row = {"shown_events": 50.0, "shown_liked": 27.0, "above": above, "below": []}
    assert shares_of(row) == Shares(27, 50, [DRAMA], [])
    assert StatisticsTeacher(template()).text(row) == TEXTS["only above"][1]


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_v1")])
def test_it_refuses_templates_whose_prompts_do_not_show_what_it_says(name):
    with pytest.raises(
        BadInputError, match=rf"prompts of {name} do not show: shares.*Set prompt.template to preference_v2"
    ):
        StatisticsTeacher(template(name))


def test_it_refuses_an_opening_that_is_not_its_own():
    with pytest.raises(BadInputError, match=r"begins with 'They liked', and prompt\.opening is 'Der Kunde mag'"):
        StatisticsTeacher(template(opening="Der Kunde mag"))
    assert (
        StatisticsTeacher(template(liked="bought"))
        .text({"shown_events": 4, "shown_liked": 1, "above": [], "below": []})
        .startswith("They bought 25 % of their last 4 films.")
    )
