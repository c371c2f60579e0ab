"""The figures of a loop for machines: what `make loop` prints as its last line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trackrec.feedback.chosen import chosen_of
from trackrec.feedback.loop_state import LoopState
from trackrec.feedback.metrics import OFFSET, SHUFFLED, USER_SHARE
from trackrec.feedback.verdicts import groups_by_verdict
from trackrec.report.rounds import length_vs_g0
from trackrec.runtime.events import Outcome


def loop_figures(loop: LoopState) -> dict[str, Any]:
    """The loop in one object: ``rounds``, ``aligned`` (how many), and figures of the last one that was measured.

    v_uauc, v_uauc_low: UAUC of V shown G_t's own RecCoTs; own_minus_shuffled_low, v_minus_offset_low,
    v_minus_user_share_low: lower bounds (95 %, over users) of differences of UAUC; reading, reading_low: correlation of
    how V's log-odds move with another's RecCoT with how the two speak for the item (``metrics.reading``); g_minus_g0:
    UAUC with G_t's minus with G_0's RecCoTs, judged by one V; length_corr: of reward and length within groups;
    held_back, held_back_low: what a choice by half of the events brings on the rest (``feedback.held_back``);
    length_vs_g0: tokens of G_t's texts over those of G_0's; chosen: the round whose G is to be served; minutes: of all
    steps. None: not to be had.
    """
    rounds = [_round(loop, number) for number in sorted({*loop.of_kind("measure"), *loop.of_kind("gate")})]
    last: dict[str, Any] = next((row for row in reversed(rounds) if "v_uauc" in row), {})
    aligned = loop.of_kind("align")
    figures = {name: last.get(name) for name in _LAST}
    validated = loop.of_kind("validate")
    ranked = validated[max(validated)].figures if validated else {}
    return {
        "rounds": rounds,
        "aligned": len(aligned),
        **figures,
        **{name: _number(ranked.get(name)) for name in ("length_corr", "held_back", "held_back_low")},
        "chosen": chosen_of(loop)[0],
        "minutes": round(sum(step.seconds for step in loop.outcomes.values()) / 60, 1),
    }


_LAST = (
    "v_uauc", "v_uauc_low", "own_minus_shuffled_low", "reading", "reading_low", "v_minus_offset_low",
    "v_minus_user_share_low", "g_minus_g0", "g_minus_g0_low", "length_vs_g0",
)  # fmt: skip


def _round(loop: LoopState, number: int) -> dict[str, Any]:
    """What a round came to; of one that the gate ended only that."""
    row: dict[str, Any] = {"round": number, "aligned": number in loop.of_kind("align")}
    gate, validated, measured = (loop.of_kind(kind).get(number) for kind in ("gate", "validate", "measure"))
    if gate is not None:
        row |= {"gate_passed": bool(gate.counts["passed"]), "why": gate.labels["why"]}
    if validated is not None:
        row["groups"] = groups_by_verdict(validated.counts)
        row |= {name: _number(value) for name, value in validated.figures.items() if name.startswith("held_back")}
    if measured is not None:
        row |= _measured(measured, number)
    steps = {str(step): outcome.seconds for step, outcome in loop.outcomes.items() if step.round == number}
    return row | {"minutes": {step: round(seconds / 60, 1) for step, seconds in steps.items()}}


def _measured(measured: Outcome, number: int) -> dict[str, Any]:
    own, rows = measured.tables["validator"][f"G_{number}"], measured.tables["differences"]

    def bound(other: str, figure: str = "uauc_low") -> float | None:
        return _number(rows[other].get(figure)) if other in rows else None

    return {
        "events": measured.counts.get("events"),
        "users": measured.counts.get("users"),
        "v_uauc": _number(own["uauc"]),
        "v_uauc_low": _number(own["uauc_low"]),
        "own_minus_shuffled_low": bound(SHUFFLED),
        "reading": bound(SHUFFLED, "reading"),
        "reading_low": bound(SHUFFLED, "reading_low"),
        "v_minus_offset_low": bound(OFFSET),
        "v_minus_user_share_low": bound(USER_SHARE),
        "g_minus_g0": bound("G_0", "uauc"),
        "g_minus_g0_low": bound("G_0"),
        "length_vs_g0": _number(length_vs_g0(measured.tables["reccots"], number)),
        "variants": {name: _rounded(row) for name, row in measured.tables["validator"].items()},
        "differences": {name: _rounded(row) for name, row in rows.items()},
        "reccots": {name: _rounded(row) for name, row in measured.tables["reccots"].items()},
    }


def _rounded(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in row.items()}


def _number(value: float | None) -> float | None:
    """For JSON, which knows no NaN: to 4 decimals."""
    return None if value is None or math.isnan(value) else round(value, 4)
