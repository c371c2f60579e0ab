from pathlib import Path

import pytest

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings_files import load_settings

CONF = Path(__file__).parents[2] / "conf"


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
