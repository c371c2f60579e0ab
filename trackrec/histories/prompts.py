"""The body of G's prompt, and its facts alone, rendered by Spark expressions: no Python in a CPU stage.

The tokenizer's own chat template is put around it where the model runs. Untrusted titles and attributes stand between
two fences that ``untrusted.neutralise`` makes impossible to close: it leaves no ``<`` or ``>`` in them.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from trackrec.histories.templates import Template


def prompt_body(template: Template) -> Column:
    """The prompt body (string) from columns of user_histories.

    Those are liked, disliked, tallies, n_liked, n_events; of a template that shows shares shown_liked, shown_events,
    above and below in the place of the last three: all its numbers are of the same events.
    """
    return F.concat_ws(
        "\n",
        F.lit(template.lead),
        F.lit("<<<"),
        *_titles(template),
        *_numbers(template),
        F.lit(">>>"),
        F.lit(template.question_text),
    )


def facts(template: Template) -> Column:
    """The facts of the prompt alone (string), for the encoder: numbers, then titles, of columns as ``prompt_body``.

    all-MiniLM-L6-v2 reads 256 tokens. A prompt body of the demo has 139 (median), 44 the same for every user, 27
    of those at its start; the tallies come last, and long titles push them out. Here only titles may stay unseen.
    """
    return F.concat_ws("\n", *_numbers(template), *_titles(template))


def _numbers(template: Template) -> tuple[Column, ...]:
    return _shares(template) if template.shows_shares else (_tallies(template), _counts(template))


def _titles(template: Template) -> tuple[Column, Column]:
    lists = ((template.liked, F.col("liked")), (template.not_liked, F.col("disliked")))
    if template.shows_shares:
        liked, not_liked = (_line(f"{_capital(template.item_noun)} {said}: ", titles) for said, titles in lists)
    else:
        liked, not_liked = (_line(f"{_capital(said)} {template.item_noun}: ", titles) for said, titles in lists)
    return liked, not_liked


def _tallies(template: Template) -> Column:
    tallies = F.transform(
        "tallies", lambda t: F.concat(t["attribute"], F.lit(" "), _text(t["liked"]), F.lit(" / "), _text(t["disliked"]))
    )
    return _line(f"{template.attribute_noun.capitalize()}, {template.liked} / {template.not_liked}: ", tallies)


def _counts(template: Template) -> Column:
    # concat, not format_string: 5 million such lines take 0.8 s on 2 cores instead of 1.8 s.
    share = (F.lit(f"In all: {template.liked} "), _text(F.col("n_liked")), F.lit(" of "), _text(F.col("n_events")))
    return F.concat(*share, F.lit(f" {template.item_noun}."))


def _shares(template: Template) -> tuple[Column, Column, Column]:
    """The usual share, then what stands out: "Drama 80 % (16 of 20)", so that each can be copied word for word."""
    share = F.concat(F.lit(f"Usual share {template.liked}: "), _share(F.col("shown_liked"), F.col("shown_events")))
    sides = (
        _line(
            f"{_capital(template.attribute_noun)} clearly {side}: ",
            F.transform(
                side,
                lambda t: F.concat(t["attribute"], F.lit(" "), _share(t["liked"], t["liked"] + t["disliked"])),
            ),
        )
        for side in ("above", "below")
    )
    above, below = sides
    return share, above, below


def _share(liked: Column, events: Column) -> Column:
    # Rounded half up in whole numbers, as percent() does where no Spark is.
    percent = F.floor((200 * liked + events) / (2 * events))
    return F.concat(_text(percent), F.lit(" % ("), _text(liked), F.lit(" of "), _text(events), F.lit(")"))


def _line(label: str, parts: Column) -> Column:
    return F.concat(F.lit(label), F.when(F.size(parts) > 0, F.array_join(parts, "; ")).otherwise(F.lit("none")))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _text(number: Column) -> Column:
    return number.cast("string")
