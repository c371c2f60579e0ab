import re
import subprocess
import sys
from pathlib import Path

import pytest

from trackrec.runtime.errors import BadInputError
from trackrec.tables.contract import check_columns
from trackrec.tables.schemas import ITEMS, TABLES
from trackrec.tables.schemas.__main__ import markdown

ROOT = Path(__file__).parents[2]


def test_the_table_docs_are_fresh():
    assert (ROOT / "docs" / "tables.md").read_text() == markdown(TABLES.values()), "run `make docs`"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_every_key_is_a_column_of_its_table(table):
    assert set(table.key) <= set(table.column_names)


@pytest.mark.parametrize("table", [t for t in TABLES.values() if not t.external], ids=lambda t: t.name)
def test_every_writer_is_a_job_that_exists(table):
    jobs = re.findall(r"\w+\.py", table.writer)
    assert jobs or table.writer == "every job"
    assert all((ROOT / "jobs" / job).is_file() for job in jobs)


def test_every_table_of_users_can_be_cleared_of_a_user():
    of_items = {"items", "item_vectors", "item_descriptions", "item_description_staging", "item_digests"}
    without_users = {
        *of_items,
        "runs",
        "nights",
        "leases",
        "forgotten_users",
        "feature_gain",
        "feature_projections",
        "gain_slices",
        "model_versions",
    }
    assert {t.name for t in TABLES.values() if "user_id" not in t.column_names} == without_users


def test_missing_extra_and_wrong_columns_are_all_named():
    with pytest.raises(BadInputError, match=r"missing title.*unexpected name.*attributes is string, expected array"):
        check_columns(ITEMS, [("item_id", "string"), ("name", "string"), ("attributes", "string")], where="a test")


def test_the_core_imports_without_torch_vllm_or_fuxictr():
    code = (
        "import sys, trackrec.stages.opening, trackrec.stages.histories, trackrec.stages.generate; "
        "import trackrec.stages.encode, trackrec.stages.encode_items, trackrec.stages.publish; "
        "sys.exit(str({'torch', 'vllm', 'fuxictr', 'transformers'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
