"""V's log-odds: vLLM and transformers on the same weights, one prefill a request."""

from dataclasses import replace

import pytest
import torch

from tests.engine.asking import body
from trackrec.engines.build import build_engine
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.runtime.errors import BadInputError

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
    (yes,), (no,) = chat.answers.tokens
    assert [chat.tokenizer.decode([token]) for token in (yes, no)] == ["Yes", "No"]
    model = AutoModelForCausalLM.from_pretrained(judge.model.path, dtype="float32")
    logits = model(torch.tensor([chat.ids(Request("", PROMPTS[0], "", 0))])).logits[0, -1].detach()
    (found,) = log_odds(replace(judge, engine="transformers"), PROMPTS[:1])
    assert found == pytest.approx(float(logits[yes] - logits[no]), abs=1e-4)


def test_in_bf16_the_head_still_runs_in_fp32_so_that_prompts_do_not_tie(judge):
    found = log_odds(replace(judge, deterministic=False), PROMPTS)
    assert len(set(found)) == len(PROMPTS)
    assert any(abs(8 * odds - round(8 * odds)) > 0.01 for odds in found), "bf16 logits would be multiples of 1/8 here"


def test_answers_of_several_tokens_are_judged_by_their_whole_log_probability(judge):
    from transformers import AutoModelForCausalLM

    spec = replace(judge, answers=("Absolutely", "Not at all"))
    chat = Chat(spec)
    answers = chat.answers.tokens
    assert min(map(len, answers)) > 1
    model = AutoModelForCausalLM.from_pretrained(spec.model.path, dtype="float32")
    expected = []
    for prompt in PROMPTS[:3]:
        ids = chat.ids(Request("", prompt, "", 0))
        totals = []
        for answer in answers:
            logits = model(torch.tensor([[*ids, *answer]])).logits[0, len(ids) - 1 : -1].detach()
            totals.append(float(torch.log_softmax(logits, -1).gather(1, torch.tensor(answer)[:, None]).sum()))
        expected.append(totals[0] - totals[1])
    assert log_odds(spec, PROMPTS[:3]) == pytest.approx(expected, abs=1e-3)
    assert log_odds(replace(spec, engine="transformers"), PROMPTS[:3]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("answers", [("Yes", "Yes"), ("Yes", "Yes, very much")])
def test_answers_of_which_one_begins_with_the_other_are_refused(judge, answers):
    with pytest.raises(BadInputError, match="one begins with the other"):
        Chat(replace(judge, answers=answers))
