"""The tables of the feedback loop: what V says, what G should prefer, and which versions of both there are."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import AS_OF, CREATED, GENERATOR, PROMPT_KEY, ROW_KEY, RUN, USER, VALIDATOR

_CANDIDATE = "struct<row_key:string,text:string,ended:boolean,reward:double>"

VALIDATIONS = Table(
    "validations",
    "V's probability that the user likes what came next, given a RecCoT: one row a candidate and event.",
    (
        ROW_KEY,
        Column("item_id", "string", "the item of a later event, never in the RecCoT's prompt as such"),
        Column("event_time", "timestamp", "when that event happened, UTC; at or after as_of"),
        VALIDATOR,
        USER,
        PROMPT_KEY,
        AS_OF,
        Column("label", "int", "1 liked, 0 not"),
        Column("p_yes", "double", "P(Yes) / (P(Yes) + P(No)) at the answer position"),
        Column("log_odds", "double", "log P(Yes) - log P(No), nats, offset included; it alone where V has no LLM"),
        Column("prompt_tokens", "int", "tokens of V's prompt, chat template included; 0: V has no LLM"),
        Column(
            "question_key",
            "string",
            "sha256 of the prompt that V read: another title or RecCoT is another question",
            nullable=True,
        ),
        Column(
            "offset",
            "double",
            "log-odds, nats, by the shares of likes before as_of, and what is named of the item; NULL: V has no offset",
            nullable=True,
        ),
        RUN,
        CREATED,
    ),
    key=("row_key", "item_id", "event_time", "validator_version", "question_key"),
    earlier_keys=(("row_key", "item_id", "event_time", "validator_version"),),
    writer="jobs/validate_reccot.py",
    checks=(
        ("label_binary", "label IN (0, 1)"),
        ("probability", "p_yes >= 0 AND p_yes <= 1"),
        ("event_after_snapshot", "as_of <= event_time"),
    ),
)

PREFERENCES = Table(
    "preferences",
    "Which RecCoT of a history V found most helpful, and which it did not: what S-DPO learns from.",
    (
        PROMPT_KEY,
        GENERATOR,
        VALIDATOR,
        Column("sampling", "string", "sampling parameters of the candidates as canonical JSON"),
        USER,
        Column(
            "chosen",
            _CANDIDATE,
            "the candidate with the largest reward; ended: G stopped by itself, as all do that compete",
        ),
        Column("rejected", f"array<{_CANDIDATE}>", "the others, best first"),
        Column("gap", "double", "reward of the best candidate minus that of the worst"),
        Column("reward_kind", "string", "which reward it is, as feedback.reward names it", nullable=True),
        Column(
            "raw_rewards",
            "array<double>",
            "rewards before length was taken out of them, the chosen one's first; NULL where none was",
            nullable=True,
        ),
        RUN,
        CREATED,
    ),
    key=("prompt_key", "generator_version", "validator_version", "sampling"),
    writer="jobs/validate_reccot.py",
    checks=(("gap_positive", "gap >= 0"),),
)

REC_TUNING = Table(
    "rec_tuning",
    "What V is tuned on: its own users' later events, each with the prompt that V reads.",
    (
        ROW_KEY,
        Column("item_id", "string", "the item of a later event"),
        Column("event_time", "timestamp", "when that event happened, UTC; at or after as_of"),
        Column("template_version", "string", "V's prompt template, name@hash"),
        GENERATOR,
        Column("sampling", "string", "sampling parameters of the RecCoT as canonical JSON"),
        USER,
        PROMPT_KEY,
        AS_OF,
        Column("label", "int", "1 liked, 0 not: the answer that V learns"),
        Column("prompt_body", "string", "V's prompt, before the tokenizer's chat template"),
        Column("fold", "int", "whose V is tuned on it: 0 validator.model, 1 its counterpart; NULL: 0", nullable=True),
        Column("user_liked", "bigint", "events that the user liked, known before as_of", nullable=True),
        Column("user_events", "bigint", "events of the user, known before as_of", nullable=True),
        Column("item_liked", "bigint", "events in which the item was liked, known before as_of", nullable=True),
        Column("item_events", "bigint", "events of the item, known before as_of", nullable=True),
        Column("named_liked", "int", "attributes of the item that the RecCoT names as liked", nullable=True),
        Column("named_avoided", "int", "attributes of the item that the RecCoT names as avoided", nullable=True),
        RUN,
        CREATED,
    ),
    key=("row_key", "item_id", "event_time", "template_version"),
    writer="jobs/tune_validator.py",
    checks=(("label_binary", "label IN (0, 1)"), ("event_after_snapshot", "as_of <= event_time")),
)

TEACHER_RECCOTS = Table(
    "teacher_reccots",
    "What a teacher wrote about a few histories: what G_0 is distilled from.",
    (
        PROMPT_KEY,
        Column("teacher_version", "string", "name@hash over all that decides what the teacher is asked"),
        USER,
        Column("text", "string", "the RecCoT, one line, beginning with the template's opening"),
        RUN,
        CREATED,
    ),
    key=("prompt_key", "teacher_version"),
    writer="jobs/distill_generator.py",
)

MODEL_VERSIONS = Table(
    "model_versions",
    "Every G and V there has been: where from, trained on what, and how good.",
    (
        Column("role", "string", "generator or validator"),
        Column("version", "string", "name@hash over every file that decides output"),
        Column("parent", "string", "the version that training started from; NULL for a base model", nullable=True),
        Column("round", "int", "0 for the distilled G and the V tuned on it, then 1 …"),
        Column("source", "string", "where the weights are, as model.source takes it"),
        Column("data", "map<string,bigint>", "version of each Delta table that it was trained on"),
        Column("metrics", "map<string,double>", "what training and the hold-out said"),
        Column(
            "chosen",
            "array<string>",
            "the loops (files of models/loops) whose G to serve this is, by the hold-out; NULL: never one",
            nullable=True,
        ),
        RUN,
        CREATED,
    ),
    key=("role", "version", "round"),
    writer="jobs/distill_generator.py, align_generator.py or tune_validator.py",
    checks=(("role_known", "role IN ('generator', 'validator')"),),
)
