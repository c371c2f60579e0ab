"""Rows of the tables as token ids: which tokens are the prompt, which are learned, and what is left out."""

from types import SimpleNamespace

import pytest

from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import Model
from trackrec.runtime.settings import SamplingSettings
from trackrec.training.answer_tokens import answer_groups
from trackrec.training.preference_tokens import preference_groups
from trackrec.training.teacher_tokens import teacher_examples

END = 0
OPENING = "They like"


def ids(text):
    return [ord(letter) for letter in text]


class Letters:
    """A chat whose tokens are letters, with room for ``limit`` of them in a prompt."""

    answers = SimpleNamespace(tokens=((ord("Y"),), (ord("N"),)))

    def __init__(self, limit=100):
        self._limit = limit

    class tokenizer:
        eos_token_id = END

        def __new__(cls, text, add_special_tokens):
            assert not add_special_tokens
            return {"input_ids": ids(text)}

    def ids(self, request: Request):
        return ids(f"<{request.prompt}>{request.opening}")

    def fault(self, tokens):
        return "prompt_too_long" if len(tokens) > self._limit else None


@pytest.fixture
def spec():
    model = Model("", "", "", "", "")
    return EngineSpec(model, "scripted", SamplingSettings(), opening=OPENING, max_model_len=40)


def candidate(text, ended=True):
    return {"text": text, "ended": ended}


def test_a_candidates_tokens_begin_behind_the_opening_and_end_where_g_stopped_by_itself(spec):
    row = {
        "prompt_key": "k",
        "chosen": candidate(f"{OPENING} a"),
        "rejected": [candidate(f"{OPENING} bc", ended=False)],
    }
    (preference,) = preference_groups([row], {"k": "body"}, Letters(), spec)
    assert preference.key == "k"
    assert preference.group.prompt == tuple(ids(f"<body>{OPENING}"))
    assert preference.group.answers == ((*ids(" a"), END), tuple(ids(" bc")))


def test_a_history_whose_longest_candidate_exceeds_the_context_is_left_out(spec):
    fitting = 40 - len(f"<body>{OPENING}")
    rows = [
        {"prompt_key": "k", "chosen": candidate("a"), "rejected": [candidate("b" * length, ended=False)]}
        for length in (fitting, fitting + 1)
    ]
    assert len(preference_groups(rows[:1], {"k": "body"}, Letters(), spec)) == 1
    assert preference_groups(rows[1:], {"k": "body"}, Letters(), spec) == []


def test_v_learns_yes_behind_a_liked_item_and_no_behind_another():
    rows = [{"row_key": "r", "prompt_body": f"both {item}", "label": label} for item, label in (("a", 1), ("b", 0))]
    (group,) = answer_groups([rows], Letters())
    assert group.key == "r"
    assert group.group.prompt == tuple(ids("<both "))
    assert group.group.answers == (tuple(ids("a>Y")), tuple(ids("b>N")))
    assert group.group.counted == (1, 1)


def test_a_prompt_beyond_the_context_is_left_out_and_a_reccot_without_another_too():
    long, short = ({"row_key": "r", "prompt_body": "a" * length, "label": 1} for length in (9, 8))
    (group,) = answer_groups([[long, short], [long]], Letters(limit=10))
    assert group.group.answers == (tuple(ids("Y")),)


def test_a_teachers_text_is_learned_behind_the_opening_with_its_end():
    (example,) = teacher_examples(
        [{"prompt_key": "k", "prompt_body": "body"}], {"k": f"{OPENING} a."}, Letters(), OPENING
    )
    assert example.prompt == tuple(ids(f"<body>{OPENING}"))
    assert example.answer == (*ids(" a."), END)
