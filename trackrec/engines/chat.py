"""From a prompt body to token ids, by the tokenizer's own chat template, for every engine alike."""

from __future__ import annotations

from typing import Any

from trackrec.engines.base import EngineSpec, Request
from trackrec.errors import BadInputError


class Chat:
    """Renders requests with one tokenizer. ``tokenizer`` is the transformers tokenizer of ``spec.model``."""

    def __init__(self, spec: EngineSpec) -> None:
        from transformers import AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(spec.model.path, local_files_only=True)
        self._answers = spec.answers
        self._max_tokens = 1 if spec.answers else spec.sampling.max_tokens
        self._limit = spec.max_model_len - self._max_tokens
        # Longest first, so that a token which contains another one is broken as a whole.
        self._reserved = sorted(self.tokenizer.get_added_vocab(), key=len, reverse=True)

    def text(self, request: Request) -> str:
        """The whole text that the model continues: the chat template around the body, then the answer's opening."""
        message = [{"role": "user", "content": self._harmless(request.prompt)}]
        # enable_thinking: models that would spend their few tokens on thinking aloud are asked not to; templates
        # without the switch ignore it.
        head = self.tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return str(head) + request.opening

    def ids(self, request: Request) -> list[int]:
        """Token ids of ``text``; the template writes its own special tokens, so none are added."""
        ids: list[int] = self.tokenizer(self.text(request), add_special_tokens=False)["input_ids"]
        return ids

    def answer_ids(self) -> list[int]:
        """The token of each of ``spec.answers`` behind a prompt, asked of the tokenizer.

        Raises BadInputError for an answer that is not one token there, or two that begin alike.
        """
        before = self.text(Request("", "Answer.", "", 0))
        start: list[int] = self.tokenizer(before, add_special_tokens=False)["input_ids"]
        found = []
        for answer in self._answers:
            ids: list[int] = self.tokenizer(before + answer, add_special_tokens=False)["input_ids"]
            if ids[: len(start)] != start or len(ids) != len(start) + 1:
                raise BadInputError(
                    f"the tokenizer has no single token for the answer {answer!r}: {ids[len(start) :]}.",
                    "Give validator.answers as two words that are one token each, e.g. [A, B].",
                )
            found.append(ids[-1])
        if len(set(found)) < len(found):
            raise BadInputError(f"two of the answers {self._answers} are the same token.", "Correct validator.answers.")
        return found

    def fault(self, ids: list[int]) -> str | None:
        """Why a prompt of these ids cannot be served, as ``code: detail``; None when it can."""
        if len(ids) <= self._limit:
            return None
        return f"prompt_too_long: {len(ids)} tokens and {self._max_tokens} to write exceed generator.max_model_len."

    def _harmless(self, body: str) -> str:
        """``body`` with a space inside each reserved token, so that no text of a user or item ends its message.

        The whole text is tokenised at once: encoding the body apart with split_special_tokens would change the
        tokens at its edges for SentencePiece models.
        """
        for token in self._reserved:
            body = body.replace(token, f"{token[0]} {token[1:]}")
        return body
