"""What the rounds of a loop came to: V with and without RecCoTs, G's texts, and one history told by every G."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from trackrec.tables.lake import Lake

Outcomes = Mapping[str, Mapping[str, Any]]
_VALIDATOR = ("auc", "uauc", "logloss", "ece")
_RECCOTS = ("tokens", "cut", "empty", "distinct", "names a text", "grounded")
_FLOORS = ("always the same", "user's share")
_WIDTH = 100


def rounds(done: Outcomes) -> str:
    """The outcomes of ``alternate`` as text: a table of V's figures, one of G's, and what follows from them."""
    numbers = sorted(int(name.split()[1]) for name in done if name.startswith("measure "))
    lines = [f"{'round':<7}{'V sees':<17}" + "".join(f"{word:>9}" for word in _VALIDATOR)]
    for number in numbers:
        found = done[f"measure {number}"]["validator"]
        lines += [_line(number, _named(variant, number), row, _VALIDATOR) for variant, row in found.items()]
    lines += ["", f"{'round':<7}{'G writes':<17}" + "".join(f"{word:>14}" for word in _RECCOTS)]
    for number in numbers:
        row = done[f"measure {number}"]["reccots"][f"G_{number}"]
        lines.append(_line(number, f"G_{number}", row, _RECCOTS, 14))
    lines.append("")
    for number in numbers:
        lines += _aligned(done, number)
        lines += _verdicts(number, done[f"measure {number}"])
    return "\n".join(lines)


def one_history(lake: Lake, done: Outcomes, sampling: str) -> str:
    """One history of the middle length with what every round's G wrote about it; ``sampling`` is G's, as JSON."""
    steps = [(int(name.split()[1]), row) for name, row in done.items() if name.startswith(("distill ", "align "))]
    versions = {number: row["version"] for number, row in sorted(steps, key=lambda step: step[0])}
    rows = lake.read_columns("reccots", ["prompt_key", "generator_version", "sampling", "text"]).to_pylist()
    told = {(r["prompt_key"], r["generator_version"]): r["text"] for r in rows if r["sampling"] == sampling}
    columns = ["prompt_key", "user_id", "n_events", "prompt_body"]
    known = {row["prompt_key"]: row for row in lake.read_columns("user_histories", columns).to_pylist()}
    whole = [row for key, row in known.items() if all(told.get((key, version)) for version in versions.values())]
    if not whole:
        return "No history has a RecCoT of every round."
    row = sorted(whole, key=lambda row: (row["n_events"], row["prompt_key"]))[len(whole) // 2]
    lines = [f"User {row['user_id']}, {row['n_events']} events", textwrap.indent(row["prompt_body"], "  ")]
    for number, version in versions.items():
        told_by = told[row["prompt_key"], version]
        lines.append(textwrap.fill(told_by, _WIDTH, initial_indent=f"G_{number}  ", subsequent_indent="     "))
    return "\n".join(lines)


def _named(variant: str, number: int) -> str:
    return {"none": "no RecCoT", "shuffled": f"another's G_{number}"}.get(variant, variant)


def _line(number: int, name: str, row: Mapping[str, float | None], words: tuple[str, ...], width: int = 9) -> str:
    cells = (row.get(word) for word in words)
    return f"{number:<7}{name:<17}" + "".join(f"{'–' if c is None else f'{c:.4f}':>{width}}" for c in cells)


def _aligned(done: Outcomes, number: int) -> Iterator[str]:
    if f"align {number}" not in done:
        return
    groups, metrics = done[f"validate {number}"]["groups"], done[f"align {number}"]["metrics"]
    total = sum(groups.values())
    dropped = ", ".join(f"{count} {word}" for word, count in sorted(groups.items()) if word != "kept") or "none"
    yield (
        f"Round {number}: {groups.get('kept', 0)} of {total} groups kept (dropped: {dropped}); reward margin "
        f"{metrics['first_margin']:.3f} → {metrics['last_margin']:.3f}, accuracy {metrics['first_accuracy']:.2f} → "
        f"{metrics['last_accuracy']:.2f}."
    )


def _verdicts(number: int, found: Mapping[str, Any]) -> Iterator[str]:
    """What the hold-out says, in words; a difference counts where its interval leaves out 0."""
    judged = found["validator"]
    best = max((judged[name]["auc"] or 0.0, name) for name in _FLOORS)
    own = judged[f"G_{number}"]["auc"] or 0.0
    beaten = "beats" if own > best[0] else "does not beat"
    yield f"Round {number}: V with G_{number} ({own:.4f}) {beaten} the better floor ({best[1]}, {best[0]:.4f})."
    for pair, row in found["differences"].items():
        one, _, other = pair.partition(" - ")
        if row["low"] is None or row["low"] <= 0 <= row["high"]:
            word = "cannot be told from 0"
        else:
            word = "helps" if row["auc"] > 0 else "hurts"
        yield (
            f"Round {number}: {one} against {_named(other, number)}: AUC {row['auc']:+.4f} [{row['low']:+.4f}, "
            f"{row['high']:+.4f}], {word}; V's log-odds move by {row['moved']:.2f} of their spread."
        )
