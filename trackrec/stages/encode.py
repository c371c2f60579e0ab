"""reccots → reccot_embeddings: the RecCoT, its parts and the facts of its history as vectors."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.histories.prompts import facts
from trackrec.reccots.feature_version import FeatureSpec, feature_spec_of
from trackrec.reccots.features import served_reccots
from trackrec.reccots.parts import parts_of
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import stored_histories
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_READ = ("row_key", "user_id", "prompt_key", "as_of", "source_max_time", "text", "facts", "titles")


def encode_reccots(run: Run, tables: Warehouse, spec: FeatureSpec | None = None) -> Outcome:
    """Encode every served RecCoT that has no vectors of this encoder version yet.

    ``spec``: whose RecCoTs; None: those of the settings' G.
    """
    from udfs.encode import OUTPUT_SCHEMA, encode_udf

    settings = run.settings.encoder
    with run.stage("encode") as stage:
        spec = spec or feature_spec_of(run.settings)
        histories = stored_histories(run.settings, tables)
        reccots = served_reccots(tables.read("reccots"), spec).join(
            histories.select("prompt_key"), "prompt_key", "left_semi"
        )
        stored = tables.read_or_empty("reccot_embeddings")
        is_current = F.col("encoder_version") == spec.encoder_version
        unread = reccots.join(stored.where(is_current), "row_key", "left_anti")
        # Snapshots of one prompt_key show the same. Lists and tallies are read of what is pending alone.
        shown = F.struct(facts(spec.template).alias("facts"), F.concat("liked", "disliked").alias("titles"))
        of_pending = histories.join(unread.select("prompt_key"), "prompt_key", "left_semi")
        contents = of_pending.groupBy("prompt_key").agg(F.min(shown).alias("shown"))
        pending = unread.join(contents.select("prompt_key", "shown.*"), "prompt_key").select(*_READ)
        total = reccots.count()
        stage.counts = {"rows": 0, "unchanged": total}
        if not pending.isEmpty():
            if said := notice_of_language(run.settings.prompt.language):
                stage.notice(said)
            if not stored.where(~is_current).join(pending, "row_key", "left_semi").isEmpty():
                stage.notice("RecCoTs with vectors of an earlier version are encoded anew: another feature_version")
            udf = encode_udf(spec.encoder, spec.encoder_version, parts_of, settings.batch_size, settings.threads)
            vectors = pending.repartition(settings.partitions).mapInPandas(udf, OUTPUT_SCHEMA)
            with tables.materialised(vectors) as rows:
                written = tables.insert_new("reccot_embeddings", stamped(rows, run.stamp()))
            stage.counts = {"rows": written, "unchanged": total - written}
    return stage.outcome


def notice_of_language(language: str | None) -> str | None:
    """What texts in ``prompt.language`` lack; None for English ones."""
    if language is None or language.strip().lower() == "english":
        return None
    return (
        f"prompt.language is {language.strip()}, and a RecCoT's parts are told apart by English words: of texts in it "
        "the vectors of liked, avoided and outlook are mostly NULL, that of the whole text is as good as the encoder"
    )
