"""Which round's G is the one to serve: no later one is taken for a gain that may be luck; no Spark."""

from __future__ import annotations

from collections.abc import Mapping

from trackrec.feedback.metrics import is_better
from trackrec.runtime.events import FigureTable, Outcome


def gain_over(tables: Mapping[str, FigureTable], round_number: int) -> Mapping[str, float] | None:
    """What the last G of a measurement gains over that of ``round_number`` on the hold-out: a row of ``differences``.

    Both are judged by one V, which was tuned on the texts of both. None where they were not compared.
    """
    return tables["differences"].get(f"G_{round_number}")


def chosen_round(measured: Mapping[int, Outcome]) -> int:
    """The round whose G is chosen, of the measurements of a loop's rounds in their order (round → outcome).

    G_0 until a later one gains on the chosen one in UAUC with the lower end of the 95 % interval above 0, over enough
    users with both labels (``metrics.is_better``). No setting moves this, and a gain that is only a point estimate
    chooses nothing.
    """
    chosen = 0
    for number in sorted(measured):
        gain = gain_over(measured[number].tables, chosen) if number > chosen else None
        if gain is not None and is_better(gain):
            chosen = number
    return chosen
