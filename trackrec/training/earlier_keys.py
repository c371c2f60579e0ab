"""The row keys of an earlier version of trackrec, under which trainings were ordered and named.

A RecCoT's key was made with the model's version alone; now it is made with what computes it, too, and rows of before
were given new keys (``stages/rekey.py``). Trainings of before are names of folders over the earlier keys. So that they
are found, and those that were killed go on in their order, rows are ordered and named by the earlier key, which can be
computed of any row. Once nobody has such models any more, this file can go and its callers take ``row_key``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trackrec.models.resolve import Model
from trackrec.reccots.feature_version import generator_version
from trackrec.runtime.settings import GeneratorSettings
from trackrec.tables.keys import key_of_values
from trackrec.tables.lake import Row


def earlier_row_keys(settings: GeneratorSettings, generator: Model, rows: Iterable[Row]) -> dict[str, str]:
    """row_key → the earlier key, of every sample (0 … n − 1) of this G about the ``prompt_key`` of the rows."""
    version, parameters = generator_version(settings, generator), settings.sampling.canonical()
    keys = {}
    for prompt_key in {row["prompt_key"] for row in rows}:
        for number in map(str, range(settings.sampling.n)):
            earlier = key_of_values(prompt_key, generator.version, parameters, number)
            keys[key_of_values(prompt_key, version, parameters, number)] = earlier
    return keys


def with_earlier_keys(rows: Sequence[Row], keys: Mapping[str, str]) -> list[Row]:
    """Rows of ``rec_tuning`` with their earlier ``row_key``; one that ``keys`` lacks stays."""
    return [_with_earlier_key(row, keys) for row in rows]


def with_earlier_candidates(preferences: Sequence[Row], keys: Mapping[str, str]) -> list[Row]:
    """Rows of ``preferences`` whose candidates have their earlier ``row_key``; one that ``keys`` lacks stays."""
    return [
        {
            **row,
            "chosen": _with_earlier_key(row["chosen"], keys),
            "rejected": [_with_earlier_key(candidate, keys) for candidate in row["rejected"]],
        }
        for row in preferences
    ]


def _with_earlier_key(row: Row, keys: Mapping[str, str]) -> Row:
    return {**row, "row_key": keys.get(row["row_key"], row["row_key"])}
