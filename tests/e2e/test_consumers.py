"""docs/consumers.md as a consumer follows it: its own snippets, on tables that the jobs wrote."""

import re

import numpy as np
import pytest

from jobs import build_histories, encode_items
from tests.conftest import ROOT
from tests.e2e.logs import log_rows, write_conf, write_csv
from trackrec.models.resolve import resolve_model

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A warehouse with samples and item_vectors; item "late" of the log is in no catalogue."""
    folder = tmp_path_factory.mktemp("consumers")
    conf = str(write_conf(folder))
    write_csv(folder / "log.csv", [*log_rows(), {"member": "u0", "sku": "late", "at": "2024-01-20", "stars": 5}])
    for job in (build_histories, encode_items):
        assert job.main(["--conf", conf]) == 0
    return folder / "warehouse"


@pytest.fixture(scope="module")
def encoder_version(settings):
    return resolve_model(settings.encoder.model.source, settings.cache_dir()).version


def snippet(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "consumers.md").read_text(), re.DOTALL)
    return text


def test_the_spark_join_gives_every_sample_one_row_and_a_flag_where_there_is_no_vector(filled, spark, encoder_version):
    places = {name: f"delta.`{filled}/{name}`" for name in ("samples", "item_vectors")}
    rows = spark.sql(snippet("sql").format(**places, encoder_version=encoder_version)).collect()
    assert len(rows) == len(log_rows()) + 1
    assert [row.item_id for row in rows if row.no_item_vector] == ["late"]
    assert {len(row.item_vector) for row in rows if row.item_id != "late"} == {384}


def test_the_join_without_spark_gives_a_matrix_with_a_vector_of_unit_norm_or_zeros_a_row(filled, encoder_version):
    names = {"warehouse": str(filled), "encoder_version": encoder_version}
    exec(snippet("python"), names)
    assert names["matrix"].shape == (len(log_rows()) + 1, 384)
    norms = np.linalg.norm(names["matrix"], axis=1)
    np.testing.assert_allclose(norms, np.where(names["no_item_vector"], 0, 1), atol=1e-5)
    assert names["rows"]["item_id"][names["no_item_vector"]].tolist() == ["late"]
