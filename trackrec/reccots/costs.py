"""What texts of G will cost: tokens, hours and money, from what earlier texts of the same G took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """What a text of G takes on average: tokens in and out, and seconds of all engines together, starts included.

    ``seconds`` is None where no run of this G has ended well yet; None of all where G has written nothing yet.
    """

    prompt_tokens: float | None = None
    output_tokens: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Cost:
    """What ``texts`` of G take: ``hours`` of the clock, with ``engines`` at work all the time; None where unknown."""

    texts: int
    engines: int
    prompt_tokens: float | None
    output_tokens: float | None
    hours: float | None
    money: float | None

    @property
    def figures(self) -> dict[str, float]:
        """Those that are known, by name."""
        named = {
            "prompt tokens": self.prompt_tokens,
            "output tokens": self.output_tokens,
            "hours": self.hours,
            "money": self.money,
        }
        return {name: figure for name, figure in named.items() if figure is not None}

    def __str__(self) -> str:
        read, written = self.prompt_tokens, self.output_tokens
        if read is None and written is None:
            return "what they cost is not known, as this G has written nothing yet"
        tokens = [f"{_short(read)} read"] if read is not None else []
        tokens += [f"{_short(written)} written"] if written is not None else []
        parts = [f"{' and '.join(tokens)} tokens"]
        if self.hours is not None:
            parts.append(f"{_time(self.hours)} on {self.engines:,} engine{'s' if self.engines > 1 else ''}")
        if self.money is not None:
            parts.append(f"{self.money:,.2f} of money")
        return "about " + ", ".join(parts)


def cost_of(texts: int, rates: Rates, engines: int, price_per_gpu_hour: float | None) -> Cost:
    """The cost of ``texts`` more texts at ``rates``; ``price_per_gpu_hour`` of one engine."""
    hours = None if rates.seconds is None else texts * rates.seconds / 3600
    return Cost(
        texts,
        engines,
        None if rates.prompt_tokens is None else texts * rates.prompt_tokens,
        None if rates.output_tokens is None else texts * rates.output_tokens,
        hours,
        None if hours is None or price_per_gpu_hour is None else hours * engines * price_per_gpu_hour,
    )


def _short(number: float) -> str:
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:.1f}{word}"
    return f"{number:,.0f}"


def _time(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
