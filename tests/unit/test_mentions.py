"""Which attributes a RecCoT names as liked and avoided, and how far that speaks for an item."""

import pytest

from trackrec.reccots.mentions import Mentions, mentions_of

CATALOGUE = ["Drama", "Film-Noir", "Film", "Comedy", "Horror"]


@pytest.mark.parametrize(
    ("text", "liked", "avoided"),
    [
        ("They prefer Drama and are less drawn to Comedy.", ("Drama",), ("Comedy",)),
        ("They prefer Film-Noir.", ("Film-Noir",), ()),
        ("They prefer drama.", (), ()),
        ("Next, Drama should suit them; Horror is a risk.", ("Drama",), ("Horror",)),
        ("", (), ()),
    ],
    ids=["two sides", "the longer name", "small letters", "an outlook", "no text"],
)
def test_attributes_are_named_on_a_side(text, liked, avoided):
    assert mentions_of(text, CATALOGUE) == Mentions(liked, avoided)


def test_without_a_catalogue_nothing_is_named():
    assert mentions_of("They prefer Drama.", []) == Mentions((), ())
    assert mentions_of("They prefer Drama.", [""]) == Mentions((), ())


def test_an_item_matches_by_each_of_its_attributes_once():
    mentions = Mentions(("Drama", "Drama", "Horror"), ("Comedy", "Horror"))
    assert mentions.match(["Drama", "Comedy", "Horror", "War"]) == (2, 2)
    assert mentions.match([]) == (0, 0)
