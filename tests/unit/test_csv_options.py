"""The options that Spark's CSV reader gets."""

from trackrec.histories.sources.csv_options import csv_options

STANDARD = {
    "header": "true",
    "escape": '"',
    "multiline": "true",
    "maxcharspercolumn": "2000000",
    "inferschema": "false",
}


def test_quoting_is_standard_where_nothing_is_given():
    assert csv_options({}) == STANDARD


def test_given_options_stand_above_in_any_case_of_their_letters():
    given = {"Escape": "\\", "multiLine": "false", "maxCharsPerColumn": "-1", "Header": "false", "sep": ";"}
    assert csv_options(given) == {name.lower(): value for name, value in given.items()} | {"inferschema": "false"}


def test_another_quote_is_its_own_escape():
    assert csv_options({"quote": "'"}) == STANDARD | {"quote": "'", "escape": "'"}


def test_without_quoting_every_line_is_a_row_and_files_are_split():
    assert csv_options({"sep": "\t", "quote": ""}) == {
        "header": "true",
        "sep": "\t",
        "quote": "",
        "inferschema": "false",
    }


def test_types_are_never_guessed():
    assert csv_options({"inferSchema": "true"}) == STANDARD
