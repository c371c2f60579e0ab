"""user_histories → reccots: what the statistics teacher says of every history, in the place of G.

Its texts are true by construction and no model is asked: encoded and published as G's are, they show what true words
about a history are worth to a CTR model.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.templates import template_of
from trackrec.reccots.feature_version import FeatureSpec, GeneratorIdentity, feature_spec_by
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import stored_histories
from trackrec.tables.keys import key_of
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse
from trackrec.training.teachers.statistics import statistics_teacher, statistics_version

_NO_SAMPLING = "{}"


def teacher_spec(settings: Settings) -> FeatureSpec:
    """The features that the teacher's RecCoTs make; fetches the encoder, and no LLM. BadInputError as ``resolve``."""
    version = statistics_version(template_of(settings.prompt, settings.histories))
    return feature_spec_by(GeneratorIdentity(version, _NO_SAMPLING), settings)


def write_teacher_reccots(run: Run, tables: Warehouse, spec: FeatureSpec) -> Outcome:
    """Write the teacher's RecCoT of every stored history of ``spec.template`` that has none yet, by a MERGE.

    ``spec``: as from ``teacher_spec``. Rows carry the teacher's version as generator_version, so that nothing that
    asks for G's RecCoTs meets them. BadInputError as ``statistics_teacher``, before anything is read.
    """
    from udfs.teacher import OUTPUT_SCHEMA, teacher_udf

    teacher = statistics_teacher(spec.template)
    with run.stage("teacher") as stage:
        histories = _histories(stored_histories(run.settings, tables), spec, teacher.columns)
        pending = histories.join(tables.read_or_empty("reccots"), "row_key", "left_anti")
        total = histories.count()
        stage.counts = {"rows": 0, "unchanged": total}
        if not pending.isEmpty():
            udf = teacher_udf(teacher.text, spec.generator_version, spec.sampling)
            with tables.materialised(pending.mapInPandas(udf, OUTPUT_SCHEMA)) as rows:
                written = tables.insert_new("reccots", stamped(rows, run.stamp()))
            stage.counts = {"rows": written, "unchanged": total - written}
        stage.labels = {"generator": spec.generator_version}
    return stage.outcome


def _histories(stored: DataFrame, spec: FeatureSpec, shown: Sequence[str]) -> DataFrame:
    """One row a prompt_key, dated by its first snapshot, with its row_key, the teacher's seed and columns ``shown``."""
    first = F.min(F.struct("as_of", "source_max_time", "user_id", *shown)).alias("first")
    row_key = key_of("prompt_key", F.lit(spec.generator_version), F.lit(spec.sampling), F.lit(0))
    seed = F.conv(F.substring("prompt_key", 1, 8), 16, 10).cast("bigint")
    by_prompt = stored.groupBy("prompt_key").agg(first).select("prompt_key", "first.*")
    return by_prompt.withColumns({"row_key": row_key, "seed": seed})
