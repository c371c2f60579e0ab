"""How many events V is tuned on, however many texts there are about a history."""

from collections import Counter

from trackrec.stages.tune import first_rows


def about(history, text, events=4):
    """The rows of one RecCoT."""
    return [
        {"row_key": f"{text} about {history}", "prompt_key": history, "item_id": f"i{n}", "event_time": n}
        for n in range(events)
    ]


def events_of(reccots):
    return Counter((row["prompt_key"], row["item_id"]) for rows in reccots for row in rows)


def test_with_one_text_a_history_they_are_the_first_rows_and_the_last_reccot_is_cut():
    reccots = [about(history, "G_0") for history in "abcd"]
    assert first_rows(reccots, 10) == [reccots[0], reccots[1], reccots[2][:2]]
    assert first_rows(reccots, 8) == reccots[:2]
    assert first_rows(reccots, 99) == reccots


def test_texts_of_two_gs_and_candidates_of_them_leave_v_as_many_events():
    texts = ("G_0", "G_0 drawn", "G_1", "G_1 drawn")
    mixed = [about(history, text) for history in "abcdefgh" for text in texts]
    one = first_rows([about(history, "G_0") for history in "abcdefgh"], 14)
    many = first_rows(mixed, 14)
    assert set(events_of(many)) == set(events_of(one))
    assert len(events_of(many)) == 14
    assert set(events_of(many[:12]).values()) == {4}, "an event is learned with every text that was reached"


def test_a_text_about_a_history_that_was_cut_adds_no_event():
    reccots = [about("a", "G_0"), about("b", "G_0"), about("a", "G_1")]
    kept = first_rows([about("a", "G_0", events=2), about("b", "G_0"), about("a", "G_1")], 7)
    assert kept == [reccots[0][:2], reccots[1], reccots[2][:3]]
