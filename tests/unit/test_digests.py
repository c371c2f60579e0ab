"""A training made by an earlier version is found again: the names of trainings are those of before, digit by digit."""

from trackrec.runtime.settings import AlignmentSettings, DistillSettings, RecTuningSettings
from trackrec.training.digests import alignment_digest, distillation_digest, rec_tuning_digest


def candidate(key, reward, ended=True):
    return {"row_key": key, "text": f"The user is drawn to {key}.", "ended": ended, "reward": reward}


def test_an_alignment_keeps_its_name():
    row = {"prompt_key": "p0", "chosen": candidate("r0", 0.75)}
    row["rejected"] = [candidate("r1", 0.5), candidate("r2", 0.25, ended=False)]
    assert alignment_digest("g0@0123456789ab", "float32", AlignmentSettings(), [row]) == "f4553feae23f70ed"


def test_a_rec_tuning_keeps_its_name():
    rows = [{"row_key": "r0", "item_id": "i0", "label": 1}, {"row_key": "r0", "item_id": "i1", "label": 0}]
    digest = rec_tuning_digest(
        "base@0123456789ab", "float32", ("Yes", "No"), RecTuningSettings(), "validator@8c4450590f97", rows
    )
    assert digest == "a687164cf2590f0f"


def test_a_distillation_keeps_its_name_whoever_the_teacher_is():
    texts = ["The user is drawn to Heat.", "The user is drawn to Babe."]
    for settings in (DistillSettings(), DistillSettings(teacher="openai")):
        digest = distillation_digest(
            "base@0123456789ab", "float32", settings, "preference_v1@c15c33ad75e8", ["p0", "p1"], texts
        )
        assert digest == "4c2f5e2760da5896"
