"""The CTR job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trackrec.runtime.settings.section import Section


class CtrSettings(Section):
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
