"""item_vectors as a user's catalogue changes: real Spark, real encoder, the job as it is run."""

import csv
import shutil

import numpy as np
import pytest
from deltalake import DeltaTable

from jobs import encode_items
from tests.e2e.logs import copied, counts, rows, write_conf, write_csv
from trackrec.engines.encoder import encode_texts, load_encoder
from trackrec.models.resolve import resolve_model
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.item_vectors import write_item_vectors
from trackrec.tables.keys import key_of_values
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.e2e

ITEMS = [
    {"sku": "i0", "name": "Heat", "genres": "Action Crime", "year": "1995", "description": "Two men."},
    {"sku": "i1", "name": "Toy Story (1995)", "genres": "Comedy", "year": "1995", "description": ""},
    {"sku": "i2", "name": "", "genres": "Drama", "year": "V", "description": ""},
    {"sku": "i3", "name": "", "genres": "", "year": "", "description": ""},
]
TEXTS = {"i0": "Heat (1995), Action, Crime. Two men.", "i1": "Toy Story (1995), Comedy", "i2": "Drama"}


def encode(folder, run_id, *sets):
    flags = [part for text in sets for part in ("--set", text)]
    return encode_items.main(["--conf", str(folder / "conf.yaml"), "--run-id", run_id, *flags])


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A catalogue of four items, encoded: its folder."""
    folder = tmp_path_factory.mktemp("items")
    write_conf(folder)
    write_csv(folder / "items.csv", ITEMS)
    assert encode(folder, "first") == 0
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    """The same again, for a test that changes it; the settings read the files of the copy."""
    return copied(filled, tmp_path / "copy")


def change(folder, sku, **cells):
    with (folder / "items.csv").open(encoding="utf-8") as file:
        items = list(csv.DictReader(file))
    write_csv(folder / "items.csv", [{**item, **cells} if item["sku"] == sku else item for item in items])


def by_item(folder):
    return {row["item_id"]: row for row in rows(folder, "item_vectors")}


def test_every_item_with_a_text_has_its_vector_key_and_attributes(filled, settings):
    stored = by_item(filled)
    assert {item: row["text"] for item, row in stored.items()} == TEXTS
    assert {item: row["item_key"] for item, row in stored.items()} == {
        item: key_of_values("catalogue", text) for item, text in TEXTS.items()
    }
    assert {item: row["attributes"] for item, row in stored.items()} == {
        "i0": ["Action", "Crime"], "i1": ["Comedy"], "i2": ["Drama"],
    }  # fmt: skip
    model = resolve_model(settings.encoder.model.source, settings.cache_dir())
    assert {(row["text_source"], row["encoder_version"]) for row in stored.values()} == {("catalogue", model.version)}
    expected = encode_texts(load_encoder(model.path, 2), list(TEXTS.values()), 8)
    np.testing.assert_allclose([stored[item]["item_vector"] for item in TEXTS], expected, atol=1e-5)


def test_items_without_text_and_items_of_the_log_without_a_row_are_counted(filled):
    """Of the log's items i0 to i8 the catalogue has i0 to i3, and i3 says nothing."""
    assert counts(filled, "first", "items") == {
        "rows": 3, "unchanged": 0, "superseded": 0, "items without text": 1, "log items without row": 5,
    }  # fmt: skip


def test_a_second_run_encodes_nothing_and_leaves_every_row_as_it_was(copy, filled):
    assert encode(copy, "second") == 0
    assert {**counts(copy, "second", "items"), "unchanged": 3} == {
        **counts(filled, "first", "items"),
        "rows": 0,
        "unchanged": 3,
    }
    assert sorted(map(str, rows(copy, "item_vectors"))) == sorted(map(str, rows(filled, "item_vectors")))


def test_a_changed_title_encodes_exactly_that_item_again_and_removes_its_earlier_row(copy):
    change(copy, "i1", name="Toy Story 2")
    assert encode(copy, "changed") == 0
    changed = counts(copy, "changed", "items")
    assert (changed["rows"], changed["unchanged"], changed["superseded"]) == (1, 2, 1)
    assert len(rows(copy, "item_vectors")) == 3
    assert {row["item_id"]: row["text"] for row in rows(copy, "item_vectors") if row["run_id"] == "changed"} == {
        "i1": "Toy Story 2 (1995), Comedy"
    }


def test_an_earlier_row_that_a_killed_run_left_goes_with_the_next_run(copy, spark):
    path = str(copy / "warehouse" / "item_vectors")
    change(copy, "i0", name="Heat II")
    before = (
        spark.read.format("delta").option("versionAsOf", DeltaTable(path).version()).load(path).where("item_id = 'i0'")
    )
    assert encode(copy, "changed") == 0
    before.write.format("delta").mode("append").save(path)  # as if killed between the write and the deletion
    assert len(rows(copy, "item_vectors")) == 4
    assert encode(copy, "next") == 0
    assert (counts(copy, "next", "items")["rows"], counts(copy, "next", "items")["superseded"]) == (0, 1)
    assert by_item(copy)["i0"]["text"].startswith("Heat II (1995)")


def test_attributes_that_are_cut_otherwise_and_give_the_same_text_are_renewed_without_encoding(copy):
    change(copy, "i0", genres="Action, Crime")
    assert encode(copy, "uncut", 'source.items.attribute_separator="|"') == 0
    assert counts(copy, "uncut", "items")["rows"] == 0
    assert (by_item(copy)["i0"]["attributes"], by_item(copy)["i0"]["text"]) == (["Action, Crime"], TEXTS["i0"])


def test_two_encoder_versions_live_beside_each_other(copy, settings, tmp_path):
    model = resolve_model(settings.encoder.model.source, settings.cache_dir())
    shutil.copytree(model.path, tmp_path / "encoder", ignore=shutil.ignore_patterns("trackrec*"))
    config = tmp_path / "encoder" / "config.json"
    config.write_text(config.read_text() + "\n")
    change(copy, "i2", genres="War")
    assert encode(copy, "other", f"encoder.model.source=path:{tmp_path}/encoder") == 0
    assert (counts(copy, "other", "items")["rows"], counts(copy, "other", "items")["superseded"]) == (3, 0)
    versions = {row["encoder_version"] for row in rows(copy, "item_vectors")}
    assert len(versions) == 2
    assert len(rows(copy, "item_vectors")) == 6
    assert {row["text"] for row in rows(copy, "item_vectors") if row["item_id"] == "i2"} == {"Drama", "War"}


def test_texts_of_another_source_leave_those_of_the_catalogue_alone(copy, spark):
    settings = load_settings(copy / "conf.yaml")
    encoder = resolve_model(settings.encoder.model.source, settings.cache_dir())
    run, tables = Run(name="describe", settings=settings, run_id="r"), Warehouse(spark, settings.warehouse)

    def write(text):
        texts = spark.createDataFrame(
            [("i0", "G@0+vllm", text, None)],
            "item_id string, text_source string, text string, attributes array<string>",
        )
        stage = Stage("items")
        write_item_vectors(run, tables, stage, texts, encoder)
        return stage.counts

    assert write("A thriller.") == {"rows": 1, "unchanged": 0, "superseded": 0}
    assert write("A heist.") == {"rows": 1, "unchanged": 0, "superseded": 1}
    assert sorted(row["text"] for row in rows(copy, "item_vectors")) == sorted(["A heist.", *TEXTS.values()])


def test_a_catalogue_that_says_nothing_ends_with_2_and_one_line(spark, tmp_path, capsys):
    write_conf(tmp_path)
    write_csv(tmp_path / "items.csv", [{"sku": f"i{n}", "name": "", "genres": ""} for n in range(3)])
    assert encode(tmp_path, "r") == 2
    assert capsys.readouterr().err == (
        "error: table items: none of its 3 usable rows has title, year, attributes or description. "
        "Map the columns that say something under source.items.columns in conf/.\n"
    )
    assert not (tmp_path / "warehouse" / "item_vectors").exists()


def test_vectors_of_another_size_are_not_written_and_end_with_1(spark, tmp_path, capsys):
    write_conf(tmp_path)
    assert encode(tmp_path, "r", "encoder.vector_size=100") == 1
    assert "item_vectors not written: 9 vectors of the wrong length." in capsys.readouterr().err
    assert not (tmp_path / "warehouse" / "item_vectors").exists()
