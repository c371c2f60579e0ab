"""A training made by an earlier version is found again: the names of trainings are those of before, digit by digit."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest

from trackrec.feedback.offset import COUNTS
from trackrec.feedback.reader import NAMED
from trackrec.models.resolve import Model
from trackrec.runtime.settings import AlignmentSettings, DistillSettings, RecTuningSettings, Settings
from trackrec.stages.align import preference_rows
from trackrec.stages.tune import training_rows
from trackrec.tables.keys import key_of_values
from trackrec.training.digests import alignment_digest, distillation_digest, rec_tuning_digest
from trackrec.training.earlier_keys import earlier_row_keys, with_earlier_candidates, with_earlier_keys
from trackrec.training.prompts_file import folder_for_prompts

G = Model(path="", name="g", version="g@0123456789ab", source="", cache="")
REKEYED = "g@0123456789ab+scripted"
PROMPTS = [f"p{i}" for i in range(6)]


def candidate(key, reward, ended=True):
    return {"row_key": key, "text": f"The user is drawn to {key}.", "ended": ended, "reward": reward}


def test_an_alignment_keeps_its_name():
    row = {"prompt_key": "p0", "chosen": candidate("r0", 0.75)}
    row["rejected"] = [candidate("r1", 0.5), candidate("r2", 0.25, ended=False)]
    assert alignment_digest("g0@0123456789ab", "float32", AlignmentSettings(), [row]) == "f4553feae23f70ed"


def test_every_ablation_of_an_alignment_is_a_training_of_its_own_and_none_is_that_of_before():
    chosen = ({}, {"length_normalised": False, "sft_weight": 0.0}, {"length_normalised": True}, {"sft_weight": 0.1},
              {"sft_weight": 0.2})  # fmt: skip
    before, none, *ablations = (
        alignment_digest("g0@0123456789ab", "float32", AlignmentSettings(**settings), []) for settings in chosen
    )
    assert before == none
    assert len({before, *ablations}) == 4


def test_a_rec_tuning_keeps_its_name():
    rows = [{"row_key": "r0", "item_id": "i0", "label": 1}, {"row_key": "r0", "item_id": "i1", "label": 0}]
    settings = RecTuningSettings(batch_size=1)
    digest = rec_tuning_digest("base@0123456789ab", "float32", ("Yes", "No"), settings, "validator@8c4450590f97", rows)
    assert digest == "a687164cf2590f0f"


def test_another_start_other_counts_and_no_offset_are_other_trainings():
    counts = dict(zip(COUNTS, (1, 2, 3, 4), strict=True))
    rows = [{"row_key": "r0", "item_id": "i0", "label": 1} | counts]
    corrected = [{**rows[0], "item_liked": 2}]

    def name(rows, base="base@0", **offset):
        return rec_tuning_digest(base, "float32", ("Yes", "No"), RecTuningSettings(), "t", rows, **offset)

    names = [name(rows), name(rows, strength=5.0), name(corrected, strength=5.0), name(rows, "v@1", strength=5.0)]
    assert len(set(names)) == 4
    assert name(corrected) == name(rows)


def test_which_reccots_v_is_tuned_on_is_in_its_name_by_the_rows_alone():
    rows = [{"row_key": "r0", "item_id": "i0", "label": 1}]

    def name(**settings):
        return rec_tuning_digest("base@0", "float32", ("Yes", "No"), RecTuningSettings(**settings), "t", rows)

    assert name(candidates=0) == name(candidates=2, also=("path:g",), start="previous") == name()
    assert name(next_events=3) != name()


def test_a_distillation_keeps_its_name_whoever_the_teacher_is():
    texts = ["The user is drawn to Heat.", "The user is drawn to Babe."]
    teachers = [{}, {"teacher": "openai"}, {"teacher": "model", "model": {"source": "path:m"}}]
    for settings in map(DistillSettings.model_validate, teachers):
        digest = distillation_digest(
            "base@0123456789ab", "float32", settings, "preference_v1@c15c33ad75e8", ["p0", "p1"], texts
        )
        assert digest == "4c2f5e2760da5896"


def test_another_order_of_the_examples_or_other_products_are_another_distillation():
    ways = (DistillSettings(), DistillSettings(by_length=True), DistillSettings(bfloat16_products=True))
    names = {distillation_digest("base@0", "float32", way, "t@0", ["p0"], ["Heat."]) for way in ways}
    assert len(names) == len(ways)


def test_a_v_that_begins_with_a_reader_is_named_by_what_that_counted():
    row = {"row_key": "r0", "item_id": "i0", "label": 1, "named_liked": 1, "named_avoided": 0} | dict.fromkeys(
        COUNTS, 1
    )

    def name(row, reads):
        way = RecTuningSettings()
        return rec_tuning_digest("base@0", "float32", ("Yes", "No"), way, "t", [row], 5.0, reads=reads)

    assert name(row, True) != name(row | {"named_liked": 2}, True)
    assert name(row, True) != name(row, False) == name(row | {"named_liked": 2}, False)


def test_a_tuning_on_a_readers_targets_is_named_by_what_the_reader_counted():
    row = {"row_key": "r0", "item_id": "i0", "label": 1, "named_liked": 1, "named_avoided": 0}

    def name(row, targets="reader"):
        way = RecTuningSettings(targets=targets)
        return rec_tuning_digest("base@0", "float32", ("Yes", "No"), way, "t", [row])

    assert name(row) != name(row | {"named_liked": 2}) != name(row, "labels")
    assert name(row, "labels") == name(row | {"named_liked": 2}, "labels")


def test_other_products_are_another_alignment_and_another_tuning():
    fast, rows = {"bfloat16_products": True}, [{"row_key": "r0", "item_id": "i0", "label": 1}]

    def alignment(**settings):
        return alignment_digest("g@0", "float32", AlignmentSettings(**settings), [])

    def tuning(**settings):
        return rec_tuning_digest("base@0", "float32", ("Yes", "No"), RecTuningSettings(**settings), "t", rows)

    assert alignment(**fast) != alignment()
    assert tuning(**fast) != tuning()


@pytest.fixture
def settings():
    model = {"model": {"source": "path:m"}}
    generator = model | {"engine": "scripted", "sampling": {"n": 3}}
    return Settings.model_validate({"generator": generator, "encoder": model})


def row_key(settings, version, prompt, number):
    return key_of_values(prompt, version, settings.generator.sampling.canonical(), str(number))


def lake_of(rows):
    absent = dict.fromkeys(("user_id", "fold", *COUNTS, *NAMED))  # of rows of an earlier version
    table = pa.Table.from_pylist([absent | row for row in rows])
    return SimpleNamespace(read_columns=lambda _, columns: table.select(columns))


def test_a_rec_tuning_on_rekeyed_rows_has_the_name_and_the_order_of_before(settings):
    def rows(version):
        sampling = settings.generator.sampling.canonical()
        versions = {"generator_version": version, "sampling": sampling, "template_version": "t"}
        time = datetime(2024, 1, 1, tzinfo=UTC)
        event = {"item_id": "i", "event_time": time, "label": 1, "prompt_body": "b"}
        keys = [(prompt, number) for prompt in PROMPTS for number in (0, 2)]
        return [{"row_key": row_key(settings, version, *key), "prompt_key": key[0]} | event | versions for key in keys]

    def name(rows):
        return rec_tuning_digest("base@0", "float32", ("Yes", "No"), settings.tune, "t", rows)

    before = sorted(rows(G.version), key=lambda row: row["row_key"])
    after = [row for (row,) in training_rows(settings, lake_of(rows(REKEYED)), G, "t")]
    assert [row["prompt_key"] for row in after] == [row["prompt_key"] for row in before]
    assert name(with_earlier_keys(after, earlier_row_keys(settings.generator, G, after))) == name(before)
    assert name(after) != name(before)


def test_an_alignment_on_rekeyed_rows_has_the_name_of_before(settings):
    def rows(version):
        sampling = settings.generator.sampling.canonical()
        names = {"generator_version": version, "validator_version": "v", "sampling": sampling}
        for prompt in PROMPTS:
            chosen, *rejected = (
                {"row_key": row_key(settings, version, prompt, number), "text": "t", "ended": True, "reward": 0.5}
                for number in (2, 0, 1)
            )
            yield {"prompt_key": prompt, "chosen": chosen, "rejected": rejected} | names

    def name(rows):
        return alignment_digest(G.version, "float32", settings.align, rows)

    after = preference_rows(settings, lake_of(list(rows(REKEYED))), G)
    assert name(with_earlier_candidates(after, earlier_row_keys(settings.generator, G, after))) == name(rows(G.version))


def test_a_corrected_prompt_is_another_training_and_the_earlier_one_is_found_with_the_earlier_prompt(tmp_path):
    folder = tmp_path / "0123456789abcdef"
    first, second = (folder_for_prompts(folder, ["Heat", title]) for title in ("Babe", "Babe (1995)"))
    assert first == folder
    assert second.parent == tmp_path
    assert second.name.startswith(f"{folder.name}-")
    assert folder_for_prompts(folder, ["Heat", "Babe (1995)"]) == second
    assert folder_for_prompts(folder, ["Heat", "Babe"]) == folder


def test_a_training_of_an_earlier_version_is_taken_to_have_read_the_present_prompts(tmp_path):
    folder = tmp_path / "0123456789abcdef"
    (folder / "adapter").mkdir(parents=True)
    assert folder_for_prompts(folder, ["Heat"]) == folder
    assert folder_for_prompts(folder, ["Babe"]) != folder
