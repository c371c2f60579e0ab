"""All seeds of an experiment: one after the other, or several at a time in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trackrec.ctr.experiment import Experiment, measure_seed
from trackrec.ctr.results import ArmResult
from trackrec.models.threads import use_threads


def measure_seeds(
    experiment: Experiment, share: float, fitted: Callable[[ArmResult], None]
) -> Iterator[list[ArmResult]]:
    """The arms' results of each seed, seed by seed in the order of the settings, ``fitted`` called with every one.

    With ``ctr.processes`` above 1 as many seeds are measured at once, and a seed's results come together. Every fit has
    a generator and threads of its own, so the figures are the same for any number of processes.
    """
    seeds, processes = experiment.settings.seeds, experiment.settings.processes
    if processes == 1:
        for seed in seeds:
            yield [_reported(result, fitted) for result in measure_seed(experiment, seed, share)]
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=min(processes, len(seeds)), return_as="generator")
    for results in parallel(delayed(_measured)(experiment, seed, share) for seed in seeds):
        yield [_reported(result, fitted) for result in results]


def _measured(experiment: Experiment, seed: int, share: float) -> list[ArmResult]:
    use_threads(experiment.settings.threads)
    return list(measure_seed(experiment, seed, share))


def _reported(result: ArmResult, fitted: Callable[[ArmResult], None]) -> ArmResult:
    fitted(result)
    return result
