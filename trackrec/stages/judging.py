"""Requests to V: whom each V judges, with the offset it adds, and its engine's answers."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import COUNTED
from trackrec.feedback.offset import with_offset
from trackrec.feedback.questions import grouped
from trackrec.feedback.user_split import fold_of
from trackrec.feedback.validator import Validator
from trackrec.runtime.gpus import gpu_profile
from trackrec.runtime.progress_channel import ProgressSender
from trackrec.runtime.settings import Settings
from trackrec.stages.support import with_named


def by_judge(
    settings: Settings, requests: DataFrame, samples: DataFrame, items: DataFrame, judges: Mapping[int, Validator]
) -> list[tuple[Validator, DataFrame]]:
    """Each V with the requests about the users that it judges, with column offset (nats; NULL where V has none).

    ``judges``: fold of users → V; requests about users of another fold are left out. ``requests`` with column text,
    what V is shown, which is dropped. ``samples``: as the table has them; ``items``: as for ``support.with_named``.
    """
    of_fold = fold_of(F.col("user_id"), settings.feedback.validator_share)
    folds: dict[str, list[int]] = {}  # one V that judges both is asked once
    for fold, validator in judges.items():
        folds.setdefault(validator.version, []).append(fold)
    judged = []
    for own in folds.values():
        validator, asked = judges[own[0]], requests.where(of_fold.isin(*own))
        if validator.offset is None:
            asked = asked.withColumn("offset", F.lit(None).cast("double"))
        else:
            asked = with_named(asked, items) if validator.offset.reads else asked
            asked = with_offset(asked, samples, validator.offset)
        judged.append((validator, asked.drop("text")))
    return judged


def answers_of(validator: Validator, requests: DataFrame, progress: ProgressSender) -> DataFrame:
    """V's answers to requests as from ``by_judge``: the lazy rows of ``udfs.validate``, an engine a partition."""
    from udfs.validate import OUTPUT_SCHEMA, validate_udf

    settings = validator.settings
    udf = validate_udf(validator.spec, validator.version, progress, validator.base_log_odds)
    profile = None if settings.engine == COUNTED else gpu_profile(settings)
    return grouped(requests, settings.engines).mapInPandas(udf, OUTPUT_SCHEMA, profile=profile)
