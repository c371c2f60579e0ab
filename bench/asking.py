"""V's prompt in Python, and asking an engine without the pump."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trackrec.engines.base import Engine, Finished, Request
from trackrec.prompts import ValidatorTemplate


def prompt_of(
    words: ValidatorTemplate, body: str, reccot: str, item: str, blocks: Sequence[str] = ("history", "reccot", "item")
) -> str:
    """What ``words.body()`` renders in Spark from G's prompt body, a RecCoT and an item; ``blocks``: in which order."""
    noun = words.facts.item_noun
    texts = {
        "history": body.removesuffix(f"\n{words.facts.question.format(items=noun)}"),
        "reccot": f"{words.analysis}\n<<<\n{reccot}\n>>>",
        "item": f"{words.target.format(items=noun)}\n<<<\n{item}\n>>>",
    }
    return "\n".join([*(texts[block] for block in blocks), words.question])


def answered(engine: Engine, requests: Iterable[Request]) -> list[Finished]:
    """The outcomes of all requests, submitted at once, in the order in which they finish."""
    for request in requests:
        engine.submit(request)
    done: list[Finished] = []
    while engine.unfinished:
        done += engine.step()
    return done
