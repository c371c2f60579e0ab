"""The settings files of this repository: those that use conf/demo_generator ask it as it was taught."""

import pytest

from tests.conftest import ROOT
from trackrec.histories.templates import template_of
from trackrec.runtime.settings_files import load_settings

CONFS = sorted(path.stem for path in (ROOT / "conf").glob("*.yaml") if path.stem != "base")


def conf(name):
    return load_settings(ROOT / "conf" / f"{name}.yaml")


def asks(settings):
    """(version of the template, what decides a prompt's length)"""
    histories = settings.histories
    return template_of(settings.prompt, histories).version, histories.listed, histories.tallied


@pytest.mark.parametrize("name", CONFS)
def test_every_settings_file_loads_and_has_a_template(name):
    assert asks(conf(name))


@pytest.mark.parametrize("name", ["demo", "gain", "loop", "ml1m"])
def test_the_demo_generator_is_asked_in_the_words_that_it_was_taught(name):
    settings = conf(name)
    assert settings.generator.model.source.endswith("demo_generator")
    assert asks(settings) == asks(conf("distill"))
    assert settings.generator.sampling.frequency_penalty == 0, "its texts name the same attribute twice"
    assert settings.generator.sampling.max_tokens >= 128, "the longest text of its teacher has 108 tokens"
