"""A teacher behind any OpenAI-compatible endpoint: OpenAI's, or a large model that vLLM serves (`vllm serve`).

What it costs and how long it takes is the endpoint's affair; here a request is tried again with growing pauses (the
client's own, for 429, 5xx and broken connections, heeding Retry-After), and an answer that is no RecCoT is asked for
again. The texts are cleaned before anyone is trained on them: the teacher, too, read untrusted titles. The key
stands in no message, no fault and no text.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from trackrec.histories.templates import Template
from trackrec.histories.text import one_line
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EndpointSettings
from trackrec.training.teachers.interface import TeacherText, read_text
from trackrec.training.teachers.redaction import SHORT_KEY, redacted, redacted_message

INSTRUCTIONS = (
    "You study what one person {met} and explain their taste. Use only what the data says; name no {items} that is not "
    "in it. Go from evidence to conclusion: cite titles and counts, then say what they prefer, what they avoid, how "
    "strict they are, and {outlook} next. Write one paragraph of at most three sentences "
    'that begins with "{opening}".'
)
_LONGEST_PAUSE_S = 8.0


def openai_version(settings: EndpointSettings, template: Template) -> str:
    """``openai:<model>@<hash>`` over all that decides a text; no key is needed to name it."""
    decides = (_instructions(template), settings.model, settings.max_tokens, settings.temperature, settings.prefill)
    digest = hashlib.sha256(repr((*decides, sorted(settings.extra_body.items()))).encode()).hexdigest()[:12]
    return f"openai:{settings.model}@{digest}"


def _instructions(template: Template) -> str:
    """Of ratings in the words that they always had, for a version is over them and texts are paid for once."""
    met, outlook = "rated", "what they will probably like or dislike"
    if (template.liked, template.not_liked) != (Template.liked, Template.not_liked):
        met, outlook = (
            "met",
            f"which {template.item_noun} will probably be {template.liked} and which {template.not_liked}",
        )
    return INSTRUCTIONS.format(items=template.item_noun, opening=template.opening, met=met, outlook=outlook)


class OpenAITeacher:
    """Keeps ``settings.concurrency`` requests in flight."""

    def __init__(self, settings: EndpointSettings, template: Template) -> None:
        import openai

        key = os.environ.get(settings.key_env, "").strip()  # of a file's newline no header could be made
        if not key or not (key.isascii() and key.isprintable()):
            raise BadInputError(
                f"the environment variable {settings.key_env} holds no key for the teacher.",
                "Export it; a server without keys takes any value. distill.endpoint.key_env names another variable.",
            )
        self._settings, self._opening, self._key = settings, template.opening, key
        self._instructions, self.version = _instructions(template), openai_version(settings, template)
        self._client = openai.OpenAI(
            api_key=key, base_url=settings.base_url, timeout=settings.timeout_s, max_retries=settings.attempts - 1
        )

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Generator[TeacherText]:
        """One text a history, as they come; a fault once all attempts are used up."""
        pool = ThreadPoolExecutor(self._settings.concurrency)
        try:
            for text in as_completed([pool.submit(self._text, history) for history in histories]):
                yield text.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _text(self, history: Mapping[str, Any]) -> TeacherText:
        import openai

        fault = ""
        for attempt in range(self._settings.attempts):
            try:
                answer = self._client.chat.completions.create(**self._request(history, attempt))
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                raise BadInputError(
                    f"the teacher's endpoint refuses every request: {self._line(error)}.",
                    f"Look at distill.endpoint (model, base_url) and the key in {self._settings.key_env}.",
                ) from None
            except openai.APIConnectionError as error:
                return TeacherText(history, fault=f"unreachable: {self._line(error)}")
            except openai.APIStatusError as error:  # the client has tried again what can be tried again
                return TeacherText(history, fault=f"refused: {error.status_code} {self._line(error)}")
            except (openai.APIError, ValueError) as error:  # an answer that is no JSON, or not of this interface
                fault = f"garbage: {self._line(error)}"
            else:
                text, fault = self._read(answer)
                if text:
                    return TeacherText(history, text)
            if attempt + 1 < self._settings.attempts:
                time.sleep(min(_LONGEST_PAUSE_S, 0.5 * 2**attempt))
        return TeacherText(history, fault=fault)

    def _request(self, history: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        settings = self._settings
        messages = [{"role": "system", "content": self._instructions}]
        messages.append({"role": "user", "content": history["prompt_body"]})
        extra = dict(settings.extra_body)
        if settings.prefill:
            messages.append({"role": "assistant", "content": self._opening})
            extra |= {"add_generation_prompt": False, "continue_final_message": True}
        request: dict[str, Any] = {"model": settings.model, "messages": messages, "extra_body": extra}
        request["max_completion_tokens"] = settings.max_tokens
        request["seed"] = int(history["prompt_key"][:7], 16) + attempt  # another attempt, another text
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        return request

    def _read(self, answer: Any) -> tuple[str, str]:
        """(the RecCoT, "") or ("", the fault) of an answer, which may be anything that a server sends with 200."""
        choices: Any = getattr(answer, "choices", None)
        content = getattr(getattr(choices[0], "message", None), "content", None) if choices else None
        if not choices or not isinstance(content, str):
            return "", f"garbage: no message in {self._line(answer)}"
        text = self._without_key(content)
        text = text.rsplit("</think>", 1)[-1]  # what some servers leave of a reasoning model's thoughts
        if self._settings.prefill and not one_line(text).startswith(self._opening):
            text = f"{self._opening} {text.lstrip()}"
        text, fault = read_text(text, self._opening, str(choices[0].finish_reason))
        text = self._without_key(text)  # again: what stood unseen between its characters is gone
        return text, f"{fault} (distill.endpoint.prefill?)" if fault.startswith("no_opening") else fault

    def _without_key(self, text: str) -> str:
        return redacted(text, self._key) if len(self._key) >= SHORT_KEY else text  # a shorter one may be a word

    def _line(self, source: object) -> str:
        """What an error or answer says, in one short line. The key goes first: cut, a part of it would stay."""
        return " ".join(redacted_message(str(source), self._key).split())[:200].rstrip(".")
