"""The schedule of TrackRec (arXiv 2508.15388): G and V teach each other, round by round.

Round 0: G_0 is distilled from a teacher, V_0 tuned on its greedy RecCoTs. Round t: candidates of G_{t-1} → judged by
V_{t-1} → S-DPO → G_t → its greedy RecCoTs → V_t tuned from its base. V_0 is tuned, unlike in the paper: an untuned
small V is near chance.

Every step's outcome is written down when it is finished, and every step is idempotent: a loop that was killed goes on
at the step it was in, which finds what it had already written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from trackrec.feedback.judge import validator_settings
from trackrec.feedback.user_split import of_validator
from trackrec.models.registry import Made, register
from trackrec.runtime.settings import SamplingSettings, Settings
from trackrec.stages import forecast, generate, histories, measure, validate
from trackrec.stages import rec_tuning as tune
from trackrec.stages.job import Job
from trackrec.tables.lake import open_lake

Outcome = dict[str, Any]


class Progress:
    """The outcomes of the finished steps of one loop, in a file beside its models."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, Outcome] = json.loads(path.read_text()) if path.is_file() else {}

    def step(self, name: str, work: Callable[[], Outcome | None], tell: Callable[[str], None]) -> Outcome:
        """The outcome of step ``name``: as written down, or of ``work``, which is then written down."""
        if name in self.done:
            tell(f"loop: {name} was finished before")
            return self.done[name]
        tell(f"loop: {name}")
        began = time.monotonic()
        found = (work() or {}) | {"seconds": round(time.monotonic() - began, 1)}
        self.done[name] = found
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.done, indent=1, sort_keys=True))
        os.replace(scratch, self._path)
        return found


def alternate(job: Job, tell: Callable[[str], None] = print) -> dict[str, Outcome]:
    """Run ``loop.rounds`` rounds; returns the outcome of every step by its name, e.g. ``align 1``.

    An outcome of a training holds ``source``, as model.source takes it. The loop is known by its settings: with others
    it is another loop.
    """
    job = _with(job, aligned_windows(job.settings))
    progress = progress_of(job.settings)
    done = partial(progress.step, tell=tell)
    done("histories", partial(histories.run, job))
    if len(progress.done) == 1:  # of a loop that goes on, it would tell what is behind it too
        tell(f"loop: {forecast.told(forecast.work_of(job))}")
    g = done("distill 0", partial(_distill, job, tell))["source"]
    done("greedy 0", partial(_greedy, job, g))
    v = done("tune 0", partial(_tune, job, g, 0, tell))["source"]
    first = g
    done("measure 0", partial(_measure, job, {"G_0": first}, v, tell))
    rounds = job.settings.loop.rounds
    for number in range(1, rounds + 1):
        judged = _with(job, judging(job.settings, g, v))
        done(f"candidates {number}", partial(_candidates, judged))
        done(f"validate {number}", partial(validate.run, judged))
        g = done(f"align {number}", partial(_align, judged, number, tell))["source"]
        done(f"greedy {number}", partial(_greedy, job, g))
        v = done(f"tune {number}", partial(_tune, job, g, number, tell))["source"]
        done(f"measure {number}", partial(_measure, job, {"G_0": first, f"G_{number}": g}, v, tell))
        if number < rounds:
            took = sum(found["seconds"] for name, found in progress.done.items() if name.endswith(f" {number}"))
            tell(f"loop: a round took {took / 60:.0f} min, {rounds - number} to go")
    return progress.done


def progress_of(settings: Settings) -> Progress:
    """The finished steps of the loop with these settings."""
    name = hashlib.sha256(_told(aligned_windows(settings)).encode()).hexdigest()[:16]
    return Progress(Path(settings.models).resolve() / "loops" / f"{name}.json")


def aligned_windows(settings: Settings) -> Settings:
    """The loop needs the snapshots of the alignment window only."""
    shown = settings.histories.model_copy(update={"windows": ("alignment",), "policy": "every_n_events"})
    return settings.model_copy(update={"histories": shown})


def of_generator(settings: Settings, source: str) -> Settings:
    """The settings with G from ``source``, writing as it is served."""
    model = settings.generator.model.model_copy(update={"source": source, "sha256": None})
    return settings.model_copy(update={"generator": settings.generator.model_copy(update={"model": model})})


def judging(settings: Settings, generator: str, validator: str) -> Settings:
    """The settings in which G writes candidates, at temperature 1 and without penalties, and V judges them.

    Candidates are drawn from G itself: S-DPO compares probabilities of the model, not of a model bent by sampling.
    """
    given = settings.generator.sampling
    sampling = SamplingSettings(
        temperature=1.0, n=settings.feedback.candidates, max_tokens=given.max_tokens, stop=given.stop
    )
    told = of_generator(settings, generator)
    chosen = validator_settings(settings)
    model = chosen.model.model_copy(update={"source": validator, "sha256": None})
    return told.model_copy(
        update={
            "generator": told.generator.model_copy(update={"sampling": sampling}),
            "validator": chosen.model_copy(update={"model": model}),
        }
    )


def _greedy(job: Job, generator: str) -> None:
    """What V is tuned and measured on: the histories of V's users, and those that the hold-out's events join."""
    measured = [row["prompt_key"] for row in measure.held_out(job).select("prompt_key").distinct().collect()]
    wanted = of_validator(F.col("user_id"), job.settings.feedback.validator_share) | F.col("prompt_key").isin(measured)
    generate.run(_with(job, of_generator(job.settings, generator)), only=wanted)


def _candidates(job: Job) -> None:
    generate.run(job, only=~of_validator(F.col("user_id"), job.settings.feedback.validator_share))


def _distill(job: Job, tell: Callable[[str], None]) -> Outcome:
    from trackrec.stages.distill import distill_generator

    return _registered(job, "generator", distill_generator(job, open_lake(job.settings, job.name), tell), 0)


def _align(job: Job, number: int, tell: Callable[[str], None]) -> Outcome:
    from trackrec.stages.align import align_generator

    made = align_generator(job.settings, open_lake(job.settings, job.name), tell)
    return _registered(job, "generator", made, number)


def _tune(job: Job, generator: str, number: int, tell: Callable[[str], None]) -> Outcome:
    from trackrec.stages.tune import tune_validator

    told = _with(job, of_generator(job.settings, generator))
    tune.run(told)
    lake = open_lake(told.settings, told.name)
    made = tune_validator(told.settings, validator_settings(job.settings), lake, tell)
    return _registered(told, "validator", made, number)


def _measure(job: Job, generators: dict[str, str], validator: str, tell: Callable[[str], None]) -> Outcome:
    judged = _with(job, judging(job.settings, job.settings.generator.model.source, validator))
    return measure.run(judged, generators, job.settings.generator.sampling.canonical(), tell)


def _registered(job: Job, role: str, made: Made, number: int) -> Outcome:
    model, _ = register(job, open_lake(job.settings, job.name), role, made, number=number)
    return {"source": made.source, "version": model.version, "metrics": made.metrics}


def _with(job: Job, settings: Settings) -> Job:
    return replace(job, settings=settings)


def _told(settings: Settings) -> str:
    """What decides a loop's outcome: not where logs go, nor how many rounds are asked for this time."""
    whole = settings.model_dump(mode="json", exclude={"log", "loop", "ctr", "env", "spark_conf"})
    return json.dumps(whole, sort_keys=True)
