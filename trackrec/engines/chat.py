"""From a prompt body to token ids, by the tokenizer's own chat template, for every engine alike."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from trackrec.engines.answers import Answers
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.runtime.errors import BadInputError


class Chat:
    """Renders requests with one tokenizer. ``tokenizer`` is the transformers tokenizer of ``spec.model``.

    ``answers`` are the tokens of ``spec.answers`` behind a prompt; see ``_tokens_of`` for what is refused.
    """

    def __init__(self, spec: EngineSpec) -> None:
        from transformers import AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(spec.model.path, local_files_only=True)
        # Longest first, so that a token which contains another one is broken first.
        self._reserved = sorted(self.tokenizer.get_added_vocab(), key=len, reverse=True)
        self.answers = self._tokens_of(spec.answers)
        self._max_tokens = max(map(len, self.answers.tokens), default=spec.sampling.max_tokens)
        self._limit = spec.max_model_len - self._max_tokens

    def text(self, request: Request) -> str:
        """The text that the model continues: the chat template around the body, then the answer's opening."""
        message = [{"role": "user", "content": self._harmless(request.prompt)}]
        # enable_thinking off, or such models spend their few tokens on it; templates without the switch ignore it.
        head = self.tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return str(head) + request.opening

    def ids(self, request: Request) -> list[int]:
        """Token ids of ``text``; the template writes its own special tokens, so none are added."""
        ids: list[int] = self.tokenizer(self.text(request), add_special_tokens=False)["input_ids"]
        return ids

    def _tokens_of(self, answers: tuple[str, ...]) -> Answers:
        """The tokens of each answer behind a prompt, as the tokenizer writes them there: one token each, or several.

        Raises BadInputError where an answer changes the prompt's own last token, or one begins with the other.
        """
        before = self.text(Request("", "Answer.", "", 0))
        start: list[int] = self.tokenizer(before, add_special_tokens=False)["input_ids"]
        tokens: list[tuple[int, ...]] = []
        for answer in answers:
            ids: list[int] = self.tokenizer(before + answer, add_special_tokens=False)["input_ids"]
            if ids[: len(start)] != start or len(ids) == len(start):
                raise BadInputError(
                    f"the answer {answer!r} is not written in tokens of its own behind this model's prompts.",
                    "Give validator.answers as other words, e.g. [A, B].",
                )
            tokens.append(tuple(ids[len(start) :]))
        for shorter, longer in permutations(tokens, 2):
            if longer[: len(shorter)] == shorter:
                raise BadInputError(
                    f"of the answers {answers} one begins with the other, so they are no alternatives.",
                    "Correct validator.answers.",
                )
        return Answers(tokens)

    def fault(self, ids: list[int]) -> str | None:
        """Why a prompt of these ids cannot be served, as ``code: detail``; None when it can."""
        if len(ids) <= self._limit:
            return None
        return f"prompt_too_long: {len(ids)} tokens and {self._max_tokens} to write exceed max_model_len."

    def _harmless(self, body: str) -> str:
        """``body`` with a space inside each reserved token, so that no text of a user or item ends its message.

        Template and body are tokenised together: encoding the body apart with split_special_tokens would change the
        tokens at its edges for SentencePiece models.
        """
        for token in self._reserved:
            body = body.replace(token, f"{token[0]} {token[1:]}")
        return body
