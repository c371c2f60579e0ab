"""Whose judgement G is aligned to, from which candidates, and where the tuning of a V goes on."""

import json
from types import SimpleNamespace

import pyarrow as pa
import pytest

from trackrec.feedback.offset import OFFSET_FILE, Offset
from trackrec.feedback.user_split import FOLD_FILE, in_share, save_fold
from trackrec.feedback.validator import Validator, validator_settings
from trackrec.models.resolve import Model
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EngineSettings, SamplingSettings, Settings
from trackrec.stages.align import preference_rows
from trackrec.stages.round_steps import with_validators
from trackrec.stages.tune import start_of
from trackrec.stages.validate import check_sampling

G = Model(path="", name="g", version="g@0123456789ab", source="", cache="")
USERS = [[f"u{n}" for n in range(40) if in_share(f"u{n}", 0.5) is first][:3] for first in (True, False)]


def settings(**sections):
    model = {"model": {"source": "path:m"}}
    run = {"engine": "scripted", "dtype": "float32", "threads": 7, "chunk_rows": 9, "sampling": {"n": 3}}
    return Settings.model_validate({"generator": model | run, "encoder": model} | sections)


def aligned(chosen, *judged):
    """Users whose preferences are taken; ``judged``: (user, validator_version)."""
    names = {"generator_version": f"{G.version}+scripted", "sampling": chosen.generator.sampling.canonical()}
    rows = [
        {"user_id": u, "prompt_key": f"p{u}{v}", "validator_version": v, "chosen": "c", "rejected": ["r"]} | names
        for u, v in judged
    ]
    table = pa.Table.from_pylist(rows)
    lake = SimpleNamespace(read_columns=lambda _, columns: table.select(columns))
    return {row["user_id"] for row in preference_rows(chosen, lake, G)}


PAIR = [*((user, "v of fold 1") for user in USERS[0]), *((user, "v of fold 0") for user in USERS[1])]


def test_without_a_v_named_the_only_pair_that_judged_a_fold_each_is_the_one_that_is_meant():
    assert aligned(settings(), *PAIR) == {*USERS[0], *USERS[1]}


@pytest.mark.parametrize(
    ("feedback", "judged"),
    [
        ({}, [*PAIR, (USERS[0][0], "v of the next round")]),
        ({}, [(USERS[0][0], "a"), (USERS[0][1], "b")]),
        ({"cross_fit": False}, PAIR),
    ],
)
def test_of_several_judges_of_one_user_the_remedy_names_every_setting_that_says_which(feedback, judged):
    with pytest.raises(BadInputError) as refused:
        aligned(settings(feedback=feedback), *judged)
    named = [
        name for name in ("validator.model.source=", "validator.counterpart.source=") if name in str(refused.value)
    ]
    assert len(named) == (1 if feedback else 2)


def test_a_v_named_by_hand_is_run_as_the_loop_runs_it():
    by_hand = settings(validator={"model": {"source": "path:v"}})
    assert validator_settings(by_hand) == with_validators(validator_settings(settings()), ["path:v"])
    v = Model("", "v", "v@0", "", "")
    template = SimpleNamespace(version="validator@0")
    versions = {Validator(validator_settings(one), v, template).version for one in (by_hand, settings())}
    assert versions == {"v@0+scripted+validator@0"}


def test_what_the_settings_say_of_v_stands_above_what_g_has():
    chosen = validator_settings(settings(validator={"model": {"source": "path:v"}, "engine": "packed", "threads": 2}))
    assert (chosen.engine, chosen.threads, chosen.dtype, chosen.chunk_rows) == ("packed", 2, "float32", 4096)
    like = set(EngineSettings.model_fields) - {"engine", "threads", "chunk_rows"}
    assert all(getattr(chosen, name) == getattr(settings().generator, name) for name in like)


@pytest.mark.parametrize("bent", [{"frequency_penalty": 0.4}, {"frequency_penalty": -0.1}, {"top_p": 0.9}, {"n": 1}])
def test_candidates_are_several_texts_drawn_from_g_itself(bent):
    drawn = {"n": 3, "temperature": 1.0}
    check_sampling(SamplingSettings(**drawn))
    with pytest.raises(BadInputError):
        check_sampling(SamplingSettings(**drawn | bent))


@pytest.fixture
def previous(tmp_path):
    """Settings that go on from ``named``, and the V of a fold, whose adapter's folder is ``tmp_path``."""

    def of(*, fold=0, offset="none", **named):
        sources = {name: {"source": f"adapter:{tmp_path}"} for name in named}
        chosen = settings(
            tune={"start": "previous"}, feedback={"offset": offset}, **({"validator": sources} if sources else {})
        )
        model = Model("m", "v", "v@1", f"adapter:{tmp_path}", "", adapter=str(tmp_path))
        saved = SimpleNamespace(version="validator@0")
        return start_of(chosen, Validator(validator_settings(chosen), model, saved), fold)

    return of


def test_tuning_goes_on_from_the_v_of_its_fold(previous, tmp_path):
    assert previous(model=True).version == "v@1", "of an earlier version nobody knows the fold"
    save_fold(tmp_path / FOLD_FILE, 1)
    assert previous(model=True, counterpart=True, fold=1).version == "v@1"
    assert json.loads((tmp_path / FOLD_FILE).read_text()) == {"fold": 1}


@pytest.mark.parametrize(("named", "fold"), [({}, 0), ({"model": True}, 1)])
def test_tuning_goes_on_from_no_v_that_nobody_named(previous, named, fold):
    setting = ("validator.model", "validator.counterpart")[fold]
    with pytest.raises(BadInputError, match=f"{setting} names none.*--set {setting}.source="):
        previous(fold=fold, **named)


def test_a_v_without_an_llm_is_nothing_to_go_on_from(previous, tmp_path):
    Offset(1, 1, 0, 0.5, liked=0.2, counted=True).save(tmp_path / OFFSET_FILE)
    with pytest.raises(BadInputError, match=r"one without an LLM.*Set tune\.start=base"):
        previous(model=True, offset="named")


def test_tuning_does_not_go_on_from_a_v_that_began_elsewhere(previous, tmp_path):
    Offset(1, 1, 0, 0.5, liked=0.2).save(tmp_path / OFFSET_FILE)
    assert previous(model=True, offset="named").version == "v@1"
    with pytest.raises(BadInputError, match=r"was tuned with feedback\.offset=named, and now that is fixed"):
        previous(model=True, offset="fixed")


@pytest.mark.parametrize("offset", ["none", "fixed"])
def test_tuning_does_not_go_on_from_the_v_of_the_other_fold(previous, tmp_path, offset):
    if offset == "fixed":
        Offset(1, 1, 0, 0.5, fold=1).save(tmp_path / OFFSET_FILE)
    else:
        save_fold(tmp_path / FOLD_FILE, 1)
    with pytest.raises(BadInputError, match="was tuned on fold 1"):
        previous(model=True, counterpart=True, offset=offset)
