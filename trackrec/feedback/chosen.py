"""Which round's G is the one to serve: no later one is taken for a gain that may be luck; no Spark."""

from __future__ import annotations

from collections.abc import Mapping

from trackrec.feedback.loop_state import LoopState
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


def chosen_of(loop: LoopState) -> tuple[int, str]:
    """The chosen round of all that ``loop`` has measured, and its G as model.source takes it.

    Also of rounds that a start with fewer rounds, or with a gate that is closed, does not come to again: what the
    hold-out said of them stays said.
    """
    number = chosen_round(loop.of_kind("measure"))
    return number, source_of(loop, number)


def source_of(loop: LoopState, number: int) -> str:
    """Where the weights of G_t are, as model.source takes it."""
    return loop.of_kind("align" if number else "distill")[number].labels["source"]
