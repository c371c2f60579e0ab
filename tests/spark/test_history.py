import random
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.oracle import Event, history, shown, snapshot_times, utc
from trackrec.feedback.questions import question_body
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.contents import fill_snapshots
from trackrec.histories.snapshots import (
    current_histories,
    drop_unchanged,
    in_scope,
    rank_events,
    snapshots_every_n_events,
    snapshots_nightly,
)
from trackrec.histories.templates import template_of
from trackrec.runtime.settings import HistorySettings, PromptSettings

pytestmark = pytest.mark.spark

SETTINGS = HistorySettings(every_n=3, last_n=5, listed=2, tallied=3)
TEMPLATE = template_of(PromptSettings(item_noun="films", attribute_noun="genres"), SETTINGS)
ITEMS = {f"i{n}": (f"Title {n}", ["Drama", "Comedy", "War"][: n % 4]) for n in range(12)}
START = datetime(2024, 1, 1, tzinfo=UTC)
EVENTS = "user_id string, item_id string, event_time timestamp, known_time timestamp, label int"


def event(user, item, seconds, label=1, late=0.0):
    at = START + timedelta(seconds=seconds)
    return Event(user, item, at, at + timedelta(seconds=late), label)


def items(spark):
    rows = [(item, title, attributes) for item, (title, attributes) in ITEMS.items()]
    return spark.createDataFrame(rows, "item_id string, title string, attributes array<string>")


def build(spark, events, as_of=None, settings=SETTINGS, template=TEMPLATE):
    frame = spark.createDataFrame(events, EVENTS)
    ranked = rank_events(frame)
    snapshots = snapshots_nightly(ranked, as_of) if as_of else snapshots_every_n_events(ranked, settings.every_n)
    late = any(e.known_time > e.event_time for e in events)
    return fill_snapshots(snapshots, ranked, items(spark), settings, template, late=late)


def expected(events, times, settings=SETTINGS):
    return {
        (user, as_of): history(events, user, as_of, settings.last_n, settings.listed, settings.tallied, ITEMS)
        for user, of_user in times.items()
        for as_of in of_user
    }


def random_log(seed, late):
    """Ties to the second and to the microsecond, sub-second times, users of very different length."""
    dice = random.Random(seed)
    log = {}
    for user, size in {"a": 1, "b": 3, "c": 17, "d": 40}.items():
        for _ in range(size):
            seconds = dice.choice([dice.randrange(30), dice.randrange(30) + 0.5, dice.random() * 30])
            delay = dice.choice([0, 0, dice.random() * 20]) if late else 0
            drawn = event(user, dice.choice(list(ITEMS)), seconds, dice.randrange(2), delay)
            log[drawn[:3]] = drawn
    return list(log.values())


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_n_events_agrees_with_the_oracle(spark, seed, late):
    events = random_log(seed, late)
    assert shown(build(spark, events).collect()) == expected(events, snapshot_times(events, SETTINGS.every_n))


@pytest.mark.parametrize("late", [False, True])
def test_nightly_agrees_with_the_oracle(spark, late):
    events = random_log(3, late)
    night = START + timedelta(seconds=15)
    users = {e.user_id for e in events if e.known_time < night}
    assert shown(build(spark, events, as_of=night).collect()) == expected(events, {u: [night] for u in users})


def test_an_event_at_as_of_is_out_and_one_a_microsecond_before_is_in(spark):
    night = START + timedelta(seconds=10)
    events = [event("a", "i1", 9.999999), event("a", "i2", 10)]
    row = build(spark, events, as_of=night).first()
    assert (row.n_events, row.liked) == (1, ["Title 1"])
    assert utc(row.source_max_time) < night


def test_whatever_shares_the_second_of_the_nth_event_is_in(spark):
    events = [event("a", f"i{n}", 5 + n / 10) for n in range(4)] + [event("a", "i9", 6)]
    row = build(spark, events).first()
    assert (row.n_events, utc(row.as_of)) == (4, START + timedelta(seconds=6))


def test_an_event_that_arrives_late_is_unknown_until_it_arrives(spark):
    events = [event("a", "i1", 1), event("a", "i2", 2, late=100)]
    assert build(spark, events, as_of=START + timedelta(seconds=50)).first().n_events == 1
    assert build(spark, events, as_of=START + timedelta(seconds=103)).first().n_events == 2


def test_events_added_after_as_of_change_no_row(spark):
    night = START + timedelta(seconds=15)
    events = random_log(4, late=False)
    later = [event("a", "i7", 15 + n) for n in range(5)]
    keys = {r.prompt_key for r in build(spark, events, as_of=night).collect()}
    assert {r.prompt_key for r in build(spark, events + later, as_of=night).collect()} == keys


def test_the_prompt_shows_lists_tallies_and_share_and_never_as_of(spark):
    events = [event("a", "i1", 1), event("a", "i2", 2, label=0), event("a", "i3", 3)]
    body = build(spark, events).first().prompt_body
    assert "Liked films: Title 1; Title 3\nDisliked films: Title 2\n" in body
    assert "Genres, liked / disliked: Drama 2 / 1; Comedy 1 / 1; War 1 / 0\n" in body
    assert "liked 2 of 3 films." in body
    assert "2024" not in body


LARGER = HistorySettings(every_n=20, last_n=12, listed=2, tallied=2)
# Oldest first: eight of the title's first genres liked, out of sight of the last 12; then the 12 that are shown.
OUTLIVED = [("i1", 1)] * 8
SHOWN = [("i1", 1)] * 6 + [("i2", 1)] * 1 + [("i2", 0)] * 4 + [("unknown", 0)]


def with_shares(spark, shown, **words):
    template = template_of(PromptSettings(item_noun="films", attribute_noun="genres", **words), LARGER)
    events = [event("a", item, n, label) for n, (item, label) in enumerate([*OUTLIVED, *shown])]
    return build(spark, events, settings=LARGER, template=template).first()


def test_all_numbers_of_a_prompt_with_shares_are_of_the_events_shown(spark):
    row = with_shares(spark, SHOWN, template="preference_v2")
    assert (row.n_liked, row.n_events) == (15, 20)
    assert (row.shown_liked, row.shown_events) == (7, 12)
    # Drama 7 of 11: |z| of the shrunk share .30. Comedy 1 of 5: -1.29.
    assert (row.above, [tuple(t) for t in row.below]) == ([], [("Comedy", 1, 4)])
    assert row.prompt_body.split("<<<\n")[1].split("\n>>>")[0] == (
        "Films liked: Title 1; Title 2\n"
        "Films disliked: Title 2; item unknown\n"
        "Usual share liked: 58 % (7 of 12)\n"
        "Genres clearly above: none\n"
        "Genres clearly below: Comedy 20 % (1 of 5)"
    )


def test_a_prompt_of_clicks_judges_nothing(spark):
    row = with_shares(spark, SHOWN, template="clicks_v2")
    assert "Films clicked: Title 1; Title 2\nFilms passed over: Title 2; item unknown\n" in row.prompt_body
    assert "Usual share clicked: 58 % (7 of 12)\n" in row.prompt_body
    for word in ("liked", "disliked", "rated"):
        assert word not in row.prompt_body


@pytest.mark.parametrize("label", [0, 1])
def test_nothing_stands_out_where_all_or_none_is_liked(spark, label):
    row = with_shares(spark, [(item, label) for item, _ in SHOWN], template="preference_v2")
    assert (row.shown_liked, row.above, row.below) == (12 * label, [], [])
    assert f"Usual share liked: {100 * label} % ({12 * label} of 12)" in row.prompt_body


def test_a_template_without_shares_leaves_what_stands_out_empty(spark):
    row = with_shares(spark, SHOWN)
    assert (row.shown_liked, row.shown_events, row.above, row.below) == (None, None, None, None)


def test_the_words_of_the_settings_are_in_the_prompt(spark):
    words = {"lead": "Of {items}, <<< to >>>:", "question": "Which {attributes}?"}
    row = with_shares(spark, SHOWN, template="preference_v1", liked="bought", not_liked="sent back", **words)
    assert row.prompt_body == (
        "Of films, <<< to >>>:\n<<<\n"
        "Bought films: Title 1; Title 2\n"
        "Sent back films: Title 2; item unknown\n"
        "Genres, bought / sent back: Drama 7 / 4; Comedy 1 / 4\n"
        "In all: bought 15 of 20 films.\n"
        ">>>\nWhich genres?"
    )


def test_v_is_not_asked_the_question_of_g_whatever_its_words(spark):
    words = {"question": "Was mag 🎬 👩‍🚀 an {items}, é oder e\u0301?", "language": "Deutsch"}
    prompt = PromptSettings(template="preference_v2", item_noun="Filmen", attribute_noun="Genres", **words)
    template = template_of(prompt, LARGER)
    events = [event("a", item, n, label) for n, (item, label) in enumerate([*OUTLIVED, *SHOWN])]
    row = build(spark, events, settings=LARGER, template=template)
    asked = row.withColumns(
        {"reccot": F.lit("They like it."), "title": F.lit("Heat"), "attributes": F.array(F.lit("A"))}
    )
    body = asked.select("prompt_body", question_body(ValidatorTemplate(template, reads="both")).alias("asked")).first()
    assert body.prompt_body.endswith(f"\n{template.question_text}")
    assert template.question_text.endswith("Answer in Deutsch.")
    assert "🎬" not in body.asked
    assert "Answer in" not in body.asked
    assert "\n>>>\nWhat was concluded about this user" in body.asked, "the fence of the history stays whole"


def test_an_item_that_the_catalogue_lacks_is_called_by_its_id(spark):
    events = [event("a", "unknown", n) for n in range(3)]
    assert build(spark, events).first().liked == ["item unknown", "item unknown"]


def test_two_users_with_the_same_history_have_two_prompt_keys(spark):
    events = [event(user, f"i{n}", n) for user in ("a", "b") for n in range(3)]
    assert len({r.prompt_key for r in build(spark, events).collect()}) == 2


def test_a_snapshot_whose_prompt_did_not_change_is_dropped(spark):
    schema = "user_id string, as_of timestamp, prompt_key string"
    days = [START + timedelta(days=n) for n in range(4)]
    stored = spark.createDataFrame([("a", days[0], "k1"), ("b", days[0], "k1")], schema)
    new = spark.createDataFrame(
        [("a", days[1], "k1"), ("a", days[2], "k2"), ("b", days[1], "k2"), ("b", days[2], "k2")], schema
    )
    changed = spark.createDataFrame([("a", days[2], "k2"), ("b", days[1], "k2")], schema)
    assertDataFrameEqual(drop_unchanged(new, stored), changed)


STORED = (
    "user_id string, as_of timestamp, prompt_key string, template_version string, created_time timestamp, "
    "revision bigint"
)


def current_keys(spark, *rows):
    """prompt_key of what ``current_histories`` takes of rows (prompt_key, template, day of writing, revision)."""
    stored = [("a", START, key, template, START + timedelta(days=day), nth) for key, template, day, nth in rows]
    return [row.prompt_key for row in current_histories(spark.createDataFrame(stored, STORED), "t1").collect()]


def test_the_current_history_of_a_snapshot_is_the_one_written_last(spark):
    assert current_keys(spark, ("k1", "t1", 0, None), ("k2", "t1", 1, None), ("k3", "t2", 2, None)) == ["k2"]


def test_the_last_revision_holds_though_the_clock_was_set_back(spark):
    assert current_keys(spark, ("k1", "t1", 9, None), ("k2", "t1", 2, 1), ("k3", "t1", 1, 2)) == ["k3"]


def test_the_scope_is_the_same_users_in_any_order(spark):
    users = spark.createDataFrame([(f"u{n}",) for n in range(20)], "user_id string")
    first = {r.user_id for r in in_scope(users, 5).collect()}
    assert first == {r.user_id for r in in_scope(users.orderBy("user_id").union(users), 5).collect()}
    assert len(first) == 5


def test_another_shape_of_history_is_another_template_version():
    other = template_of(PromptSettings(item_noun="films", attribute_noun="genres"), HistorySettings(last_n=6))
    assert other.version != TEMPLATE.version
