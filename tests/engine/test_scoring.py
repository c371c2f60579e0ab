"""V's log-odds: vLLM and transformers on the same weights, one prefill a request."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import torch

from tests.engine.asking import body
from trackrec.engines.build import build_engine
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.runtime.errors import BadInputError
from udfs.validate import scored_frames
from udfs.worker import WorkerEngine

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
    found = asked(engine, prompts)
    engine.close()
    return found


def asked(engine, prompts):
    for i, prompt in enumerate(prompts):
        engine.submit(Request(str(i), prompt, "", 0))
    done = []
    while engine.unfinished:
        done += engine.step()
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


TIME = pd.Timestamp("2024-05-02 03:04:06")
RECCOTS = [
    "The user is drawn to Action (14 liked, 9 not). They are cooler on Comedy.",
    "The user likes films about crews far from home, and avoids whatever is loud without a reason. " * 3,
]
TREE = [
    f"{body(31 + h)}\nConcluded: {reccot}\nThe next film: {film}. Will this user like it? Answer Yes or No."
    for h in range(2)
    for reccot in RECCOTS
    for film in FILMS
]


@pytest.mark.parametrize("answers", [("Yes", "No"), ("Absolutely", "Not at all")])
def test_packed_log_odds_are_vllms_within_a_thousandth(judge, answers):
    spec = replace(judge, answers=answers)
    packed = replace(spec, engine="packed", max_packed_tokens=700)
    one, two = log_odds(spec, TREE), log_odds(packed, TREE)
    assert one == pytest.approx(two, abs=1e-3)
    assert max(one) - min(one) > 0.1


@pytest.mark.parametrize(("engine", "apart"), [("vllm", 2e-5), ("packed", 2e-4)])
def test_what_else_is_asked_changes_log_odds_by_rounding_only(judge, engine, apart):
    judging = build_engine(replace(judge, engine=engine))
    alone = [odds for prompt in TREE[3:6] for odds in asked(judging, [prompt])]
    assert asked(judging, TREE)[3:6] == pytest.approx(alone, abs=apart)
    judging.close()


def test_packed_reads_what_prompts_have_in_common_once(judge):
    packed = build_engine(replace(judge, engine="packed"))
    read = []
    packed._body.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    for i, prompt in enumerate(TREE):
        packed.submit(Request(str(i), prompt, "", 0))
    lengths = [finished.prompt_tokens for finished in packed.step()]
    assert packed.unfinished == 0
    assert len(lengths) == len(TREE)
    assert sum(read) < sum(lengths) / 3


def test_the_validate_udf_has_a_row_of_every_request_from_the_packed_engine(judge):
    n = range(len(TREE))
    requests = pd.DataFrame(
        {
            "request_key": [f"q{i}" for i in n], "row_key": [f"r{i:02}" for i in n], "item_id": "i", "event_time": TIME,
            "user_id": "u", "prompt_key": "p", "as_of": TIME, "label": 1, "prompt_body": TREE,
            "question_key": [f"k{i}" for i in n], "offset": math.nan,
        }
    )  # fmt: skip
    packed = replace(judge, engine="packed", max_packed_tokens=900, high_water=8)
    worker_engine = WorkerEngine(build_engine(packed), "id")
    frames = scored_frames(iter([requests[:5], requests[5:]]), worker_engine, packed, "v@0")
    rows = pd.concat(list(frames)).sort_values("row_key")
    assert list(rows.row_key) == list(requests.row_key)
    assert list(rows.log_odds) == pytest.approx(log_odds(packed, TREE), abs=2e-4)
    assert rows.error.isna().all()


def test_packed_judges_a_model_with_its_adapter_merged_or_beside_it(judge, tmp_path):
    from trackrec.models.adapters import save_adapter
    from trackrec.models.lora import trainable
    from trackrec.runtime.settings import LoraSettings

    model = trainable(judge.model, "float32", LoraSettings(rank=4, alpha=8), seed=1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    save_adapter(model, tmp_path / "adapter", source=judge.model.source, version=judge.model.version)
    adapted = replace(judge, model=replace(judge.model, adapter=str(tmp_path / "adapter")), deterministic=False)
    found = log_odds(replace(adapted, engine="transformers", dtype="float32"), TREE)
    assert found != pytest.approx(log_odds(replace(judge, engine="transformers"), TREE), abs=0.05)
    assert log_odds(replace(adapted, engine="packed", dtype="float32"), TREE) == pytest.approx(found, abs=1e-3)
    assert log_odds(replace(adapted, engine="packed", dtype="bfloat16"), TREE) == pytest.approx(found, abs=0.5)
