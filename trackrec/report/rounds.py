"""What the rounds of a loop came to: V with and without RecCoTs, G's texts, and one history in the words of every G."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping

from trackrec.feedback.loop_state import LoopState
from trackrec.feedback.metrics import FLOORS, NO_RECCOT, QUALITY, SHUFFLED, quality_table
from trackrec.feedback.verdicts import KEPT, groups_by_verdict
from trackrec.runtime.events import Event, Outcome
from trackrec.runtime.terminal import printable
from trackrec.tables.lake import Lake

_RECCOTS = ("tokens", "cut", "empty", "distinct", "names a text", "grounded")
_WIDTH = 100


def print_measurement(event: Event) -> None:
    """A listener that prints the hold-out's table when a round was measured."""
    if isinstance(event, Outcome) and event.stage == "measure":
        print(measurement_table(event), flush=True)


def measurement_table(measured: Outcome) -> str:
    """V's figures on the hold-out, one line a variant, and what each G's RecCoTs look like."""
    lines = [quality_table(measured.tables["validator"])]
    for name, row in measured.tables["reccots"].items():
        lines.append(f"{name}: " + ", ".join(f"{word} {value:.3g}" for word, value in row.items()))
    return printable("\n".join(lines))


def round_tables(loop: LoopState) -> str:
    """The finished rounds as text: a table of V's figures, one of G's, and what follows from them."""
    measured = loop.of_kind("measure")
    lines = [f"{'round':<7}{'V sees':<17}" + "".join(f"{word:>9}" for word in QUALITY)]
    for number, outcome in measured.items():
        rows = outcome.tables["validator"]
        lines += [_line(number, _variant(name, number), row, QUALITY) for name, row in rows.items()]
    lines += ["", f"{'round':<7}{'G writes':<17}" + "".join(f"{word:>14}" for word in _RECCOTS)]
    for number, outcome in measured.items():
        lines.append(_line(number, f"G_{number}", outcome.tables["reccots"][f"G_{number}"], _RECCOTS, 14))
    lines.append("")
    validated, aligned = loop.of_kind("validate"), loop.of_kind("align")
    for number, outcome in measured.items():
        if number in validated and number in aligned:
            lines.append(_alignment(number, validated[number], aligned[number]))
        lines += _verdicts(number, outcome)
    return printable("\n".join(lines))


def one_history(lake: Lake, loop: LoopState) -> str:
    """One history of the middle length with what every round's G wrote about it, as it is served."""
    greedy = loop.of_kind("greedy")
    columns = ["prompt_key", "generator_version", "sampling", "text"]
    rows = lake.read_columns("reccots", columns).to_pylist()
    texts = {(r["generator_version"], r["sampling"], r["prompt_key"]): r["text"] for r in rows}
    of_round = {n: (step.labels["generator_version"], step.labels["sampling"]) for n, step in greedy.items()}
    columns = ["prompt_key", "user_id", "n_events", "prompt_body"]
    histories = {row["prompt_key"]: row for row in lake.read_columns("user_histories", columns).to_pylist()}
    complete = [row for key, row in histories.items() if all((*names, key) in texts for names in of_round.values())]
    if not complete:
        return "No history has a RecCoT of every round."
    row = sorted(complete, key=lambda row: (row["n_events"], row["prompt_key"]))[len(complete) // 2]
    lines = [f"User {row['user_id']}, {row['n_events']} events", textwrap.indent(row["prompt_body"], "  ")]
    for number, names in of_round.items():
        text = texts[(*names, row["prompt_key"])]
        lines.append(textwrap.fill(text, _WIDTH, initial_indent=f"G_{number}  ", subsequent_indent="     "))
    return printable("\n".join(lines))


def _variant(name: str, number: int) -> str:
    return {NO_RECCOT: "no RecCoT", SHUFFLED: f"another's G_{number}"}.get(name, name)


def _line(number: int, name: str, row: Mapping[str, float], words: tuple[str, ...], width: int = 9) -> str:
    values = (row.get(word, float("nan")) for word in words)
    return f"{number:<7}{name:<17}" + "".join(f"{'–' if math.isnan(v) else f'{v:.4f}':>{width}}" for v in values)


def _alignment(number: int, validated: Outcome, aligned: Outcome) -> str:
    groups, figures = groups_by_verdict(validated.counts), aligned.figures
    dropped = ", ".join(f"{count} {verdict}" for verdict, count in groups.items() if verdict != KEPT) or "none"
    return (
        f"Round {number}: {groups.get(KEPT, 0)} of {sum(groups.values())} groups kept (dropped: {dropped}); reward "
        f"margin {figures['first_margin']:.3f} → {figures['last_margin']:.3f}, accuracy "
        f"{figures['first_accuracy']:.2f} → {figures['last_accuracy']:.2f}."
    )


def _verdicts(number: int, measured: Outcome) -> Iterator[str]:
    """What the hold-out says, in words; a difference counts where its interval leaves out 0."""
    rows = measured.tables["validator"]
    height, best = max((_or_zero(rows[name]["auc"]), name) for name in FLOORS)
    own = _or_zero(rows[f"G_{number}"]["auc"])
    beaten = "beats" if own > height else "does not beat"
    yield f"Round {number}: V with G_{number} ({own:.4f}) {beaten} the better floor ({best}, {height:.4f})."
    for other, row in measured.tables["differences"].items():
        yield (
            f"Round {number}: G_{number} against {_variant(other, number)}: AUC {row['auc']:+.4f} [{row['low']:+.4f}, "
            f"{row['high']:+.4f}], {_effect(row)}; V's log-odds move by {row['moved']:.2f} of their spread."
        )


def _effect(difference: Mapping[str, float]) -> str:
    if math.isnan(difference["low"]) or difference["low"] <= 0 <= difference["high"]:
        return "cannot be told from 0"
    return "helps" if difference["auc"] > 0 else "hurts"


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
