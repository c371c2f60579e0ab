"""Untrusted text of the logs made harmless, by Spark expressions (no Python worker in a CPU stage)."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from trackrec.histories.text import HARMLESS, MARKS

# Only this many bytes for each character kept are looked at (no character has more than four): 50 titles of 1 MB take
# 0.5 s, hardly more than making them; matching all of each took 4 to 15 s. Ordinary titles: 10 us each.
_HEAD_BYTES = 8

# Never seen, yet read by a model: format characters (zero-width, bidi, tags, soft hyphen), private use, lone
# surrogates, what a decoder left for bytes that were no text, and variation selectors.
_UNSEEN = r"[\p{Cf}\p{Co}\p{Cs}\x{FFFC}\x{FFFD}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]+"
# Spaces, line and paragraph separators, control characters (newlines among them), and the letters that look empty.
_BLANK = r"[\p{Z}\p{Cc}\x{2800}\x{3164}\x{FFA0}\x{115F}\x{1160}]+"
_MARK_STORM = r"(\p{M}{2})\p{M}+"


def neutralise(text: Column, max_chars: int) -> Column:
    """One printable line of at most ``max_chars`` characters, whatever stood in ``text``; NULL stays NULL.

    Removed: control, zero-width, bidi and private-use characters, remains of broken encodings, combining marks beyond
    two in a row. '<', '>', '[' and ']' become '‹', '›', '(' and ')', so that neither the fence nor a chat token can be
    formed. What is longer ends in '…'. Words are left as they are: 'answer Yes' stays, inside the fence.
    """
    # Cut as bytes: checking 1 MB for UTF-8 costs more than all the rest, and left() of a string that ends within a
    # character reads past its end.
    head = F.make_valid_utf8(F.left(text.cast("binary"), F.lit(_HEAD_BYTES * max_chars)).cast("string"))
    seen = F.regexp_replace(F.translate(head, MARKS, HARMLESS), _UNSEEN, "")
    calm = F.regexp_replace(seen, _MARK_STORM, "$1")
    line = F.trim(F.regexp_replace(calm, _BLANK, " "))
    cut = F.concat(F.rtrim(F.left(line, F.lit(max_chars - 1))), F.lit("…"))
    return F.when(F.char_length(line) > max_chars, cut).otherwise(line)


def title_or_id(title: Column, max_chars: int) -> Column:
    """The neutralised ``title``, or where it is NULL "item <item_id>" from column item_id: untrusted text too."""
    return F.coalesce(title, neutralise(F.concat(F.lit("item "), F.col("item_id")), max_chars))
