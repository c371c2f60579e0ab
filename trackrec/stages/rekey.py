"""Rows of an earlier version get the keys of this one, in which versions cover engine, dtype and ``deterministic``.

Nothing is generated, judged or encoded for it: texts, judgements and vectors stay, their keys are computed anew. The
earlier version told neither engines nor dtypes apart, so all its rows are taken for what the settings in force name.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import compute_of
from trackrec.feedback.validator import validator_settings
from trackrec.reccots.feature_version import feature_version_of
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.tables.keys import key_of
from trackrec.tables.warehouse import Warehouse

_EARLIER = "generator_version RLIKE '@[0-9a-f]{12}$'"  # <name>@<hash>, and nothing about what computed it
_EARLIER_VALIDATOR = r"^(.*@[0-9a-f]{12})\+(validator@[0-9a-f]{12})$"
_GENERATED = ("reccots", "reccot_staging")
_SAME_ROW = "old.row_key = new.row_key"
_CANDIDATE = (
    "named_struct('row_key', coalesce(new.keys[{0}.row_key], {0}.row_key), 'text', {0}.text, 'ended', {0}.ended, "
    "'reward', {0}.reward)"
)
_FAULT = "replace(old.row, new.row_key, new.new_row_key)"


def needs_rekeying(tables: Warehouse) -> bool:
    """Whether G's rows have keys of an earlier version."""
    return any(tables.exists(name) and not tables.read(name).where(_EARLIER).isEmpty() for name in _GENERATED)


def rekey_rows(run: Run, tables: Warehouse) -> Outcome:
    """Give every row that names a RecCoT its new key; killed in the middle, it goes on when run again."""
    with run.stage("rekey") as stage:
        compute = compute_of(run.settings.generator)
        stage.notice(f"rows of an earlier version are taken for {compute} (generator.engine, dtype, deterministic)")
        versions = _feature_versions(tables, compute)
        with tables.materialised(_new_keys(tables, compute)) as keys:
            row_key = {"row_key": "new.new_row_key"}
            generator = row_key | {"generator_version": "new.new_generator_version"}
            for name in ("reccot_embeddings", "reccot_vectors", "validations"):
                _rekey(tables, stage, name, keys, row_key)
            _rekey(tables, stage, "rec_tuning", keys, generator)
            _rekey_preferences(tables, stage, keys)
            _rekey_quarantine(tables, stage, keys)
            _rename(tables, "reccot_vectors", "feature_version", versions)
            for name in ("validations", "preferences"):
                _rename(tables, name, "validator_version", _validator_versions(run.settings, tables, name))
            # G's own rows last: all is computed from them, should this run be killed.
            for name in reversed(_GENERATED):
                _rekey(tables, stage, name, keys, generator)
        for old, new in versions.items():
            stage.notice(f"feature_version {old} is now {new}: consumers that name it must follow")
    return stage.outcome


def _new_keys(tables: Warehouse, compute: str) -> DataFrame:
    """Of every row of G with an earlier key: row_key, prompt_key, both versions, new_row_key, and ``stored``.

    ``stored``: a row has that new key already. An earlier version that ran again, after this one, writes such rows.
    """
    columns = ("row_key", "prompt_key", "sampling", "sample_number", "generator_version")
    rows = [tables.read_or_empty(name).where(_EARLIER).select(*columns) for name in _GENERATED]
    present = tables.read_or_empty("reccots").select(F.col("row_key").alias("new_row_key"), F.lit(True).alias("stored"))
    return (
        rows[0]
        .unionByName(rows[1])
        .dropDuplicates(["row_key"])
        .withColumn("new_generator_version", F.concat("generator_version", F.lit(f"+{compute}")))
        .withColumn("new_row_key", key_of("prompt_key", "new_generator_version", "sampling", "sample_number"))
        .join(present, "new_row_key", "left")
        .select(
            "row_key",
            "prompt_key",
            "generator_version",
            "new_generator_version",
            "new_row_key",
            F.coalesce("stored", F.lit(False)).alias("stored"),
        )
    )


def _rekey(tables: Warehouse, stage: Stage, name: str, keys: DataFrame, changes: dict[str, str]) -> None:
    """Change the rows of a table that have a row_key; a row whose new key is stored already is a second one, and goes.

    Not so in staging, where a key has a row an attempt.
    """
    if not tables.exists(name):
        return
    if name != "reccot_staging":
        tables.delete_matching(name, keys.where("stored"), _SAME_ROW)
    stage.counts[name] = tables.update(name, keys, _SAME_ROW, changes)


def _rekey_preferences(tables: Warehouse, stage: Stage, keys: DataFrame) -> None:
    """Candidates stand inside a preference's structs: each history's old keys are mapped to the new ones."""
    if not tables.exists("preferences"):
        return
    entries = F.map_from_entries(F.collect_list(F.struct("row_key", "new_row_key"))).alias("keys")
    changes = {
        "generator_version": "new.new_generator_version",
        "chosen": _CANDIDATE.format("old.chosen"),
        "rejected": f"transform(old.rejected, c -> {_CANDIDATE.format('c')})",
    }
    on = "old.prompt_key = new.prompt_key AND old.generator_version = new.generator_version"
    by_history = keys.groupBy("prompt_key", "generator_version", "new_generator_version").agg(entries)
    with tables.materialised(by_history) as rows:
        stage.counts["preferences"] = tables.update("preferences", rows, on, changes)


def _rekey_quarantine(tables: Warehouse, stage: Stage, keys: DataFrame) -> None:
    """A fault of G is known by its row, which names the row_key: under the earlier one it would be set aside twice."""
    if not tables.exists("quarantine"):
        return
    parts = ("old.source_table", "old.reason", _FAULT)
    fault_key = f"sha2(concat({', '.join(f'sha2({part}, 256)' for part in parts)}), 256)"  # as ``keys.key_of``
    on = "old.source_table = 'reccots' AND get_json_object(old.row, '$.row_key') = new.row_key"
    stage.counts["quarantine"] = tables.update("quarantine", keys, on, {"row": _FAULT, "fault_key": fault_key})


def _feature_versions(tables: Warehouse, compute: str) -> dict[str, str]:
    """Published feature_version of earlier keys -> the one of this version."""
    if not all(tables.exists(name) for name in ("reccot_vectors", "reccots", "reccot_embeddings", "user_histories")):
        return {}
    published = _distinct(tables, "reccot_vectors", "feature_version")
    generators = tables.read("reccots").where(_EARLIER).select("generator_version", "sampling").distinct().collect()
    versions = {}
    for template in _distinct(tables, "user_histories", "template_version"):
        for encoder in _distinct(tables, "reccot_embeddings", "encoder_version"):
            for generator, sampling in generators:
                old = feature_version_of(template, generator, sampling, encoder)
                if old in published:
                    versions[old] = feature_version_of(template, f"{generator}+{compute}", sampling, encoder)
    return versions


def _validator_versions(settings: Settings, tables: Warehouse, name: str) -> dict[str, str]:
    """validator_version of an earlier row, <model>+<template> -> with what computes V between the two."""
    if not tables.exists(name):
        return {}
    rows = tables.read(name).where(F.col("validator_version").rlike(_EARLIER_VALIDATOR))
    compute = compute_of(validator_settings(settings))
    new = F.regexp_replace("validator_version", _EARLIER_VALIDATOR, f"$1+{compute}+$2")
    return dict(rows.select("validator_version", new).distinct().collect())


def _rename(tables: Warehouse, name: str, column: str, names: dict[str, str]) -> None:
    if names:
        rows = tables.spark.createDataFrame(list(names.items()), "old_name string, new_name string")
        tables.update(name, rows, f"old.{column} = new.old_name", {column: "new.new_name"})


def _distinct(tables: Warehouse, name: str, column: str) -> set[str]:
    return {row[0] for row in tables.read(name).select(column).distinct().collect()}
