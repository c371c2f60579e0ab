"""Text that is safe to print: ids and titles come from logs, and a terminal obeys control characters."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """``text`` with its control characters (ESC of escape sequences among them; not newline, tab) as ``\\x`` codes."""
    return "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)
