"""A teacher that is a model: its engine is started where there is work and closed behind it, a text or fault a row."""

import pytest

from tests.conftest import CONF
from tests.weights import write_weights
from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import DistillSettings, TeacherModelSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.teacher_texts import teacher_texts
from trackrec.tables.lake import Lake
from trackrec.training.teachers import model as model_teacher
from trackrec.training.teachers.build import build_teacher, teacher_version

TEMPLATE = Template("t", "", "films", "genres")


def rows(*prompts):
    return [{"user_id": f"u{i}", "prompt_key": f"k{i}", "prompt_body": text} for i, text in enumerate(prompts)]


@pytest.fixture
def weights(tmp_path):
    """A folder in transformers' layout; the scripted engine reads none of it."""
    return write_weights(tmp_path / "weights")


@pytest.fixture
def distill(weights):
    def settings(**model):
        given = {"source": f"path:{weights}", "engine": "scripted"} | model
        return DistillSettings(teacher="model", model=TeacherModelSettings(**given))

    return settings


@pytest.fixture
def engines(monkeypatch):
    """The engines that were built, in order; each counts how often it was closed."""
    built = []
    build = model_teacher.build_engine

    def counted(spec):
        engine = build(spec)
        engine.closed, close = 0, engine.close

        def closing():
            engine.closed += 1
            close()

        engine.close = closing
        built.append(engine)
        return engine

    monkeypatch.setattr(model_teacher, "build_engine", counted)
    return built


@pytest.fixture
def ask(settings, tmp_path, distill):
    lake = Lake(str(tmp_path / "lake"))

    def asked(histories):
        teacher = build_teacher(distill(), TEMPLATE, tmp_path)
        stage = Stage("distill", [])
        run = Run(name="t", settings=settings, run_id="r")
        return teacher_texts(run, lake, stage, histories, teacher), stage.counts

    asked.lake = lake
    return asked


def test_every_history_gets_a_text_that_goes_on_from_the_opening_and_one_engine_wrote_them(ask, engines):
    texts, counts = ask(rows("one", "two", "three"))
    assert counts == {"texts": 3, "faults": 0}
    assert all(text.startswith("The user is drawn to ") for text in texts.values())
    assert len(set(texts.values())) == 3
    assert [engine.closed for engine in engines] == [1]


def test_a_second_run_asks_for_what_is_missing_and_starts_no_engine_where_nothing_is(ask, engines):
    first, _ = ask(rows("one", "SCRIPT:flaky"))
    again, counts = ask(rows("one", "two"))
    assert counts == {"texts": 2, "faults": 0}
    assert again["k0"] == first["k0"]
    assert ask(rows("one", "two"))[0] == again
    assert [engine.closed for engine in engines] == [1, 1]


def test_a_cut_answer_keeps_its_whole_sentences_and_one_without_any_is_a_fault(ask):
    texts, counts = ask(rows("SCRIPT:cut", "SCRIPT:empty", "one"))
    assert texts["k0"].endswith(".")
    assert "And then" not in texts["k0"]
    assert counts == {"texts": 2, "faults": 1}
    (fault,) = ask.lake.read_columns("quarantine", ["user_id", "reason"]).to_pylist()
    assert fault == {"user_id": "u1", "reason": "empty"}


def test_a_history_that_breaks_a_step_is_a_fault_of_its_own(ask):
    texts, counts = ask(rows("one", "SCRIPT:crash", "two"))
    assert set(texts) == {"k0", "k2"}
    assert counts == {"texts": 2, "faults": 1}


def test_a_teacher_that_is_given_up_closes_its_engine(ask, engines):
    with pytest.raises(BadInputError, match=r"failed on 2 histories.*distill\.model"):
        ask(rows("SCRIPT:fail", "SCRIPT:fail too"))
    assert [engine.closed for engine in engines] == [1]


def test_a_slow_teachers_texts_are_committed_before_there_are_many(ask, monkeypatch):
    committed = []
    insert = Lake.insert_rows

    def counted(lake, table, given):
        committed.append(len(given))
        return insert(lake, table, given)

    monkeypatch.setattr(Lake, "insert_rows", counted)
    ask(rows("one", "two", "three"))
    monkeypatch.setattr("trackrec.stages.teacher_texts._COMMIT_SECONDS", 0.0)
    ask([row | {"prompt_key": f"other {row['prompt_key']}"} for row in rows("one", "two", "three")])
    assert committed == [3, 1, 1, 1]


def test_the_version_changes_with_what_decides_a_text_and_not_with_how_it_is_run(distill, weights, tmp_path):
    def version(template=TEMPLATE, **model):
        found = teacher_version(distill(**model), template, tmp_path)
        assert build_teacher(distill(**model), template, tmp_path).version == found
        return found

    first = version()
    assert first.startswith("model:weights@")
    assert first == version(max_num_seqs=8, high_water=16, threads=1, max_model_len=512)
    others = {version(max_tokens=90), version(engine="transformers"), version(Template("t", "", "books", "genres"))}
    (weights / "model.safetensors").write_bytes(b"2")
    assert len({first, *others, version()}) == 5


def test_without_a_model_it_says_which_setting_to_give(tmp_path):
    with pytest.raises(BadInputError, match=r"no distill\.model.*distill\.model\.source"):
        build_teacher(DistillSettings(teacher="model"), TEMPLATE, tmp_path)


def test_a_teacher_on_several_gpus_is_refused():
    sets = ["distill.model.source=path:m", "distill.model.engine=vllm", "distill.model.engines=8"]
    with pytest.raises(BadInputError, match=r"distill\.model\.engines: .* 1"):
        load_settings(CONF, sets)


def test_its_weights_are_looked_for_beside_the_settings_file(tmp_path):
    models = "generator: {model: {source: 'path:g'}}\nencoder: {model: {source: 'path:e'}}\n"
    (tmp_path / "base.yaml").write_text(models)
    (tmp_path / "mine.yaml").write_text("distill: {teacher: model, model: {source: 'path:weights'}}\n")
    (tmp_path / "weights").mkdir()
    model = load_settings(tmp_path / "mine.yaml").distill.model
    assert model is not None
    assert model.source == f"path:{tmp_path / 'weights'}"
