"""RecCoTs are shown beside the numbers that their prompts showed."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests import ctr_log
from trackrec.report.show import reccots
from trackrec.tables.arrow import arrow_type
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import TABLES

KEYS = {"user_id": "u", "as_of": datetime(2024, 1, 1, tzinfo=UTC), "prompt_key": "p"}
RECCOT = {"reccot": "They liked 54 %.", "status": "ok", "generator_version": "g@0123456789ab+vllm.float32"}
HISTORY = {"n_events": 80, "n_liked": 40, "liked": ["Heat"], "disliked": [], "tallies": []}
DRAMA = {"attribute": "Drama", "liked": 16, "disliked": 4}
SHARES = {"shown_events": 50, "shown_liked": 27, "above": [DRAMA], "below": []}


def table(name, row):
    fields = [pa.field(column, arrow_type(TABLES[name].column(column))) for column in row]
    return pa.Table.from_pylist([row], schema=pa.schema(fields))


@pytest.mark.parametrize(
    ("shares", "lines"),
    [
        (SHARES, ["  usual     54 % (27 of 50)", "  above     Drama 80 % (16 of 20)", "  below     none"]),
        ({"tallies": [DRAMA]}, ["  tallies   Drama 16/4 (liked/disliked)"]),
    ],
    ids=["a template with shares", "one of before, whose columns are lacking"],
)
def test_the_numbers_of_the_prompt_stand_above_its_reccot(tmp_path, shares, lines):
    history = table("user_histories", KEYS | HISTORY | shares)
    ctr_log.write(tmp_path, reccot_vectors=table("reccot_vectors", KEYS | RECCOT), user_histories=history)
    assert reccots(Lake(str(tmp_path))).split("\n")[3:] == [*lines, "  RecCoT    They liked 54 %."]


def test_an_id_and_a_text_reach_the_terminal_without_newlines_and_escape_sequences_of_their_own(tmp_path):
    hostile = "u\x1b[31m\nUser forged as of [red]today[/]"
    keys = KEYS | {"user_id": hostile}
    history = table("user_histories", keys | HISTORY | SHARES | {"liked": [f"Heat{hostile}"]})
    reccot = RECCOT | {"reccot": f"They liked {hostile}."}
    ctr_log.write(tmp_path, reccot_vectors=table("reccot_vectors", keys | reccot), user_histories=history)
    shown = reccots(Lake(str(tmp_path))).split("\n")
    assert shown[0].startswith("User u\\x1b[31m\\nUser forged as of [red]today[/] as of 2024-01-01")
    assert not [line for line in shown[1:] if line.startswith("User") or "\x1b" in line]
