"""What the rounds of a loop came to: V with and without RecCoTs, G's texts, why each round aligned or not, which G to
serve, and one history in the words of every G."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping

from trackrec.feedback.chosen import chosen_of
from trackrec.feedback.gate import closing
from trackrec.feedback.loop_state import LoopState
from trackrec.feedback.metrics import (
    ENOUGH_USERS,
    NO_RECCOT,
    OFFSET,
    QUALITY,
    READER,
    SHUFFLED,
    USER_SHARE,
    quality_table,
)
from trackrec.feedback.verdicts import dropped_text, groups_by_verdict, kept, nothing_kept
from trackrec.runtime.events import Event, Outcome
from trackrec.runtime.terminal import printable, printable_line
from trackrec.tables.lake import Lake

_LENGTH = "of G_0's"
_LENGTH_GOAL = 0.15  # of G_0's tokens: an aligned G that writes more or less than that has learned length
_AT_YOUR_WORD = "G is aligned all the same, as loop.gate is report."
_RECCOTS = ("tokens", _LENGTH, "cut", "empty", "distinct", "names a text", "grounded")
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


def round_tables(loop: LoopState, rounds: int) -> str:
    """The finished rounds as text: a table of V's figures, one of G's, what follows from them, and which G to serve.

    ``rounds``: how many the loop was to have.
    """
    measured = loop.of_kind("measure")
    lines = [f"{'round':<7}{'V sees':<17}" + "".join(f"{word:>11}" for word in QUALITY)]
    for number, outcome in measured.items():
        rows = outcome.tables["validator"]
        lines += [_line(number, _variant(name, number), row, QUALITY, 11) for name, row in rows.items()]
    lines += ["", f"{'round':<7}{'G writes':<17}" + "".join(f"{word:>14}" for word in _RECCOTS)]
    for number, outcome in measured.items():
        texts = outcome.tables["reccots"]
        row = {**texts[f"G_{number}"], _LENGTH: length_vs_g0(texts, number)}
        lines.append(_line(number, f"G_{number}", row, _RECCOTS, 14))
    lines.append("")
    for number in sorted({*measured, *loop.of_kind("gate")}):
        lines += _sentences(loop, number, rounds)
    return printable("\n".join([*lines, "", *_choice(loop)]))


def length_vs_g0(reccots: Mapping[str, Mapping[str, float]], number: int) -> float:
    """Tokens of a RecCoT of G_t over those of G_0 about the same histories; ``reccots``: the table of a measurement."""
    own, first = (reccots.get(f"G_{n}", {}).get("tokens", float("nan")) for n in (number, 0))
    return own / first if first else float("nan")


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
    lines = [
        f"User {printable_line(row['user_id'])}, {row['n_events']} events",
        textwrap.indent(row["prompt_body"], "  "),
    ]
    for number, names in of_round.items():
        text = texts[(*names, row["prompt_key"])]
        lines.append(textwrap.fill(text, _WIDTH, initial_indent=f"G_{number}  ", subsequent_indent="     "))
    return printable("\n".join(lines))


def _sentences(loop: LoopState, number: int, rounds: int) -> Iterator[str]:
    """A round in words: whether V was let judge, what was aligned, what the hold-out says of what came out."""
    gates, validated, aligned = (loop.of_kind(kind) for kind in ("gate", "validate", "align"))
    if number in gates:
        yield gates[number].labels["why"]
        if not gates[number].counts["passed"]:
            yield f"Round {number}: " + (_AT_YOUR_WORD if number in validated else closing(number, rounds))
    if number in validated and "held_back" in validated[number].figures:
        yield _held_back(number, validated[number].figures)
    if number in validated and number in aligned:
        yield _alignment(number, validated[number], aligned[number])
    elif number in validated and not kept(validated[number].counts):
        yield f"Round {number}: {nothing_kept(validated[number].counts)}"
        yield f"Round {number}: {closing(number, rounds)}"
    measured = loop.of_kind("measure").get(number)
    if measured is not None:
        if number:
            yield _length(number, length_vs_g0(measured.tables["reccots"], number))
        for other, row in measured.tables["differences"].items():
            yield _difference(number, other, row)


def _choice(loop: LoopState) -> Iterator[str]:
    number, source = chosen_of(loop)
    later = [n for n in loop.of_kind("align") if n > number]
    luck = f"no later one's gain on it has a lower bound above 0, over {ENOUGH_USERS} users or more with both labels"
    why = luck if later else "no other round was aligned"
    yield f"Chosen: G_{number}; {why}."
    yield f"--set generator.model.source={source}"


def _variant(name: str, number: int) -> str:
    return {NO_RECCOT: "no RecCoT", SHUFFLED: f"another's G_{number}"}.get(name, name)


def _line(number: int, name: str, row: Mapping[str, float], words: tuple[str, ...], width: int = 9) -> str:
    values = (row.get(word, float("nan")) for word in words)
    return f"{number:<7}{name:<17}" + "".join(f"{'–' if math.isnan(v) else f'{v:.4f}':>{width}}" for v in values)


def _alignment(number: int, validated: Outcome, aligned: Outcome) -> str:
    figures, groups = aligned.figures, sum(groups_by_verdict(validated.counts).values())
    why = dropped_text(validated.counts)
    return (
        f"Round {number}: {kept(validated.counts)} of {groups} groups kept (dropped: {why}); reward margin "
        f"{figures['first_margin']:.3f} → {figures['last_margin']:.3f}, accuracy "
        f"{figures['first_accuracy']:.2f} → {figures['last_accuracy']:.2f}."
    )


def _held_back(number: int, figures: Mapping[str, float]) -> str:
    """Whether V's preferences are of the RecCoTs, or of the events that they were made by."""
    gain, by, low, high, users, choices = (
        figures[f"held_back{name}"] for name in ("", "_chosen_by", "_low", "_high", "_users", "_choices")
    )
    if users < ENOUGH_USERS:
        holds = f"cannot be told from a choice by lot, of only {users:.0f} users"
    elif low <= 0 <= high:
        holds = "cannot be told from a choice by lot"
    else:
        holds = "it holds" if low > 0 else "it is worse than a choice by lot"
    return (
        f"Round {number}: what V prefers by half of the events is worth {by:+.4f} of reward by these and {gain:+.4f} "
        f"[{low:+.4f}, {high:+.4f}] by the rest, of {choices:,.0f} choices: {holds}."
    )


def _length(number: int, ratio: float) -> str:
    within = "within" if abs(ratio - 1) <= _LENGTH_GOAL else "not within"
    return f"Round {number}: G_{number} writes {ratio:.2f} times G_0's tokens, {within} {_LENGTH_GOAL:.0%} of them."


def _difference(number: int, other: str, row: Mapping[str, float]) -> str:
    """What the hold-out says, in words; a difference counts where its interval leaves out 0."""
    floors = {OFFSET: "the offset alone", READER: "the reader alone", USER_SHARE: "the user's share"}
    against = floors.get(other, _variant(other, number))
    moved = "" if other in floors else f"; V's log-odds move by {row['moved']:.2f} of their spread"
    uauc = f"UAUC {row['uauc']:+.4f} [{row['uauc_low']:+.4f}, {row['uauc_high']:+.4f}], {_effect(row)}"
    auc = f"AUC {row['auc']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
    return f"Round {number}: V with G_{number} against {against}: {uauc}; {auc}{moved}{_reading(row)}."


def _reading(difference: Mapping[str, float]) -> str:
    """Whether V moves as the texts say; nothing where too few texts name an attribute to tell."""
    value, low, high = (difference.get(name, float("nan")) for name in ("reading", "reading_low", "reading_high"))
    if math.isnan(low) or difference["reading_users"] < ENOUGH_USERS:
        return ""
    return f", with what the texts say of the item's attributes at correlation {value:+.2f} [{low:+.2f}, {high:+.2f}]"


def _effect(difference: Mapping[str, float]) -> str:
    if difference["users"] < ENOUGH_USERS:
        return f"cannot be told from 0, of only {difference['users']:.0f} users with both labels"
    if math.isnan(difference["uauc_low"]) or difference["uauc_low"] <= 0 <= difference["uauc_high"]:
        return "cannot be told from 0"
    return "better" if difference["uauc"] > 0 else "worse"
