"""A key kept out of what is printed and stored: a server may repeat it in its errors, and even in its answers."""

from __future__ import annotations

import re

SHORT_KEY = 8  # characters; a key below it, e.g. the "x" of a server without keys, may be a word or a part of one


def redacted(text: str, key: str) -> str:
    """``text`` with ``***`` for ``key`` wherever it stands; a short key only where it is a word of its own."""
    if len(key) >= SHORT_KEY:
        return text.replace(key, "***")
    return re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", "***", text)


def redacted_message(text: str, key: str) -> str:
    """``text`` of an error as ``redacted`` has it, and without what an echoed header shows of a key that it cut."""
    return re.sub(r"\b(bearer\s+)(?!\*{3})[^\s'\",;]+", r"\1***", redacted(text, key), flags=re.IGNORECASE)
