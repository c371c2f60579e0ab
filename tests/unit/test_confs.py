"""The settings files of this repository: those that use conf/demo_generator ask it as it was taught."""

import pytest

from tests.conftest import ROOT
from trackrec.histories.templates import template_of
from trackrec.runtime.settings_files import load_settings

CONFS = sorted(path.stem for path in (ROOT / "conf").glob("*.yaml") if path.stem != "base")


def conf(name):
    return load_settings(ROOT / "conf" / f"{name}.yaml")


BY_DEMO_GENERATOR = [name for name in CONFS if conf(name).generator.model.source.endswith("demo_generator")]


def asks(settings):
    """(version of the template, what decides a prompt's length)"""
    histories = settings.histories
    return template_of(settings.prompt, histories).version, histories.listed, histories.tallied


def test_the_settings_files_of_the_demo_generator_are_these():
    assert {"demo", "gain", "loop", "ml1m"} == {*BY_DEMO_GENERATOR}


@pytest.mark.parametrize("name", BY_DEMO_GENERATOR)
def test_the_demo_generator_is_asked_in_the_words_that_it_was_taught(name):
    settings = conf(name)
    assert asks(settings) == asks(conf("distill"))
    assert settings.generator.sampling.frequency_penalty == 0, "its texts name the same attribute twice"
    assert settings.generator.sampling.max_tokens >= 132, "the longest of 4,677 texts of its teacher has 131 tokens"
