"""A teacher behind an endpoint that fails in every way it can: a real server on loopback, scripted answers."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

from trackrec.histories.templates import Template, template_of
from trackrec.histories.text import one_line
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import DistillSettings, EndpointSettings, HistorySettings, PromptSettings
from trackrec.training.teachers import openai as teachers
from trackrec.training.teachers.build import build_teacher, teacher_version
from trackrec.training.teachers.openai import OpenAITeacher, openai_version
from trackrec.training.teachers.redaction import redacted

TEMPLATE = Template("t", "", "films", "genres")
GOOD = "The user is drawn to Crime (9 of 10 liked), as with Heat. They avoid Comedy."


@contextmanager
def endpoint(answers):
    """A server; ``answers`` maps a prompt to its answers in order, the last for good. Yields (url, requests seen)."""
    seen, lock = [], Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = next(m["content"] for m in asked["messages"] if m["role"] == "user")
            with lock:
                seen.append(asked | {"_key": self.headers["Authorization"]})
                turn = sum(prompt == told["messages"][1]["content"] for told in seen) - 1
            script = answers[prompt]
            status, kind, body = script[min(turn, len(script) - 1)]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Retry-After-Ms", "1")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def said(text, finish_reason="stop"):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return 200, "application/json", json.dumps(told)


def failed(status):
    return status, "application/json", json.dumps({"error": {"message": f"no {status}"}})


def rows(*prompts):
    return [{"user_id": f"u{i}", "prompt_key": f"{i:064x}", "prompt_body": body} for i, body in enumerate(prompts)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setattr(teachers, "_LONGEST_PAUSE_S", 0.001)


def taught(url, asked, **settings):
    teacher = OpenAITeacher(EndpointSettings(model="m", base_url=url, **settings), TEMPLATE)
    return {one.history["prompt_body"]: one for one in teacher.write(asked)}


FAULTS = {
    "429": failed(429),
    "500": failed(500),
    "html": (200, "text/html", "<html>busy</html>"),
    "broken json": (200, "application/json", '{"choices": [{"mess'),
    "no choices": (200, "application/json", '{"choices": []}'),
    "an array": (200, "application/json", "[1, 2]"),
    "no content": said(None),
    "nothing written": said("The user is drawn to"),
    "half a sentence": said("The user is drawn to many", "length"),
    "another form": said("I cannot help with that."),
}


def test_every_fault_is_tried_again_and_a_good_answer_then_counts():
    with endpoint({name: [fault, said(GOOD)] for name, fault in FAULTS.items()}) as (url, seen):
        found = taught(url, rows(*FAULTS))
    assert {name: one.fault for name, one in found.items()} == dict.fromkeys(FAULTS)
    assert {one.text for one in found.values()} == {GOOD}
    assert len(seen) == 2 * len(FAULTS)


def test_a_fault_for_good_is_told_after_all_attempts_and_other_rows_go_on():
    with endpoint({name: [fault] for name, fault in FAULTS.items()} | {"fine": [said(GOOD)]}) as (url, seen):
        found = taught(url, rows("fine", *FAULTS), attempts=3)
    assert found["fine"].text == GOOD
    reasons = {name: one.fault.split(":")[0] for name, one in found.items() if name != "fine"}
    assert reasons == {
        "429": "refused",
        "500": "refused",
        "html": "garbage",
        "broken json": "garbage",
        "no choices": "garbage",
        "an array": "garbage",
        "no content": "garbage",
        "nothing written": "empty",
        "half a sentence": "empty",
        "another form": "no_opening",
    }
    assert len(seen) == 1 + 3 * len(FAULTS)


def test_a_request_that_is_refused_for_its_content_is_not_sent_again():
    with endpoint({"too long": [failed(400)], "fine": [said(GOOD)]}) as (url, seen):
        found = taught(url, rows("too long", "fine"))
    assert found["too long"].fault.startswith("refused: 400")
    assert len(seen) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_ends_the_job_in_one_line(status):
    with (
        endpoint({"p": [failed(status)]}) as (url, seen),
        pytest.raises(BadInputError, match=r"refuses every request.*OPENAI_API_KEY"),
    ):
        taught(url, rows("p"))
    assert len(seen) == 1


def test_a_server_that_is_not_there_is_a_fault_of_the_row():
    found = taught("http://127.0.0.1:9/v1", rows("p"), attempts=1)
    assert found["p"].fault.startswith("unreachable")


def test_without_a_key_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(BadInputError, match="OPENAI_API_KEY holds no key"):
        taught("http://127.0.0.1:9/v1", rows("p"))


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused_without_being_shown(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BadInputError, match="OPENAI_API_KEY holds no key") as caught:
        taught("http://127.0.0.1:9/v1", rows("p"))
    assert key[:3] not in str(caught.value)


def test_the_newline_of_a_file_is_no_part_of_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret\n")
    with endpoint({"p": [said(GOOD)]}) as (url, seen):
        assert taught(url, rows("p"))["p"].text == GOOD
    assert seen[0]["_key"] == "Bearer secret"


def test_the_key_travels_as_a_header_and_what_is_not_set_is_not_sent():
    with endpoint({"p": [said(GOOD)]}) as (url, seen):
        taught(url, rows("p"), extra_body={"top_k": 3})
    (asked,) = seen
    assert asked["_key"] == "Bearer secret"
    assert asked["top_k"] == 3
    assert "temperature" not in asked
    assert "begins with" in asked["messages"][0]["content"]


def test_with_prefill_the_answer_goes_on_from_the_opening():
    with endpoint({"p": [said(" Crime, as with Heat.")]}) as (url, seen):
        found = taught(url, rows("p"), prefill=True)
    assert found["p"].text == "The user is drawn to Crime, as with Heat."
    assert seen[0]["messages"][-1] == {"role": "assistant", "content": "The user is drawn to"}
    assert seen[0]["continue_final_message"] is True


def test_an_answer_cut_at_its_limit_keeps_its_whole_sentences():
    with endpoint({"p": [said(f"{GOOD} They also", "length")]}) as (url, _):
        assert taught(url, rows("p"))["p"].text == GOOD


def test_what_was_thought_aloud_and_chat_tokens_do_not_reach_the_training():
    thought = "<think>Hm. The user is drawn to x.</think>\n\nThe user is drawn to\n<|im_end|>Heat."
    with endpoint({"p": [said(thought)]}) as (url, _):
        assert taught(url, rows("p"))["p"].text == "The user is drawn to ‹|im_end|›Heat."


def test_one_line_keeps_words_and_drops_what_is_not_seen():
    assert one_line(" a\n\tb\u200bc\x00 [INST]\ud800 é\u2028x ") == "a bc (INST) é x"


def test_the_version_changes_with_what_is_asked_and_not_with_how():
    def version(**settings):
        return OpenAITeacher(EndpointSettings(**{"model": "m", "base_url": "http://x/v1"} | settings), TEMPLATE).version

    assert version() == version(concurrency=1, attempts=2, base_url="http://y/v1")
    assert len({version(), version(model="n"), version(temperature=1), version(extra_body={"a": 1})}) == 4


def test_of_clicks_it_is_asked_in_the_words_of_clicks_and_of_ratings_as_ever():
    clicks = template_of(PromptSettings(template="clicks_v2", item_noun="films"), HistorySettings())
    with endpoint({"p": [said("They clicked half of them."), said(GOOD)]}) as (url, seen):
        for template in (clicks, TEMPLATE):
            (text,) = OpenAITeacher(EndpointSettings(model="m", base_url=url), template).write(rows("p"))
            assert text.text.startswith(template.opening)
    of_clicks, of_ratings = (asked["messages"][0]["content"] for asked in seen)
    assert "which films will probably be clicked and which passed over next" in of_clicks
    assert not [word for word in ("rated", "like") if word in of_clicks]
    assert openai_version(EndpointSettings(model="m"), TEMPLATE) == "openai:m@ee3a5c347d29", "texts are paid for once"
    assert "what one person rated" in of_ratings


def test_a_teacher_whose_key_is_not_there_has_the_version_that_it_had_with_it(monkeypatch, tmp_path):
    settings = DistillSettings(teacher="openai", endpoint=EndpointSettings(model="m", base_url="http://x/v1"))
    version = build_teacher(settings, TEMPLATE, tmp_path).version
    monkeypatch.delenv("OPENAI_API_KEY")
    assert teacher_version(settings, TEMPLATE, tmp_path) == version
    with pytest.raises(BadInputError, match="OPENAI_API_KEY"):
        build_teacher(settings, TEMPLATE, tmp_path)


KEY = "sk-0123456789abcdef"
ECHO = (200, "application/json", json.dumps({"choices": [], "you_sent": f"Bearer {KEY}"}))


@pytest.fixture
def long_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.usefixtures("long_key")
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_repeats_the_key_is_raised_without_it(status):
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})
    with endpoint({"p": [(status, "application/json", body)]}) as (url, _), pytest.raises(BadInputError) as caught:
        taught(url, rows("p"))
    assert KEY not in str(caught.value)
    assert "Incorrect API key provided: ***" in str(caught.value)


@pytest.mark.usefixtures("long_key")
@pytest.mark.parametrize(
    "answer",
    [
        (400, "application/json", json.dumps({"error": {"message": f"bad header Bearer {KEY}"}})),
        (400, "application/json", json.dumps({"error": {"message": f"{'x' * 130} {KEY}"}})),  # where the line is cut
        (400, "text/plain", f"Authorization: Bearer {KEY}"),
        (400, "text/plain", f"Authorization: Bearer {KEY[:12]}... is not allowed"),
        ECHO,
    ],
    ids=["refused", "at the cut", "plain text", "cut by the server", "garbage"],
)
def test_a_fault_that_repeats_the_key_is_stored_without_it(answer):
    with endpoint({"p": [answer]}) as (url, _):
        fault = taught(url, rows("p"), attempts=1)["p"].fault
    assert fault
    assert KEY[:6] not in fault


@pytest.mark.usefixtures("long_key")
@pytest.mark.parametrize("shown", [KEY, "\u200b".join(KEY)])
def test_a_text_that_repeats_the_key_is_stored_without_it(shown):
    with endpoint({"p": [said(f"The user is drawn to {shown} and Heat.")]}) as (url, _):
        assert taught(url, rows("p"))["p"].text == "The user is drawn to *** and Heat."


@pytest.mark.parametrize(("text", "kept"), [("keys x, or (x)", "keys ***, or (***)"), ("extra", "extra")])
def test_a_short_key_is_taken_out_of_a_message_only_as_a_word_of_its_own(text, kept):
    assert redacted(text, "x") == kept


def test_a_short_key_that_is_a_word_stays_in_texts(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "Crime")
    with endpoint({"p": [said(GOOD)]}) as (url, _):
        assert taught(url, rows("p"))["p"].text == GOOD


@pytest.mark.parametrize("reason", [None, "eos_token", "content_filter"])
def test_an_answer_that_ended_for_any_reason_but_its_length_is_kept_as_it_is(reason):
    with endpoint({"p": [said(f"{GOOD} They also like", reason)]}) as (url, _):
        assert taught(url, rows("p"))["p"].text == f"{GOOD} They also like"
