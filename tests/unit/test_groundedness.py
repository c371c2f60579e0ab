import math

import pytest

from trackrec.feedback.groundedness import Names, groundedness

NAMES = Names(["Heat", "Heat 2", "Speed", "Action", "It", "M*A*S*H"])


def test_names_are_whole_words_with_their_capitals_the_longest_first():
    text = "They liked Heat 2, M*A*S*H and Action; not speed, Speedy or It."
    assert NAMES.within(text) == ["Heat 2", "M*A*S*H", "Action"]


def test_a_name_is_grounded_where_the_prompt_has_it():
    share, mentioned = groundedness(
        ["Heat and Speed, and Heat again.", "Nothing named.", "Action."],
        ["Heat; Action", "Speed", "Action 3 / 1"],
        NAMES,
    )
    assert share == pytest.approx(3 / 4)
    assert mentioned == pytest.approx(4 / 3)


def test_texts_without_names_have_no_share():
    share, mentioned = groundedness(["nothing"], ["Heat"], NAMES)
    assert math.isnan(share)
    assert mentioned == 0.0
    assert Names([]).within("Heat") == []
