"""What a model may not read as more than text, and a model's own text as one line: in Python, without Spark."""

from __future__ import annotations

import re
import unicodedata

# '<' and '>' open and close the prompt's fence and most chat tokens (<|im_end|>, <s>, <<SYS>>), brackets the rest
# ([INST], and BERT's [SEP], which the encoder's tokenizer would obey). The fullwidth and small forms turn into the
# plain ones in tokenizers that normalise (NFKC).
MARKS = "<>＜＞﹤﹥[]［］"
HARMLESS = "‹›‹›‹›()()"

_UNSEEN_CATEGORIES = ("Cf", "Co", "Cs", "Cn")  # format characters, private use, lone surrogates, unassigned


def one_line(text: str) -> str:
    """What a model wrote as one printable line in which no chat token stands; of any length."""
    marked = text.translate(str.maketrans(MARKS, HARMLESS))
    seen = "".join(c for c in marked if c.isspace() or unicodedata.category(c) not in _UNSEEN_CATEGORIES)
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", seen).strip()
