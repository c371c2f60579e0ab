"""The openai teacher against a real vLLM server on loopback."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.engine.asking import OPENING, body
from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EndpointSettings
from trackrec.training.teachers.openai import OpenAITeacher

pytestmark = pytest.mark.engine

TEMPLATE = Template("t", "", "films", "genres")
ROWS = [{"user_id": f"u{i}", "prompt_key": f"{i:07x}".ljust(64, "0"), "prompt_body": body(i)} for i in range(6)]


@pytest.fixture(scope="module")
def served(smollm2, tmp_path_factory):
    """The base URL of `vllm serve` with SmolLM2 in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("served") / "log"
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", smollm2.path]
    command += ["--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port), "--api-key", "secret"]
    command += ["--max-model-len", "1024", "--enforce-eager"]
    with log.open("w") as out:
        server = subprocess.Popen(command, env=os.environ | variables, stdout=out, stderr=out)
    try:
        for _ in range(180):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-3000:]
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def teacher(url, **settings):
    given = {"model": "smollm2", "base_url": url, "prefill": True, "temperature": 1.0, "max_tokens": 60}
    return OpenAITeacher(EndpointSettings(**given | settings), TEMPLATE)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")


def test_a_served_model_writes_reccots_that_go_on_from_the_opening(served):
    found = list(teacher(served).write(ROWS))
    texts = [one.text for one in found if one.fault is None]
    assert len(found) == len(ROWS)
    assert len(texts) >= 5, "a model of 135 M may end without a whole sentence now and then"
    assert all(text.startswith(f"{OPENING} ") and text.count(OPENING) == 1 and len(text) > 40 for text in texts)
    assert len(set(texts)) == len(texts)


def test_a_wrong_model_or_key_is_said_in_one_line(served, monkeypatch):
    with pytest.raises(BadInputError, match="refuses every request"):
        list(teacher(served, model="gpt").write(ROWS))
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(BadInputError, match="refuses every request"):
        list(teacher(served).write(ROWS))


def test_a_prompt_beyond_its_context_is_a_fault_of_its_row_alone(served):
    rows = [ROWS[0] | {"prompt_body": "Heat " * 3000}, *ROWS[1:3]]
    faults = {one.history["user_id"]: one.fault for one in teacher(served).write(rows)}
    assert faults.pop("u0").startswith("refused: 400")
    assert list(faults.values()) == [None, None]
