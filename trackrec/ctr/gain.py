"""What the features are worth: the difference to plain paired by seed, its noise, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trackrec.ctr.arms import CONTROLS, PLAIN
from trackrec.ctr.results import ArmResult, Measurement
from trackrec.metrics.bootstrap import bootstrap_interval


@dataclass(frozen=True)
class Gain:
    """An arm against plain, paired by seed: AUC differences of the seeds, and the interval over test users."""

    arm: str
    differences: tuple[float, ...]
    interval: tuple[float, float]

    @property
    def mean(self) -> float:
        """Mean difference over seeds."""
        return float(np.mean(self.differences))

    @property
    def spread(self) -> float:
        """Standard deviation of the difference over seeds (n − 1); NaN with one seed."""
        return float(np.std(self.differences, ddof=1)) if len(self.differences) > 1 else float("nan")

    def verdict(self) -> str:
        """One sentence. A difference counts only if it exceeds its spread over seeds and the interval excludes 0."""
        seeds = len(self.differences)
        figures = f"{self.arm}: {self.mean:+.4f} ± {self.spread:.4f} over {seeds} seeds"
        figures += f" (95 % interval over test users {self.interval[0]:+.4f} to {self.interval[1]:+.4f})"
        if seeds < 2:
            return f"{self.arm}: {self.mean:+.4f} with one seed: its spread is unknown, no gain shown"
        if self.mean > self.spread and self.interval[0] > 0:
            return f"{figures}: a gain"
        if self.mean < -self.spread and self.interval[1] < 0:
            return f"{figures}: a loss, the features make the model worse"
        if self.mean < 0:
            return f"{figures}: negative, within noise, no gain shown"
        return f"{figures}: within noise, no gain shown"


def paired_gains(measurement: Measurement) -> dict[str, Gain]:
    """Each arm's gain on plain; the interval compares predictions averaged over the seeds."""
    by_arm: dict[str, list[ArmResult]] = {}
    for result in measurement.arms:
        by_arm.setdefault(result.row.arm, []).append(result)
    averaged = {arm: np.mean([result.predicted for result in results], axis=0) for arm, results in by_arm.items()}
    gains = {}
    for arm, results in by_arm.items():
        if arm != PLAIN:
            interval = bootstrap_interval(measurement.label, measurement.user, averaged[PLAIN], averaged[arm])
            differences = (result.row.auc_gain for result in results)
            gains[arm] = Gain(arm, tuple(gain for gain in differences if gain is not None), interval)
    return gains


def control_verdict(gains: Mapping[str, Gain]) -> str | None:
    """A sentence if reccot's difference is positive but no larger than that of a random vector or of two numbers."""
    if "reccot" not in gains or gains["reccot"].mean <= 0:
        return None
    rivals = [arm for arm in CONTROLS if arm in gains and gains[arm].mean >= gains["reccot"].mean]
    return f"reccot brings no more than its control {' and '.join(rivals)}: the texts earn nothing" if rivals else None


def floor_verdicts(arms: Mapping[str, Sequence[float]], floors: Mapping[str, float]) -> list[str]:
    """A sentence for each network whose mean test AUC is below the highest floor.

    ``arms``: test AUCs of the seeds by arm; ``floors``: test AUC by floor.
    """
    highest, height = max(floors.items(), key=lambda floor: floor[1])
    means = {arm: float(np.mean(scores)) for arm, scores in arms.items()}
    return [
        f"{arm}: {mean:.4f} is below the floor {highest} ({height:.4f}): this network is not yet a serious baseline"
        for arm, mean in means.items()
        if mean < height
    ]
