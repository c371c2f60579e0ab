"""What of a model's text is a RecCoT: whole sentences behind the template's opening."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[.!?…][\"')\]”’]*(?=\s|$)")


def served_text(text: str, opening: str, finish_reason: str) -> tuple[str, str]:
    """(status, text to serve) of what a model wrote: ok, cut to whole sentences, or empty."""
    if not text.removeprefix(opening).strip():
        return "empty", ""
    if finish_reason != "length":
        return "ok", text.strip()
    kept = whole_sentences(text)
    return ("cut", kept) if kept else ("empty", "")


def whole_sentences(text: str) -> str:
    """``text`` up to its last sentence end (. ! ? …, with closing quotes and brackets); empty when it has none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[: ends[-1]].strip() if ends else ""
