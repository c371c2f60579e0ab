"""The statistics teacher's RecCoTs as features beside those of G: no LLM runs, and none of them is taken for G's."""

import numpy as np
import pytest
from deltalake import DeltaTable

from jobs import nightly, publish_teacher
from tests.e2e.logs import write_conf, write_csv
from trackrec.engines.encoder import encode_texts, load_encoder
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve_model
from trackrec.reccots.feature_version import feature_spec_of
from trackrec.reccots.features import served_reccots
from trackrec.reccots.parts import parts_of
from trackrec.report.show import reccots as shown_reccots
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.inputs import reccots_of
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import PART_VECTORS
from trackrec.tables.warehouse import Warehouse
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import StatisticsTeacher

pytestmark = pytest.mark.e2e

NO_LLM = ("--set", "generator.model.source=path:/nowhere")  # would end the job, were it looked at
GENERATED = ("reccots", "reccot_embeddings", "reccot_vectors")


@pytest.fixture(scope="module")
def conf(spark, tmp_path_factory):
    """Settings of a log with a night of G, then the teacher."""
    folder = tmp_path_factory.mktemp("teacher")
    path = write_conf(folder, prompt={"template": "preference_v2"}, quality={"max_duplicate_share": 1.0})
    # Every third item is not liked: once three of them were met, War stands out below and Drama above.
    catalogue = [{"sku": f"i{n}", "name": f"Title {n}", "genres": "Drama" if n % 3 else "War"} for n in range(9)]
    write_csv(folder / "items.csv", catalogue)
    assert nightly.main(["--conf", str(path)]) == 0
    assert publish_teacher.main(["--conf", str(path), *NO_LLM]) == 0
    return path


def rows(conf, table):
    return DeltaTable(conf.parent / "warehouse" / table).to_pyarrow_table().to_pylist()


def of_teacher(conf, table):
    return [row for row in rows(conf, table) if is_teacher(row["generator_version"])]


def test_every_history_has_the_teachers_reccot_and_its_row_says_how_it_came(conf):
    settings = load_settings(conf)
    histories = {row["prompt_key"]: row for row in rows(conf, "user_histories")}
    teacher = StatisticsTeacher(template_of(settings.prompt, settings.histories))
    written = of_teacher(conf, "reccots")
    assert sorted(row["prompt_key"] for row in written) == sorted(histories)
    for row in written:
        history = histories[row["prompt_key"]]
        assert row["text"] == row["raw_text"] == teacher.text(history)
        assert (row["generator_version"], row["sampling"], row["sample_number"]) == (teacher.version, "{}", 0)
        assert (row["engine"], row["engine_id"], row["status"]) == ("teacher", teacher.version, "ok")
        assert row["seed"] == int(row["prompt_key"][:8], 16)
        assert (row["user_id"], row["as_of"], row["source_max_time"]) == (
            history["user_id"], history["as_of"], history["source_max_time"],
        )  # fmt: skip


def test_it_is_published_under_a_feature_version_of_its_own(conf):
    published = rows(conf, "reccot_vectors")
    by_version = {row["feature_version"]: row["generator_version"] for row in published}
    assert len(by_version) == 2
    assert list(map(is_teacher, by_version.values())).count(True) == 1
    assert len(of_teacher(conf, "reccot_vectors")) == len(rows(conf, "user_histories")) == len(published) / 2
    templates = {row["prompt_key"]: row["template_version"] for row in rows(conf, "user_histories")}
    assert all(row["template_version"] == templates[row["prompt_key"]] for row in published)


def test_its_vectors_are_those_of_its_parts_and_of_the_facts(conf):
    settings = load_settings(conf)
    model = resolve_model(settings.encoder.model.source, settings.cache_dir())
    encoder = load_encoder(model.path, threads=2)
    histories = {row["prompt_key"]: row for row in rows(conf, "user_histories")}
    present = set()
    for row in of_teacher(conf, "reccot_vectors"):
        history = histories[row["prompt_key"]]
        titles_first = history["prompt_body"].split("<<<\n")[1].split("\n>>>")[0].splitlines()
        texts = {
            "reccot_vector": row["reccot"],
            "prompt_vector": "\n".join([*titles_first[2:], *titles_first[:2]]),
            **dict(zip(PART_VECTORS, parts_of(row["reccot"], [*history["liked"], *history["disliked"]]), strict=True)),
        }
        said = [name for name, text in texts.items() if text]
        assert said == [name for name in texts if row[name] is not None]
        vectors = encode_texts(encoder, [texts[name] for name in said], 8)
        np.testing.assert_allclose([row[name] for name in said], vectors, atol=1e-5)
        present |= set(said)
    assert present >= {"liked_vector", "avoided_vector"}


def test_a_second_run_and_another_night_write_nothing(conf):
    before = {table: sorted(map(str, rows(conf, table))) for table in GENERATED}
    assert publish_teacher.main(["--conf", str(conf), *NO_LLM]) == 0
    assert nightly.main(["--conf", str(conf)]) == 0
    assert {table: sorted(map(str, rows(conf, table))) for table in GENERATED} == before


def test_nothing_that_asks_for_gs_reccots_meets_the_teachers(conf, spark):
    settings = load_settings(conf)
    tables = Warehouse(spark, settings.warehouse)
    served = served_reccots(tables.read("reccots"), feature_spec_of(settings))
    for reccots in (served, reccots_of(settings, tables)):
        assert {row["engine"] for row in reccots.collect()} == {"scripted"}
    assert " of their last " not in shown_reccots(Lake(settings.warehouse)), "the teacher's words"
