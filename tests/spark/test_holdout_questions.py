"""Which events of the hold-out V is measured on, and what it is shown of each."""

import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.holdout_questions import holdout_events, holdout_requests, variants
from trackrec.feedback.metrics import READER
from trackrec.feedback.offset import Offset
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.templates import template_of
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.stages.measure import reader_alone
from trackrec.stages.support import support_of

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(second):
    return START + timedelta(seconds=second)


def samples(spark, *rows):
    """(item, second, second at which it was known, window), all of user a who has a snapshot at 0."""
    values = [("a", item, at(second), at(known), 1, window, at(0)) for item, second, known, window in rows]
    columns = "user_id string, item_id string, event_time timestamp, known_time timestamp, label int, window string"
    return spark.createDataFrame(values, f"{columns}, as_of timestamp")


END = at(20)


def items_held_out(spark, *rows, end=END):
    columns = "user_id string, as_of timestamp, prompt_key string, n_liked bigint, n_events bigint"
    histories = spark.createDataFrame([("a", at(0), "p", 1, 2)], columns)
    events = holdout_events(samples(spark, *rows), histories, start=at(10), end=end, count=9)
    return {row.item_id for row in events.collect()}


def test_the_hold_out_is_of_the_alignment_window_from_its_start_on(spark):
    rows = [("before", 9, 9, "alignment"), ("in", 10, 10, "alignment"), ("later", 20, 20, "ctr_train")]
    assert items_held_out(spark, *rows) == {"in"}


def test_an_event_that_became_known_after_the_window_is_not_measured_on(spark):
    rows = [("in", 11, 19, "alignment"), ("late", 11, 20, "alignment")]
    assert items_held_out(spark, *rows) == {"in"}
    assert items_held_out(spark, *rows, end=None) == {"in", "late"}


def taken(spark, count, **events):
    """Events (user → how many) of which ``count`` are taken: user → how many of theirs, labels that happen to be 1."""
    values = [
        (user, f"{user}{n}", at(10 + n), at(10 + n), int(user == "a"), "alignment", at(0))
        for user, many in events.items()
        for n in range(many)
    ]
    columns = "user_id string, item_id string, event_time timestamp, known_time timestamp, label int, window string"
    histories = spark.createDataFrame(
        [(user, at(0), f"p{user}", 1, 2) for user in events],
        "user_id string, as_of timestamp, prompt_key string, n_liked bigint, n_events bigint",
    )
    rows = spark.createDataFrame(values, f"{columns}, as_of timestamp")
    chosen = holdout_events(rows, histories, start=at(10), end=None, count=count).collect()
    assert len({(row.user_id, row.item_id) for row in chosen}) == len(chosen)
    return {user: sum(row.user_id == user for row in chosen) for user in events}


def test_users_take_turns_in_giving_events_so_that_few_heavy_ones_do_not_fill_the_hold_out(spark):
    assert taken(spark, 12, a=50, b=50, c=50) == {"a": 4, "b": 4, "c": 4}
    assert taken(spark, 12, a=50, b=2, c=50) == {"a": 5, "b": 2, "c": 5}
    assert sorted(taken(spark, 11, a=50, b=50, c=50).values()) == [3, 4, 4]


def test_fewer_events_than_wanted_are_all_taken(spark):
    assert taken(spark, 100, a=3, b=2) == {"a": 3, "b": 2}


def shown(spark, texts, folds):
    """Variant → user → text, of users (user → the RecCoT about them) in their folds, with one event each."""
    users = sorted(folds)
    events = spark.createDataFrame(
        [(user, f"p{user}", at(1), folds[user]) for user in users],
        "user_id string, prompt_key string, event_time timestamp, fold int",
    )
    reccots = spark.createDataFrame(
        [(f"p{user}", text) for user, text in texts.items()], "prompt_key string, text string"
    )
    return {
        name: {row.user_id: row.text for row in rows.collect()}
        for name, rows in variants(events, {"G": reccots}).items()
    }


def test_the_shuffled_text_is_of_another_user(spark):
    assert shown(spark, {"a": "of a", "b": "of b"}, {"a": 0, "b": 0}) == {
        "none": {"a": None, "b": None},
        "G": {"a": "of a", "b": "of b"},
        "shuffled": {"a": "of b", "b": "of a"},
    }


def test_the_other_user_is_one_whom_the_same_v_judges(spark):
    folds = dict.fromkeys("abc", 0) | dict.fromkeys("xyz", 1)
    of = {user: f"of {user}" for user in folds}
    shuffled = shown(spark, of, folds)["shuffled"]
    assert set(shuffled) == set(folds)
    assert all(text != of[user] and folds[text[-1]] == folds[user] for user, text in shuffled.items())
    assert sorted(shuffled.values()) == sorted(of.values()), "every text is shown for one other user"


def test_a_text_that_is_the_users_own_is_not_anothers(spark):
    assert shown(spark, {"a": "same", "b": "same"}, {"a": 0, "b": 0})["shuffled"] == {}
    assert shown(spark, {"a": "of a", "b": "of b"}, {"a": 0, "b": 1})["shuffled"] == {}, "alone in their folds"


SNAPSHOTS = {("a", 1): "p1", ("a", 2): "p2", ("b", 1): "q"}
HELD = [("a", 1, "i", 5), ("a", 1, "j", 6), ("a", 2, "i", 7), ("b", 1, "i", 5)]


def requests_about(spark, texts):
    """What V is asked about ``HELD`` (user, second of the snapshot, item, second), by a G whose ``texts`` these are."""
    columns = "user_id string, as_of timestamp, prompt_key string, item_id string, event_time timestamp"
    events = [(user, at(as_of), SNAPSHOTS[user, as_of], item, at(time), 1, 0) for user, as_of, item, time in HELD]
    by_variant = variants(
        spark.createDataFrame(events, f"{columns}, label int, fold int"),
        {"G": spark.createDataFrame(list(texts.items()), "prompt_key string, text string")},
    )
    words = ValidatorTemplate(template_of(PromptSettings(item_noun="films"), HistorySettings()))
    body = f"{words.facts.lead}\n<<<\nLiked films: Heat\n>>>\n{words.facts.question_text}"
    histories = spark.createDataFrame([(key, body) for key in texts], "prompt_key string, prompt_body string")
    items = spark.createDataFrame([("i", "Heat", [])], "item_id string, title string, attributes array<string>")
    return holdout_requests(by_variant, histories, items, words, max_title_chars=80).collect()


def test_every_variant_is_asked_about_its_events_and_another_users_text_that_is_the_own_is_not(spark):
    found = requests_about(spark, {"p1": "same", "p2": "other", "q": "same"})
    asked = {(row.row_key, row.user_id, row.as_of.second, row.item_id, row.event_time.second) for row in found}
    anothers = [event for event in HELD if event[:2] != ("a", 1)]  # b's newest text is that of a's first snapshot
    assert asked == {(name, *event) for name in ("G", "none") for event in HELD} | {("shuffled", *e) for e in anothers}
    assert len({row.request_key for row in found}) == len(found) == len(asked)
    of_b = {row.row_key: row.text for row in found if row.user_id == "b"}
    assert of_b == {"G": "same", "none": None, "shuffled": "other"}


def test_a_reccot_speaks_for_an_item_by_the_attributes_that_both_name(spark):
    item_columns = "item_id string, title string, attributes array<string>"
    values = [("i", "Heat", ["Action", "Crime"]), ("j", "Babe", ["Comedy"]), ("k", "Kids", None)]
    items = spark.createDataFrame(values, item_columns)
    shown = [
        ("a", "i", "They prefer Action and Crime."), ("b", "i", "They prefer Crime and are less drawn to Action."),
        ("c", "j", "They are less drawn to Comedy."), ("d", "j", None), ("e", "k", "They prefer Comedy."),
        ("f", "gone", "They prefer Comedy."),
    ]  # fmt: skip
    columns = "user_id string, item_id string, event_time timestamp, text string"
    own = spark.createDataFrame([(user, item, at(0), text) for user, item, text in shown], columns)
    found = support_of({"G_0": own, "none": own.withColumn("text", F.lit(None).cast("string"))}, items)
    assert {event[0]: match for event, match in found["G_0"].items()} == {
        "a": 2, "b": 0, "c": -1, "d": 0, "e": 0, "f": 0,
    }  # fmt: skip
    assert set(found["none"].values()) == {0}
    assert found["none"].keys() == found["G_0"].keys()


def test_of_an_llm_beside_a_reader_what_the_reader_alone_says_of_the_last_g_is_measured_too(spark):
    rows = [("G_1", "i", at(1), 0.0), ("none", "i", at(1), -1.0), ("G_1", "j", at(2), math.log(3))]
    requests = spark.createDataFrame(
        [("a", *row) for row in rows],
        "user_id string, row_key string, item_id string, event_time timestamp, offset double",
    )

    def v(engine, **weights):
        return SimpleNamespace(settings=SimpleNamespace(engine=engine), offset=Offset(1, 1, 0, 0.5, **weights))

    read = reader_alone([(v("vllm", liked=0.2), requests)], "G_1")
    assert {event[1]: p for event, p in read[READER].items()} == pytest.approx({"i": 0.5, "j": 0.75})
    assert reader_alone([(v("counted", liked=0.2), requests)], "G_1") == {}, "it would be V itself"
    assert reader_alone([(v("vllm"), requests)], "G_1") == {}
