"""The validate UDF's rows, on the scripted engine."""

import math

import pandas as pd
import pytest

from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import Model
from trackrec.runtime.settings import SamplingSettings
from udfs.validate import COLUMNS, probability, validate_udf

SPEC = EngineSpec(
    Model("", "v", "v@0", "path:v", ""), "scripted", SamplingSettings(), answers=("Yes", "No"), high_water=8
)
TIME = pd.Timestamp("2024-05-02 03:04:06")


def rows(bodies, offset=math.nan, **flags):
    n = range(len(bodies))
    requests = pd.DataFrame(
        {
            "request_key": [f"q{i}" for i in n], "row_key": [f"r{i}" for i in n], "item_id": "i", "event_time": TIME,
            "user_id": "u", "prompt_key": "p", "as_of": TIME, "label": 1, "prompt_body": bodies,
            "question_key": [f"k{i}" for i in n], "offset": offset,
        }
    )  # fmt: skip
    frames = list(validate_udf(SPEC, "v@0+t", **flags)(iter([requests, requests[:0]])))
    return pd.concat(frames).set_index("row_key").sort_index()


def test_every_request_gets_one_row_with_the_tables_columns():
    out = rows([f"body {i}" for i in range(300)])
    assert ["row_key", *out.columns] == COLUMNS
    assert len(out) == out.index.nunique() == 300
    assert set(out.validator_version) == {"v@0+t"}
    assert sorted(out.question_key) == sorted(f"k{i}" for i in range(300))
    assert out.p_yes.nunique() == 300


def test_p_is_the_probability_of_yes_among_yes_and_no():
    out = rows(["a", "b"])
    assert [math.log(p / (1 - p)) for p in out.p_yes] == pytest.approx(list(out.log_odds))


def test_an_offset_is_added_to_what_the_llm_says_less_its_mean():
    alone, moved = rows(["a", "b"]), rows(["a", "b"], offset=0.7, base=0.2)
    assert list(moved.log_odds - alone.log_odds) == pytest.approx([0.5, 0.5])
    assert [probability(odds) for odds in moved.log_odds] == pytest.approx(list(moved.p_yes))
    assert list(moved.offset) == [0.7, 0.7]
    assert rows(["a"], base=0.2).log_odds.iloc[0] == alone.log_odds.iloc[0], "where there is no offset"


def test_a_request_that_breaks_the_engine_fails_alone():
    out = rows(["a", "SCRIPT:crash", "b"])
    assert list(out.error_kind) == [None, "permanent", None]


@pytest.mark.parametrize(("log_odds", "p"), [(0.0, 0.5), (1e4, 1.0), (-1e4, 0.0), (math.log(3), 0.75)])
def test_no_log_odds_overflow(log_odds, p):
    assert probability(log_odds) == pytest.approx(p)
