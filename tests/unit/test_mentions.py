"""Which attributes a RecCoT names as liked and avoided, and how far that speaks for an item."""

import pytest

from trackrec.reccots.mentions import AttributeNames, Mentions

CATALOGUE = AttributeNames(["Drama", "Film-Noir", "Film", "Comedy", "Horror", "1990s", ""])


@pytest.mark.parametrize(
    ("text", "liked", "avoided"),
    [
        ("They prefer Drama and are less drawn to Comedy.", ("Drama",), ("Comedy",)),
        ("They prefer Film-Noir.", ("Film-Noir",), ()),
        ("They prefer drama.", (), ()),
        ("Next, Drama should suit them; Horror is a risk.", ("Drama",), ("Horror",)),
        (
            "They prefer 1990s, Film-Noir and Film and are less drawn to Horror.",
            ("1990s", "Film-Noir", "Film"),
            ("Horror",),
        ),
        ("", (), ()),
    ],
    ids=["two sides", "the longer name", "small letters", "an outlook", "several", "no text"],
)
def test_attributes_are_named_on_a_side(text, liked, avoided):
    assert CATALOGUE.mentions(text) == Mentions(liked, avoided)


def test_without_a_catalogue_nothing_is_named():
    assert AttributeNames([]).mentions("They prefer Drama.") == Mentions((), ())


def test_of_an_item_each_attribute_counts_once():
    mentions = Mentions(("Drama", "Drama", "Horror"), ("Comedy", "Horror"))
    assert mentions.of_item(["Drama", "Comedy", "Horror", "War"]) == (2, 2)
    assert mentions.of_item([]) == (0, 0)
