"""The generate UDF's rows, on the scripted engine."""

import time
from dataclasses import replace

import pandas as pd
import pytest
from pyspark import cloudpickle

from trackrec.engines.scripted import ScriptedEngine
from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import Model
from trackrec.reccots.sentences import served_text, whole_sentences
from trackrec.runtime.progress_channel import ProgressCounts, ProgressSender, progress_channel
from trackrec.runtime.settings import SamplingSettings
from trackrec.tables.schemas import DESCRIPTION_TEXTS, ITEM_DESCRIPTION_STAGING, RECCOT_STAGING, RECCOT_TEXTS
from udfs.generate import generate_udf, generated_frames
from udfs.worker import WorkerEngine

SPEC = EngineSpec(Model("", "m", "m@0", "path:m", ""), "scripted", SamplingSettings(), "The user likes", high_water=8)
AS_OF, NEWEST = pd.Timestamp("2024-05-02 03:04:06"), pd.Timestamp("2024-05-02 03:04:05.678")


def requests(bodies: list[str], n: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(len(bodies))],
            "prompt_key": [f"p{i}" for i in range(len(bodies))],
            "prompt_body": bodies,
            "seed": [1000 + i for i in range(len(bodies))],
            "row_keys": [[f"r{i}-{s}" for s in range(n)] for i in range(len(bodies))],
            "as_of": AS_OF,
            "source_max_time": NEWEST,
        }
    )


def rows(bodies: list[str], spec: EngineSpec = SPEC) -> pd.DataFrame:
    write = generate_udf(spec, "m@0+scripted", RECCOT_TEXTS, served_text)
    frames = list(write(iter([requests(bodies, spec.sampling.n)])))
    return pd.concat(frames).set_index("row_key").sort_index()


def test_every_row_key_gets_one_row_with_the_tables_columns_in_order():
    write = generate_udf(SPEC, "m@0+scripted", RECCOT_TEXTS, served_text)
    frames = list(write(iter([requests(["a"] * 5), requests([])])))
    assert list(frames[0].columns) == RECCOT_STAGING.without_stamp.column_names
    out = rows([f"body {i}" for i in range(150)])
    assert len(out) == out.index.nunique() == 150


def test_what_a_row_was_asked_with_stands_beside_its_text():
    row = rows(["a", "b"]).loc["r1-0"]
    assert (row.user_id, row.prompt_key, row.seed, row.sample_number) == ("u1", "p1", 1001, 0)
    assert (row.as_of, row.source_max_time) == (AS_OF, NEWEST)
    assert (row.generator_version, row.engine, row.status, row.finish_reason) == (
        "m@0+scripted",
        "scripted",
        "ok",
        "stop",
    )
    assert row.sampling == (
        '{"frequency_penalty":0.0,"max_tokens":72,"n":1,"stop":["\\n"],"temperature":0.0,"top_p":1.0}'
    )
    assert row.text.startswith("The user likes ")
    assert row.error is None


def test_a_row_about_an_item_repeats_the_items_identity_in_the_columns_of_its_own_table():
    about = pd.DataFrame({"item_id": ["i1"], "item_key": ["k1"], "template_version": ["t@0"]})
    request = pd.concat([about, requests(["a"])[["prompt_key", "prompt_body", "seed", "row_keys"]]], axis=1)
    (frame,) = generate_udf(SPEC, "m@0", DESCRIPTION_TEXTS, served_text)(iter([request]))
    assert list(frame.columns) == ITEM_DESCRIPTION_STAGING.without_stamp.column_names
    row = frame.iloc[0]
    assert (row.item_id, row.item_key, row.template_version, row.prompt_key) == ("i1", "k1", "t@0", "p0")
    assert row.text.startswith("The user likes ")


def test_n_samples_are_n_rows_and_the_same_request_gives_the_same_texts():
    spec = replace(SPEC, sampling=SamplingSettings(n=3, temperature=1.0))
    one, two = rows(["a", "b"], spec), rows(["a", "b"], spec)
    assert list(one.index) == ["r0-0", "r0-1", "r0-2", "r1-0", "r1-1", "r1-2"]
    assert one.text.nunique() == 6
    assert list(one.text) == list(two.text)


def test_a_failed_request_fails_all_its_rows_and_no_other():
    spec = replace(SPEC, sampling=SamplingSettings(n=2))
    out = rows(["a", "SCRIPT:fail", "SCRIPT:flaky", "SCRIPT:crash", "b"], spec)
    assert list(out.status) == ["ok", "ok", *["failed"] * 6, "ok", "ok"]
    assert list(out.error_kind[2:8:2]) == ["permanent", "transient", "permanent"]
    assert set(out.text[2:8]) == set(out.raw_text[2:8]) == {""}
    assert set(out.finish_reason[2:8]) == {"error"}


def test_a_text_that_was_cut_is_served_as_whole_sentences_and_kept_whole_beside():
    row = rows(["SCRIPT:cut"]).iloc[0]
    assert (row.status, row.finish_reason) == ("cut", "length")
    assert row.text.endswith(".")
    assert row.raw_text == f"{row.text} And then"


def test_an_empty_answer_is_empty_though_the_opening_is_not():
    row = rows(["SCRIPT:empty"]).iloc[0]
    assert (row.status, row.text, row.raw_text) == ("empty", "", "The user likes ")


def test_output_frames_are_small_and_come_while_requests_are_still_read():
    read = []

    def frames():
        for i in range(40):
            read.append(i)
            yield requests([f"body {i} {j}" for j in range(8)]).assign(prompt_key=[f"{i}-{j}" for j in range(8)])

    out = generated_frames(frames(), WorkerEngine(ScriptedEngine(SPEC), "here"), SPEC, "m@0", RECCOT_TEXTS, served_text)
    assert len(next(out)) == 64
    assert len(read) < 20
    assert max(map(len, out)) <= 64


def test_a_cancelled_task_leaves_nothing_in_the_engine():
    engine = ScriptedEngine(SPEC)
    frames = iter([requests([f"body {i}" for i in range(200)])])
    out = generated_frames(frames, WorkerEngine(engine, "here"), SPEC, "m@0", RECCOT_TEXTS, served_text)
    next(out)
    assert engine.unfinished
    out.close()
    assert engine.unfinished == 0


def test_the_first_error_of_a_dead_engine_is_the_tasks_error():
    class Dead(ScriptedEngine):
        def step(self):
            raise RuntimeError("device lost")

        def abort(self):
            raise RuntimeError("cannot abort")

    worker_engine = WorkerEngine(Dead(SPEC), "here")
    with pytest.raises(RuntimeError, match="device lost"):
        list(generated_frames(iter([requests(["a"])]), worker_engine, SPEC, "m@0", RECCOT_TEXTS, served_text))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One. Two! And thr", "One. Two!"),
        ('He said "no." Then', 'He said "no."'),
        ("Rated 3.5 of", ""),
        ("Ends here.", "Ends here."),
        ("No end", ""),
        ("", ""),
    ],
)
def test_a_text_is_cut_after_its_last_sentence_end(text, kept):
    assert whole_sentences(text) == kept


def test_a_cut_text_without_a_whole_sentence_is_empty():
    assert served_text("The user likes many", "The user likes", "length") == ("empty", "")


def test_progress_counts_rows_before_their_frame_is_full():
    counted: list[int] = []

    class Counting(ProgressSender):
        def rows_finished(self, rows):
            counted.append(rows)

    spec = replace(SPEC, sampling=SamplingSettings(n=2))
    bodies = [requests([f"body {i}" for i in range(40)], 2)]
    worker_engine = WorkerEngine(ScriptedEngine(spec), "here")
    out = generated_frames(iter(bodies), worker_engine, spec, "m@0", RECCOT_TEXTS, served_text, Counting("", 0, b""))
    next(out)
    assert counted == [2] * 32
    list(out)
    assert sum(counted) == 80


def test_rows_and_the_engines_start_reach_the_driver():
    with progress_channel("127.0.0.1", lambda _: None) as channel:
        udf = generate_udf(replace(SPEC, high_water=9), "m@0", RECCOT_TEXTS, served_text, channel.sender)
        udf = cloudpickle.loads(cloudpickle.dumps(udf))  # as Spark brings it to a worker
        list(udf(iter([requests(["a", "b", "SCRIPT:fail"])])))
        until = time.monotonic() + 10
        while channel.counts != ProgressCounts(1, 1, 3) and time.monotonic() < until:
            time.sleep(0.01)
        assert channel.counts == ProgressCounts(1, 1, 3)
