"""V's prompt in Python, and asking an engine without the pump."""

from __future__ import annotations

from collections.abc import Iterable

from trackrec.engines.interface import Engine, Finished, Request
from trackrec.feedback.templates import ValidatorTemplate


def prompt_of(words: ValidatorTemplate, body: str, reccot: str, item: str) -> str:
    """What ``question_body(words)`` renders in Spark from G's prompt body, a RecCoT and an item."""
    facts = body.removesuffix(f"\n{words.facts.question_text}")
    introduced = words.lead if words.reads == "reccot" else words.analysis
    read = f"{introduced}\n<<<\n{reccot}\n>>>"
    shown = {"reccot": [read], "history": [facts], "both": [facts, read]}[words.reads]
    target = f"{words.target.format(items=words.facts.item_noun)}{item}>>>"
    return "\n".join([*shown, target, words.question])


def answered(engine: Engine, requests: Iterable[Request]) -> list[Finished]:
    """The outcomes of all requests, submitted at once, in the order in which they finish."""
    for request in requests:
        engine.submit(request)
    done: list[Finished] = []
    while engine.unfinished:
        done += engine.step()
    return done
