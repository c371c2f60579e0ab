"""Prompts with common beginnings in one sequence: every prompt can be read back from it, no beginning stands twice."""

import random

import pytest

from trackrec.engines.prefix_tree import prefix_tree
from trackrec.models.shared_attention import Family

HISTORY = tuple(range(100, 120))
RECCOTS = [tuple(range(200 + 30 * r, 225 + 30 * r)) for r in range(3)]
PROMPTS = [(*HISTORY, *reccot, item, 9) for reccot in RECCOTS for item in (1, 2, 3)]


def seen(tree, end):
    """The tokens that the token at ``end`` sees, itself included, and their positions."""
    for family in tree.families:
        start = family.start
        for length in family.lengths:
            if start <= end < start + length:
                places = [i for a, b in family.prefix for i in range(a, b)] + list(range(start, end + 1))
                return [tree.tokens[i] for i in places], [tree.positions[i] for i in places]
            start += length
    raise AssertionError(f"no family holds {end}")


def check(prompts, tree):
    for prompt, end in zip(prompts, tree.ends, strict=True):
        tokens, positions = seen(tree, end)
        assert tokens == list(prompt)
        assert positions == list(range(len(prompt)))
    starts = [(f.start, f.start + sum(f.lengths)) for f in tree.families]
    assert [end for _, end in starts] == [*(start for start, _ in starts[1:]), len(tree.tokens)]


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_history_and_each_reccot_stand_once(shuffled):
    prompts = random.Random(1).sample(PROMPTS, len(PROMPTS)) if shuffled else PROMPTS
    tree = prefix_tree(prompts)
    check(prompts, tree)
    assert len(tree.tokens) == 20 + 3 * 25 + 9 * 2
    assert tree.families[0] == Family((), 0, (20,))
    assert [len(family.prefix) for family in tree.families] == [0, 1, 2, 2, 2]


def test_short_common_beginnings_are_repeated():
    tree = prefix_tree(PROMPTS, least_shared=21)
    assert [len(family.prefix) for family in tree.families] == [0, 1, 1, 1]
    check(PROMPTS, tree)
    assert len(tree.tokens) == 3 * 45 + 9 * 2
    check(PROMPTS, prefix_tree(PROMPTS, least_shared=1000))


def test_prompts_without_a_common_beginning_are_one_family():
    prompts = [(1, 2, 3), (4, 5), (6,)]
    tree = prefix_tree(prompts)
    check(prompts, tree)
    assert tree.families == (Family((), 0, (3, 2, 1)),)


def test_a_prompt_that_another_begins_with_ends_inside_it():
    prompts = [HISTORY, (*HISTORY, *RECCOTS[0]), HISTORY, (*HISTORY, 7)]
    tree = prefix_tree(prompts)
    check(prompts, tree)
    assert len(tree.tokens) == 20 + 25 + 1


def test_one_prompt_is_itself():
    assert prefix_tree([(5, 6, 7)]).tokens == (5, 6, 7)


@pytest.mark.parametrize("least_shared", [1, 2, 5])
def test_whatever_the_prompts_they_are_read_back(least_shared):
    rng = random.Random(least_shared)
    for _ in range(200):
        prompts = [tuple(rng.randrange(2) for _ in range(rng.randint(1, 12))) for _ in range(rng.randint(1, 12))]
        check(prompts, prefix_tree(prompts, least_shared))
