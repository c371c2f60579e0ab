"""Random logs: cleaning, both refresh policies and the window join against the brute-force oracle."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.oracle import Event, history, newest_snapshot, shown, shown_standing_out, snapshot_times, standing_out, utc
from trackrec.histories.contents import fill_snapshots
from trackrec.histories.snapshots import rank_events, snapshots_every_n_events, snapshots_nightly
from trackrec.histories.sources.cleaning import clean_interactions
from trackrec.histories.templates import template_of
from trackrec.histories.windows import join_newest_snapshot
from trackrec.runtime.settings import HistorySettings, PromptSettings, SourceSettings

pytestmark = pytest.mark.spark

SHAPE = HistorySettings(every_n=3, last_n=5, listed=2, tallied=3)
TEMPLATE = template_of(PromptSettings(template="preference_v2", item_noun="films", attribute_noun="genres"), SHAPE)
ITEMS = {f"i{n}": (f"Title-{n}.", ["Drama", "Comedy", "War"][: n % 4]) for n in range(30)}
START = datetime(2024, 1, 1, tzinfo=UTC)
NIGHT = START + timedelta(seconds=12)
RAW = "user_id string, item_id string, event_time timestamp, available_time timestamp, rating double, label int"

# Ten whole seconds, halves of them and any microsecond between: ties of every kind are common.
SECONDS = st.one_of(
    st.integers(0, 20), st.integers(0, 40).map(lambda n: n / 2), st.integers(0, 20_000_000).map(lambda n: n / 1e6)
)
DELAY = st.one_of(st.none(), st.just(0.0), st.just(-1.0), st.integers(0, 20_000_000).map(lambda n: n / 1e6))
ROW = st.tuples(st.sampled_from("abcd"), st.sampled_from(sorted(ITEMS)), SECONDS, DELAY, st.integers(0, 1))
# User "busy" has many events, so that histories are longer than last_n and span several blocks of ranks.
BUSY = st.tuples(st.just("busy"), st.sampled_from(sorted(ITEMS)), SECONDS, DELAY, st.integers(0, 1))
LOGS = st.tuples(st.lists(ROW, max_size=25), st.lists(BUSY, min_size=1, max_size=30)).map(lambda p: p[0] + p[1])
BROAD = hypothesis_settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


def raw_rows(log, arrives):
    """Rows as a team's table holds them; with ``arrives`` its available_time too, which may lie before the event."""
    rows = []
    for user, item, seconds, delay, label in log:
        at = START + timedelta(seconds=seconds)
        known = at + timedelta(seconds=delay) if arrives and delay is not None else None
        rows.append((user, item, at, known, None, label))
    return rows


def known_events(rows):
    """One event a (user, item, time): of its rows the one known first, of those the one not liked."""
    kept = {}
    for user, item, at, available, _, label in rows:
        event = Event(user, item, at, max(at, available or at), label)
        old = kept.setdefault(event[:3], event)
        kept[event[:3]] = min(old, event, key=lambda e: (e.known_time, e.label))
    return list(kept.values())


def built(spark, rows, as_of=None):
    """(events, filled histories) as jobs/build_histories.py makes them."""
    events = clean_interactions(spark.createDataFrame(rows, RAW), SourceSettings()).good
    ranked = rank_events(events)
    snapshots = snapshots_nightly(ranked, as_of) if as_of else snapshots_every_n_events(ranked, SHAPE.every_n)
    items = spark.createDataFrame(
        [(i, title, names) for i, (title, names) in ITEMS.items()],
        "item_id string, title string, attributes array<string>",
    )
    late = any(e.known_time > e.event_time for e in known_events(rows))
    return events, fill_snapshots(snapshots, ranked, items, SHAPE, TEMPLATE, late=late)


def expected(events, times):
    return {
        (user, as_of): history(events, user, as_of, SHAPE.last_n, SHAPE.listed, SHAPE.tallied, ITEMS)
        for user, of_user in times.items()
        for as_of in of_user
    }


def expected_to_stand_out(events, times):
    return {
        (user, as_of): standing_out(events, user, as_of, SHAPE.last_n, SHAPE.tallied, ITEMS)
        for user, of_user in times.items()
        for as_of in of_user
    }


@BROAD
@given(log=LOGS, arrives=st.booleans())
def test_every_n_events_and_the_window_join_agree_with_the_oracle(spark, log, arrives):
    rows = raw_rows(log, arrives)
    events, filled = built(spark, rows)
    truth = known_events(rows)
    times = snapshot_times(truth, SHAPE.every_n)
    filled = filled.collect()
    assert shown(filled) == expected(truth, times)
    assert shown_standing_out(filled) == expected_to_stand_out(truth, times)
    snapshots = spark.createDataFrame([(r.user_id, r.as_of) for r in filled], "user_id string, as_of timestamp")
    joined = join_newest_snapshot(events.select("user_id", "item_id", "event_time"), snapshots).collect()
    assert sorted((r.user_id, r.item_id, utc(r.event_time), str(utc(r.as_of))) for r in joined) == sorted(
        (e.user_id, e.item_id, e.event_time, str(newest_snapshot(times.get(e.user_id, []), e.event_time)))
        for e in truth
    )


@BROAD
@given(log=LOGS, arrives=st.booleans())
def test_a_night_agrees_with_the_oracle_and_the_future_changes_no_row(spark, log, arrives):
    rows = raw_rows(log, arrives)
    truth = known_events(rows)
    users = {e.user_id for e in truth if e.known_time < NIGHT}
    # The future: every user again from the night's first instant on, and a past event that arrives only then.
    later = [(u, "i7", NIGHT + timedelta(seconds=n), None, None, 1) for u in (*"abcd", "busy") for n in range(2)]
    later += [(u, "i29", START + timedelta(microseconds=7), NIGHT, None, 0) for u in users]
    _, before = built(spark, rows, as_of=NIGHT)
    _, after = built(spark, rows + later, as_of=NIGHT)
    before, after = before.collect(), after.collect()
    assert shown(before) == expected(truth, {user: [NIGHT] for user in users})
    assert shown_standing_out(before) == expected_to_stand_out(truth, {user: [NIGHT] for user in users})
    assert {r.prompt_key for r in after} == {r.prompt_key for r in before}


@BROAD
@given(seconds=st.lists(SECONDS, min_size=1, max_size=len(ITEMS)))
def test_the_target_is_never_in_the_prompt_of_its_sample(spark, seconds):
    rows = [("a", f"i{n}", START + timedelta(seconds=s), None, None, n % 2) for n, s in enumerate(seconds)]
    events, filled = built(spark, rows)
    samples = join_newest_snapshot(events.select("user_id", "item_id", "event_time"), filled.select("user_id", "as_of"))
    for row in samples.join(filled.select("user_id", "as_of", "prompt_body"), ["user_id", "as_of"]).collect():
        assert ITEMS[row.item_id][0] not in row.prompt_body
