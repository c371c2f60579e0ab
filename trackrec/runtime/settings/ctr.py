"""The CTR job."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trackrec.runtime.settings.section import Distinct, Section

Backbone = Literal["DIN", "DIEN", "DCNv2", "FinalMLP"]
Share = Annotated[float, Field(gt=0, lt=1)]
Arm = Literal[
    "plain",
    "without_item_text",  # plain without what the catalogue says of the items
    "planted",  # a signal of known worth, which the instrument must find
    "permuted",  # RecCoTs of other users, which must bring nothing
    "tallies",  # what the RecCoTs were written from, as numbers
    "facts",  # what they were written from, as its vector
    "teacher",  # texts that are true by construction (jobs/publish_teacher.py)
    "reccot",
    "item_description",  # what G wrote about the items (jobs/describe_items.py)
]


class CtrSettings(Section):
    """The CTR job that measures the gain.

    Defaults were chosen on MovieLens-100k by the plain arm's AUC over all 10,001 validation rows (± .001 over 3 seeds):
    embedding_l2 0 / .01 / .1: .737 / .740 / .741, where .01 takes half the epochs; history 30 / 50: .741 / .741;
    without the counters of user and item .725, little above the floor's .723.
    """

    backbone: Backbone = "DIN"
    further_backbones: Distinct[Backbone] = ()  # a verdict that holds on one network only is one about that network
    arms: Distinct[Arm] = ("plain", "planted", "permuted", "tallies", "facts", "reccot")
    feature_versions: dict[str, str] = Field(default_factory=dict)  # further arms: name -> feature_version
    seeds: Distinct[int] = Field((1, 2, 3), min_length=1)
    learning_curve: Distinct[Share] = ()  # shares of the training rows on which the arms are measured besides all
    # A signal planted in one of four vectors, worth +.0100: found by linear as +.0067, by hea as +.0051, both before
    # added_dropout.
    adaptor: Literal["linear", "mlp", "hea"] = "linear"
    adaptor_dim: int = Field(4, ge=1)  # inputs of the backbone made of each vector
    # On the adaptor's output: a user's vectors are also the user's name, and a network learns training rows by it.
    # By validation AUC, 10 seeds: the planted signal +.0061 (DIN) and +.0047 (DCNv2), permuted RecCoTs -.0004 and
    # -.0019; with .5 and .06 +.0045 and +.0045, -.0002 and -.0011; docs/experiments.md has the rest.
    added_dropout: float = Field(0.2, ge=0, lt=1)  # probability, each value of each row alone
    added_l2: float = Field(0.02, ge=0)  # nats, times half of each squared weight that reads them
    components: int = Field(16, ge=1)  # principal components of each vector, whitened
    item_texts: bool = True  # every arm reads what item_vectors says of the items: text, attributes, matches
    item_dim: int = Field(8, ge=1)  # inputs of the backbone made of an item's text and attributes
    description_source: str | None = None  # text_source in item_vectors; None: what was written last
    feature_version: str | None = None  # which reccot_vectors; None: the version published last
    # Validation AUC of users in scope: .755 trained on all users' rows (30,001), .750 on their own alone (4,367).
    train_users: Literal["all", "in_scope"] = "all"
    history: int = Field(50, ge=1)  # the backbone's own events before each sample: no fewer than histories.last_n
    embedding_dim: int = Field(16, ge=1)
    embedding_l2: float = Field(1e-2, ge=0)  # FuxiCTR's embedding_regularizer, over whole tables
    hidden_units: tuple[int, ...] = Field((64, 32), min_length=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(60, ge=1)  # at most; patience ends a fit
    patience: int = Field(2, ge=1)  # epochs without a lower validation log-loss
    batch_size: int = Field(512, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    adaptor_learning_rate: float = Field(3e-3, gt=0)  # the planted signal by 1e-3 / 3e-3 / 1e-2: .0056 / .0063 / .0044
    threads: int = Field(1, ge=1)  # two on a busy 2-core machine wait for each other: 10-140 s an arm instead of 8
    processes: int = Field(1, ge=1)  # seeds measured at a time, each in a process with ``threads`` threads
