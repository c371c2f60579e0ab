"""What the steps of a round do: which histories are written about, with which settings; ``alternate`` has the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.user_split import is_validator_user
from trackrec.feedback.validator import validator_settings
from trackrec.feedback.writers import with_candidates, with_generator
from trackrec.reccots.feature_version import generator_of
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import ModelSettings, Settings, ValidatorSettings
from trackrec.stages.generate import generate_reccots
from trackrec.stages.given_generator import begins_distilled, register_generator
from trackrec.stages.inputs import holdout_of, teaching_snapshots
from trackrec.stages.measure import measure_round
from trackrec.stages.rec_tuning import build_rec_tuning
from trackrec.stages.validate import validate_reccots
from trackrec.tables.catalog import lake_of
from trackrec.tables.lake import Lake
from trackrec.tables.warehouse import Warehouse


class RoundSteps:
    """The work of each step of a loop with the settings of ``run``; G and V are named as model.source takes them."""

    def __init__(self, run: Run, tables: Warehouse) -> None:
        self._run, self._tables = run, tables
        self._settings = run.settings

    def first_generator(self) -> Outcome:
        """G_0: distilled, or the settings' own (``loop.distill``); label source."""
        from trackrec.stages.distill import distill_generator

        if begins_distilled(self._settings.generator.model.source, self._settings.loop.distill):
            return distill_generator(self._run, self._lake(), number=0)
        return register_generator(self._run, self._lake())

    def greedy(self, generator: str) -> Outcome:
        """G as it is served, about what V is tuned on and what the hold-out's events join."""
        settings = with_generator(self._settings, generator)
        measured = holdout_of(self._settings, self._tables).select("user_id", "as_of")
        snapshots = self._tuned_on().union(measured).distinct()
        outcome = generate_reccots(self._run.with_settings(settings), self._tables, snapshots)
        return replace(outcome, labels={**outcome.labels, **generator_of(settings)._asdict()})

    def tuning_samples(self, generator: str) -> Outcome:
        """Texts of G at temperature 1 about what V is tuned on: such texts it will judge."""
        settings = with_candidates(with_generator(self._settings, generator), self._settings.tune.candidates)
        return generate_reccots(self._run.with_settings(settings), self._tables, self._tuned_on())

    def tune(self, generator: str, also: tuple[str, ...], before: Sequence[str], number: int, fold: int) -> Outcome:
        """V_t of a fold, on the RecCoTs of G and of the further sources of G ``also`` about its users.

        From its base of the start, or from the V's of the round ``before`` (``tune.start``). In round 0 there is none:
        a fold whose V the settings do not name starts from the base, not from G's adapter.
        """
        from trackrec.stages.tune import tune_validator

        named, tune = self._settings.validator, self._settings.tune
        tune = tune.model_copy(update={"also": tuple(dict.fromkeys((*tune.also, *also)))})
        validator = validator_settings(self._settings)
        if before and tune.start == "previous":
            validator = with_validators(validator, before)
        elif named is None or (fold and named.counterpart is None):
            tune = tune.model_copy(update={"start": "base"})
        settings = with_generator(self._settings, generator).model_copy(update={"validator": validator, "tune": tune})
        run = self._run.with_settings(settings)
        build_rec_tuning(run, self._tables, fold=fold)
        return tune_validator(run, self._lake(), number=number, fold=fold)

    def candidates(self, judging: Run) -> Outcome:
        """Candidates of G about the users whom V judges; ``judging`` as from ``candidate_settings``."""
        return generate_reccots(judging, self._tables, self._judged_about())

    def validate(self, judging: Run) -> Outcome:
        """V's judgement of these candidates, and of no other texts that were drawn with the same sampling."""
        return validate_reccots(judging, self._tables, self._judged_about())

    def align(self, judging: Run, number: int) -> Outcome:
        """S-DPO from G to G_t."""
        from trackrec.stages.align import align_generator

        return align_generator(judging, self._lake(), number=number)

    def measure(self, generators: Mapping[str, str], validators: Sequence[str]) -> Outcome:
        """The V's on the hold-out, shown the RecCoTs of each of ``generators`` (name → source), the last being G_t."""
        validator = with_validators(validator_settings(self._settings), validators)
        run = self._run.with_settings(self._settings.model_copy(update={"validator": validator}))
        by_name = {name: with_generator(self._settings, source) for name, source in generators.items()}
        return measure_round(run, self._tables, by_name)

    def _tuned_on(self) -> DataFrame:
        """user_id, as_of of the histories that V is tuned on: of all users where there are two V's."""
        taught = teaching_snapshots(self._settings, self._tables, self._settings.loop.histories)
        return taught if self._settings.feedback.cross_fit else taught.where(self._is_validator_user())

    def _judged_about(self) -> DataFrame:
        """user_id, as_of of the histories that candidates are written about: of all users where there are two V's."""
        aligned = teaching_snapshots(self._settings, self._tables, self._settings.loop.aligned_histories)
        return aligned if self._settings.feedback.cross_fit else aligned.where(~self._is_validator_user())

    def _is_validator_user(self) -> Column:
        return is_validator_user(F.col("user_id"), self._settings.feedback.validator_share)

    def _lake(self) -> Lake:
        return lake_of(self._settings, self._run.name)


def with_validators(validator: ValidatorSettings, sources: Sequence[str]) -> ValidatorSettings:
    """The settings of V with the weights of ``sources``: the V of fold 0 and, where there is one, its counterpart."""
    models = [ModelSettings(source=source) for source in sources]
    return validator.model_copy(update=dict(zip(("model", "counterpart"), models, strict=False)))


def candidate_settings(settings: Settings, generator: str, validators: Sequence[str]) -> Settings:
    """The settings in which G writes candidates, as ``with_candidates`` says, and the V's judge them."""
    drawing = with_candidates(with_generator(settings, generator), settings.feedback.candidates)
    return drawing.model_copy(update={"validator": with_validators(validator_settings(settings), validators)})
