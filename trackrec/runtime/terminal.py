"""Text that is safe to print: ids and titles come from logs, and a terminal obeys control characters."""

from __future__ import annotations

import unicodedata

# Control characters, ESC of escape sequences among them; halves of pairs, which no encoding takes; line separators.
_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}
# They turn what follows around: what is read is not what stands there.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """``text`` with its control characters (newline and tab aside) as ``\\x1b`` or ``\\u202e``."""
    return "".join(_shown(character) for character in text)


def printable_line(text: str) -> str:
    """``text`` as ``printable`` has it in one line: an id with a newline in it must not look like a line of ours."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _shown(character: str) -> str:
    if character in "\n\t" or (unicodedata.category(character) not in _ESCAPED and character not in _TURNING):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
