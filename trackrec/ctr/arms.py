"""The arms of the experiment: which features each one puts beside the same backbone and the same common inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

import numpy as np

from trackrec.ctr.controls import permuted, planted, user_signal
from trackrec.ctr.dataset import CommonInputs
from trackrec.ctr.features import PROMPT, Features, SnapshotVectors, Vectors, no_features, whitened
from trackrec.ctr.floors import FLOORS
from trackrec.ctr.items import ItemTexts, newest_description, read_item_texts
from trackrec.ctr.matching import centroid_matches, scaled_matches
from trackrec.ctr.reccots import item_cosines, read_reccots, scaled_cosines
from trackrec.ctr.roles import (
    FACTS,
    ITEM_DESCRIPTION,
    PERMUTED,
    PLAIN,
    PLANTED,
    RECCOT,
    TALLIES,
    TEACHER,
    WITHOUT_ITEM_TEXT,
)
from trackrec.ctr.samples import Samples, WindowRows
from trackrec.ctr.tallies import read_tallies
from trackrec.metrics.arrays import Scores
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings
from trackrec.runtime.settings.ctr import Arm
from trackrec.tables.lake import Lake


@dataclass(frozen=True)
class Seed:
    """What an arm may depend on besides its data: the seed, and what plain predicted for it."""

    number: int
    plain: Scores | None  # (samples,) of all samples in the windows that are used; None before plain is fitted


@dataclass(frozen=True)
class Arms:
    """The arms of one run, plain first, and how the features of each are made."""

    names: tuple[str, ...]
    makers: Mapping[str, Callable[[Seed], Features]]

    def features(self, arm: str, seed: Seed) -> Features:
        """Features of an arm; only those of PERMUTED and PLANTED depend on the seed."""
        return self.makers[arm](seed)

    def fixed_features(self) -> dict[str, Features]:
        """Features of the arms that do not depend on the seed."""
        return {arm: self.makers[arm](Seed(0, None)) for arm in self.names if arm not in (PERMUTED, PLANTED)}


@dataclass(frozen=True)
class ArmInputs:
    """What all makers need."""

    settings: CtrSettings
    lake: Lake
    samples: Samples
    items: ItemTexts
    common: CommonInputs
    rows: WindowRows


def read_arms(inputs: ArmInputs) -> Arms:
    """The arms of the settings. BadInputError: wrong names, a missing table, or features that no training row joins."""
    settings = inputs.settings
    _check_names(settings)
    names = tuple(dict.fromkeys((PLAIN, *settings.arms, *settings.feature_versions)))
    nothing = no_features(inputs.samples)
    makers: dict[str, Callable[[Seed], Features]] = dict.fromkeys((PLAIN, WITHOUT_ITEM_TEXT), lambda _: nothing)

    @cache  # each version is read once, whichever arms carry it
    def reccots_of(version: str | None, *, by_teacher: bool = False) -> SnapshotVectors:
        reccots = read_reccots(inputs.lake, inputs.samples, version, by_teacher=by_teacher)
        return _checked(reccots, "reccot_vectors", inputs)

    carrying = [name for name in (PLANTED, PERMUTED, FACTS, RECCOT) if name in names]
    if carrying:
        # Without RecCoTs of G under test the controls carry the teacher's.
        teachers = TEACHER in names and settings.feature_version is None
        by_teacher = teachers and RECCOT not in names
        with _naming_arms_to_drop([RECCOT] if teachers and not by_teacher else carrying):
            reccots = reccots_of(settings.feature_version, by_teacher=by_teacher)
            makers |= _reccot_makers(inputs, reccots)
        if FACTS in names:
            facts = {name: vector for name, vector in reccots.vectors.items() if name == PROMPT}
            makers[FACTS] = _fixed(_vector_features(inputs, replace(reccots, vectors=facts), "reccot_vectors"))
    if TEACHER in names:
        with _naming_arms_to_drop([TEACHER]):
            makers[TEACHER] = _fixed(_reccot_features(inputs, reccots_of(None, by_teacher=True)))
    for name, version in settings.feature_versions.items():
        with _naming_arms_to_drop([name], "ctr.feature_versions"):
            makers[name] = _fixed(_reccot_features(inputs, reccots_of(version)))
    if TALLIES in names:
        with _naming_arms_to_drop([TALLIES]):
            tallies = _checked(read_tallies(inputs.lake, inputs.samples), "user_histories", inputs)
            makers[TALLIES] = _fixed(_vector_features(inputs, tallies, "user_histories", clip_components=True))
    if ITEM_DESCRIPTION in names:
        makers[ITEM_DESCRIPTION] = _fixed(_description_features(inputs))
    return Arms(names, makers)


@contextmanager
def _naming_arms_to_drop(arms: Sequence[str], setting: str = "ctr.arms") -> Iterator[None]:
    """An error about what ``arms`` are made of says too that the others can be measured without it."""
    try:
        yield
    except BadInputError as error:
        raise BadInputError(error.what, f"{error.remedy} Or take {', '.join(arms)} out of {setting}.") from None


def _check_names(settings: CtrSettings) -> None:
    if PLAIN not in settings.arms:
        raise BadInputError("ctr.arms lacks plain, and gains are measured against it.", "Add plain to ctr.arms.")
    taken = [name for name in settings.feature_versions if name in (*get_args(Arm), *FLOORS)]
    if taken:
        raise BadInputError(
            f"ctr.feature_versions names an arm {taken[0]}, which is another arm's or a floor's name.",
            "Choose another name under ctr.feature_versions.",
        )


def _fixed(features: Features) -> Callable[[Seed], Features]:
    return lambda _: features


def _reccot_makers(inputs: ArmInputs, reccots: SnapshotVectors) -> dict[str, Callable[[Seed], Features]]:
    """Makers of the arm that carries ``reccots``, and of the controls that are made of these for each seed."""
    reccot = _reccot_features(inputs, reccots)  # at once: what cannot be whitened is refused before any training
    carrier = next(name for name in (*_CARRIERS, *reccots.vectors) if name in reccots.vectors)

    def planted_features(seed: Seed) -> Features:
        assert seed.plain is not None, "plain is the first arm of a seed"
        # Who carries a signal depends on whose vector a snapshot got.
        present = np.append(permuted(reccots, seed.number).vectors[carrier].present, False)
        signal = user_signal(inputs.samples, seed.plain, inputs.rows, seed.number, carried=present[reccots.snapshot])
        with_signal = _reccot_features(inputs, planted(reccots, signal, carrier, seed.number))
        return replace(with_signal, planted_worth=signal.worth)

    return {
        RECCOT: _fixed(reccot),
        PERMUTED: lambda seed: _reccot_features(inputs, permuted(reccots, seed.number)),
        PLANTED: planted_features,
    }


_CARRIERS = ("liked", "reccot")  # the vector that carries the planted signal: the first that there is


def _reccot_features(inputs: ArmInputs, snapshots: SnapshotVectors) -> Features:
    """Whitened vectors of the snapshots, and the cosines of their parts with the sample's item."""
    features = _vector_features(inputs, snapshots, "reccot_vectors")
    cosines = item_cosines(snapshots, inputs.samples, inputs.items)
    return replace(features, numbers=scaled_cosines(cosines))


def _vector_features(
    inputs: ArmInputs, snapshots: SnapshotVectors, table: str, *, clip_components: bool = False
) -> Features:
    fitted = snapshots.fitted(inputs.rows.train)
    components = inputs.settings.components
    values, flags, projections = whitened(snapshots.vectors, fitted, components, table, clip_components=clip_components)
    numbers = np.zeros((len(inputs.samples.user), 0), np.float32)
    omitted = tuple(name for name in snapshots.vectors if name not in projections)
    return Features(values, flags, snapshots.snapshot, numbers, snapshots.version, projections, omitted)


def _description_features(inputs: ArmInputs) -> Features:
    """What the text of another writer than the catalogue says of the target: its vector, and how it matches."""
    samples, settings = inputs.samples, inputs.settings
    source = settings.description_source or newest_description(inputs.lake)
    texts = read_item_texts(inputs.lake, samples, source, inputs.items.encoder_version)
    row = np.where(texts.described, np.arange(len(texts.described)), -1)[samples.item_all]
    fitted = np.unique(row[inputs.rows.train][row[inputs.rows.train] >= 0])
    vectors = {"description": Vectors(texts.vectors, texts.described)}
    values, flags, projections = whitened(vectors, fitted, settings.components, "item_vectors")
    matches = scaled_matches(centroid_matches(samples, inputs.common.history.numpy(), texts.vectors))
    return Features(values, flags, row, matches, source, projections)


def _checked(snapshots: SnapshotVectors, table: str, inputs: ArmInputs) -> SnapshotVectors:
    if not len(snapshots.fitted(inputs.samples.rows("ctr_train", in_scope_only=True))):
        raise BadInputError(
            f"table {table} has no snapshot at or before any CTR training row of users in scope.",
            "Run jobs/nightly.py over the CTR windows first.",
        )
    return snapshots
