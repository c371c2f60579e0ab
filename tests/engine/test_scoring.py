"""V's log-odds: vLLM and transformers on the same weights, one prefill a request."""

from dataclasses import replace

import pytest
import torch

from tests.engine.asking import body
from trackrec.engines.base import Request, build_engine
from trackrec.engines.chat import Chat
from trackrec.errors import BadInputError

pytestmark = pytest.mark.engine

FILMS = ["Heat", "The Piano", "Alien", "Babe", "Speed", "Fargo", "Casablanca, a film whose title is rather longer"]
PROMPTS = [
    f"{body(3 * i)}\nThe next film: {film}. Will this user like it? Answer Yes or No." for i, film in enumerate(FILMS)
]


@pytest.fixture(scope="module")
def judge(spec):
    return replace(spec, answers=("Yes", "No"), opening="")


def log_odds(spec, prompts):
    engine = build_engine(spec)
    for i, prompt in enumerate(prompts):
        engine.submit(Request(str(i), prompt, "", 0))
    done = []
    while engine.unfinished:
        done += engine.step()
    engine.close()
    return [f.scores[0] - f.scores[1] for f in sorted(done, key=lambda f: int(f.key))]


def test_vllm_and_transformers_agree_within_a_thousandth_in_fp32(judge):
    one = log_odds(judge, PROMPTS)
    two = log_odds(replace(judge, engine="transformers", max_num_seqs=3), PROMPTS)
    assert one == pytest.approx(two, abs=1e-3)
    assert max(one) - min(one) > 0.1, "prompts that V tells apart"


def test_the_log_odds_are_the_models_own_at_the_answer_position(judge):
    from transformers import AutoModelForCausalLM

    chat = Chat(judge)
    yes, no = chat.answer_ids()
    assert [chat.tokenizer.decode([token]) for token in (yes, no)] == ["Yes", "No"]
    model = AutoModelForCausalLM.from_pretrained(judge.model.path, dtype="float32")
    logits = model(torch.tensor([chat.ids(Request("", PROMPTS[0], "", 0))])).logits[0, -1].detach()
    (found,) = log_odds(replace(judge, engine="transformers"), PROMPTS[:1])
    assert found == pytest.approx(float(logits[yes] - logits[no]), abs=1e-4)


def test_in_bf16_the_head_still_runs_in_fp32_so_that_prompts_do_not_tie(judge):
    found = log_odds(replace(judge, deterministic=False), PROMPTS)
    assert len(set(found)) == len(PROMPTS)
    assert any(abs(8 * odds - round(8 * odds)) > 0.01 for odds in found), "bf16 logits would be multiples of 1/8 here"


@pytest.mark.parametrize(
    ("answers", "fault"),
    [(("Absolutely", "No"), "no single token for the answer 'Abs"), (("Yes", "Yes"), "the same token")],
)
def test_answers_that_are_not_two_different_tokens_are_refused(judge, answers, fault):
    with pytest.raises(BadInputError, match=fault):
        Chat(replace(judge, answers=answers)).answer_ids()
