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
    its own generator and ``ctr.threads`` threads, in torch and in numpy: the figures are the same for any number of
    processes. (A PCA of 3,000 vectors is not, by the last bit, with one and with two threads.)
    """
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits

    seeds, processes = experiment.settings.seeds, experiment.settings.processes
    if processes == 1:
        with threadpool_limits(experiment.settings.threads):
            for seed in seeds:
                yield [_reported(result, fitted) for result in measure_seed(experiment, seed, share)]
        return

    # Large arrays are shared, copied where written: read-only ones, joblib's default, torch warns of on the terminal.
    parallel = Parallel(n_jobs=min(processes, len(seeds)), return_as="generator", mmap_mode="c")
    for results in parallel(delayed(_measured)(experiment, seed, share) for seed in seeds):
        yield [_reported(result, fitted) for result in results]


def _measured(experiment: Experiment, seed: int, share: float) -> list[ArmResult]:
    from threadpoolctl import threadpool_limits

    use_threads(experiment.settings.threads)
    with threadpool_limits(experiment.settings.threads):
        return list(measure_seed(experiment, seed, share))


def _reported(result: ArmResult, fitted: Callable[[ArmResult], None]) -> ArmResult:
    fitted(result)
    return result
