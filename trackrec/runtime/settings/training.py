"""The feedback of V and the trainings of G and V: distillation, rec-tuning, alignment, and the loop over them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trackrec.runtime.settings.engines import EngineSettings, ModelSettings, engine_that_writes
from trackrec.runtime.settings.section import Section

Reward = Literal["pairs", "log_pairs", "log_score", "brier", "agreement"]


class FeedbackSettings(Section):
    """How V's judgement of G's candidates becomes preferences."""

    candidates: int = Field(10, ge=2)  # a history, at temperature 1
    next_events: int = Field(8, ge=1)  # of the snapshot, in the alignment window, that a candidate is judged on
    reward: Reward = "pairs"  # what V's answers about the next events are worth: docs/method.md; agreement: the paper's
    min_events: int = Field(4, ge=1)  # that V answered about a candidate; groups with fewer are dropped
    one_label: Literal["drop", "log_score"] = "drop"  # of groups without a pair; log_score is theirs alone, in nats
    min_gap: float | None = Field(None, ge=0)  # best minus worst reward; closer groups are dropped. None: the reward's
    max_length_corr: float = Field(0.1, ge=0, le=1)  # of reward and length within groups; beyond it length is taken out
    rejected: int | None = Field(None, ge=1)  # only this many of the lowest; None: all but the chosen one
    holdout_share: float = Field(0.1, gt=0, lt=1)  # last part of the alignment window: chooses, never teaches
    validator_share: float = Field(0.5, gt=0, lt=1)  # of the users: V is tuned on them, G judged on the others
    cross_fit: bool = True  # a second V, validator.counterpart, is tuned on the others: all are judged
    # What V's prompt shows of a user: the RecCoT in place of the history it was written from, that history, or both
    # (the history then says all that the RecCoT says, and candidates hardly move V).
    validator_reads: Literal["reccot", "history", "both"] = "reccot"
    # fixed: V's log-odds begin at those of the user's and the item's shares. named: and at what a reader makes of the
    # item's attributes that the RecCoT names (feedback/reader.py).
    offset: Literal["fixed", "named", "none"] = "fixed"

    @model_validator(mode="after")
    def _events_suffice(self) -> FeedbackSettings:
        """With fewer next events than ``min_events`` every group would be dropped, once V had answered everything."""
        if self.next_events < self.min_events:
            what = f"next_events {self.next_events} is less than min_events {self.min_events}: no group could be kept"
            remedy = {"remedy": "Raise feedback.next_events, or lower feedback.min_events."}
            raise PydanticCustomError("too_few_events", "{what}", {"what": what, **remedy})
        return self


class LoraSettings(Section):
    """Adapters of G and V."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)  # the adapter's output is scaled by alpha / rank


class TrainingSettings(Section):
    """One training of an adapter."""

    learning_rate: float = Field(5e-4, gt=0)
    epochs: int = Field(1, ge=1)
    batch_size: int = Field(8, ge=1)  # examples an optimiser step
    warmup: float = Field(0.1, ge=0, lt=1)  # share of the steps in which the learning rate rises; then it falls to 0
    seed: int = 1  # order of the examples and a new adapter's first weights
    lora: LoraSettings = LoraSettings()
    # Of float32 matrices, summed in float32; without AMX or AVX512_BF16 (CPU) it changes nothing.
    bfloat16_products: bool = False


class GroupTrainingSettings(TrainingSettings):
    """A training whose examples are groups with a common prompt, read once; one group at a time is in memory."""

    max_grad_norm: float = Field(1.0, gt=0)
    checkpoint_steps: int = Field(10, ge=1)
    gradient_checkpointing: bool = False  # less memory for a second forward pass: for large models


class RecTuningSettings(GroupTrainingSettings):
    """Rec-tuning of V: the answers about a RecCoT's next events are learned together."""

    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(4, ge=1)  # RecCoTs an optimiser step, each with its events: about as many users
    next_events: int = Field(8, ge=1)  # of a snapshot: more of them cost little, the history is read once
    # Next events of histories; RecCoTs by hash until there are this many. None: all. Of several texts about one history
    # an event counts once and is learned with each of those that were reached.
    max_examples: int | None = Field(None, ge=1)
    # What V learns: labels, or the probabilities that a reader which counts the attributes that a RecCoT names makes of
    # them (feedback/reader.py). Labels alone take more events than a small log has before V reads.
    targets: Literal["labels", "reader"] = "labels"
    candidates: int = Field(1, ge=0)  # texts a history at temperature 1 that V is tuned on besides the served one
    start: Literal["base", "previous"] = "base"  # previous: goes on from the V that validator.model names
    also: tuple[str, ...] = ()  # further sources of G, as generator.model.source: V is tuned on their RecCoTs, too


class TrainSettings(Section):
    """How the trainings over groups, S-DPO and Rec-tuning, are run; their results are the same within rounding."""

    processes: int = Field(1, ge=1)  # under TorchDistributor, each with the model in memory; GPUs: one each


class EndpointSettings(Section):
    """An OpenAI-compatible endpoint with the model that teaches. What is None or empty is not sent."""

    model: str
    base_url: str | None = None  # None: OPENAI_BASE_URL, or OpenAI's own
    key_env: str = "OPENAI_API_KEY"  # the environment variable that holds the key; a key is no setting
    concurrency: int = Field(8, ge=1)  # requests in flight
    attempts: int = Field(6, ge=1)  # of a request, with growing pauses, before its row is quarantined
    timeout_s: float = Field(120, gt=0)
    max_tokens: int = Field(200, ge=1)
    temperature: float | None = None
    prefill: bool = False  # the answer's opening begins the assistant's message: vLLM and SGLang go on from there
    extra_body: dict[str, Any] = Field(default_factory=dict)  # e.g. {chat_template_kwargs: {enable_thinking: false}}


class TeacherModelSettings(ModelSettings, EngineSettings):
    """A larger LLM that teaches: run by the job itself, without Spark, before it trains. ``chunk_rows`` has no part.

    It is given G's own prompt and the opening of the answer, and writes greedily.
    """

    engines: Literal[1] = 1  # the job is one process
    gpu_profile: Literal[False] = False  # and asks Spark for nothing
    max_tokens: int = Field(160, ge=1)  # a text that is longer is cut to its whole sentences

    _writes = field_validator("engine")(engine_that_writes)


class DistillSettings(TrainingSettings):
    """G_0: G's base tuned on what a teacher writes about a few users."""

    teacher: Literal["statistics", "model", "openai"] = "statistics"
    model: TeacherModelSettings | None = None  # of the model teacher
    endpoint: EndpointSettings | None = None  # of the openai teacher
    share: float = Field(0.05, gt=0, le=1)  # of the users
    max_examples: int | None = Field(None, ge=1)  # this many, the smallest by hash; None: all
    by_length: bool = False  # a step takes examples of like length: less padding to read, the order less random
    learning_rate: float = Field(1e-3, gt=0)


class AlignmentSettings(GroupTrainingSettings):
    """S-DPO (arXiv 2406.09215) of G's adapter; an example is a history with its candidates."""

    beta: float = Field(0.1, gt=0)  # how far G may move from where the round began: smaller moves further
    learning_rate: float = Field(1e-4, gt=0)
    length_normalised: bool = False  # mean log-probability of a RecCoT's tokens, not their sum; beta is then a token's
    sft_weight: float = Field(0.0, ge=0)  # of -log π(chosen), mean over its tokens, which is added to the loss


class LoopSettings(Section):
    """The schedule of jobs/alternate.py."""

    rounds: int = Field(2, ge=1)
    holdout_samples: int = Field(1200, ge=1)  # events of the hold-out that each round's V is measured on, of many users
    histories: int | None = Field(
        None, ge=1
    )  # that V is tuned on, before the hold-out, of all users; by hash. None: all
    aligned_histories: int | None = Field(None, ge=1)  # of them those that G writes candidates about and is aligned on
    # Before a round V must have shown on the hold-out that it judges (feedback/gate.py); require: else the loop ends
    # with G as it was; report: its figures are printed, and G is aligned all the same.
    gate: Literal["require", "report"] = "require"
    # Whether G_0 is distilled from the teacher. auto: unless generator.model is an adapter, which is G_0 as it is.
    distill: Literal["auto", "always", "never"] = "auto"
