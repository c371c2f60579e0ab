"""Which positions are scored behind a prompt, and when all of them have been read."""

from trackrec.engines.answers import Answers


def test_answers_of_one_token_each_are_scored_at_the_position_behind_the_prompt():
    answers = Answers([(1,), (2,)])
    assert answers.one_token_each
    assert answers.next_tokens == {(): [1, 2]}
    assert answers.scored({(): {1: -0.5, 2: -1.5}})


def test_longer_answers_are_scored_once_each_of_their_beginnings_was_read():
    answers = Answers([(1, 3), (2,)])
    first, second = {(): {1: -0.5, 2: -1.5}}, {(1,): {3: -0.25}}
    assert not answers.one_token_each
    assert not answers.scored(first)
    assert not answers.scored(second)
    assert answers.scored(first | second)
    assert answers.scores(first | second) == (-0.75, -1.5)
