"""Rows of an earlier version get the keys of this one, in which versions cover engine, dtype and ``deterministic``.

Nothing is generated, judged or encoded for it: texts, judgements and vectors stay, their keys are computed anew. Rows
do not say with which dtype they were made, so the settings in force are taken for theirs.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import arithmetic_of, compute_of
from trackrec.feedback.validator import validator_settings
from trackrec.reccots.feature_version import feature_version_of
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.tables.keys import key_of
from trackrec.tables.warehouse import Warehouse

_EARLIER = "generator_version NOT LIKE '%+%'"  # name@hash, without what computed it
_WRITTEN = ("reccots", "reccot_staging")
_SAME_ROW = "old.row_key = new.row_key"
_CANDIDATE = (
    "named_struct('row_key', new.keys[{0}.row_key], 'text', {0}.text, 'ended', {0}.ended, 'reward', {0}.reward)"
)


def needs_rekeying(tables: Warehouse) -> bool:
    """Whether G's rows have keys of an earlier version."""
    return any(tables.exists(name) and not tables.read(name).where(_EARLIER).isEmpty() for name in _WRITTEN)


def rekey_rows(run: Run, tables: Warehouse) -> Outcome:
    """Give every row that names a RecCoT its new key; killed in the middle, it goes on when run again."""
    with run.stage("rekey") as stage:
        versions = _feature_versions(run.settings, tables)
        with tables.materialised(_new_keys(run.settings, tables)) as keys:
            row_key = {"row_key": "new.new_row_key"}
            generator = row_key | {"generator_version": "new.new_generator_version"}
            _update(tables, stage, "reccot_embeddings", keys, row_key)
            _update(tables, stage, "reccot_vectors", keys, row_key)
            _update(tables, stage, "rec_tuning", keys, generator)
            _update(tables, stage, "validations", keys, row_key)
            _rekey_preferences(tables, stage, keys)
            _rename(tables, "reccot_vectors", "feature_version", versions)
            for name in ("validations", "preferences"):
                _rename(tables, name, "validator_version", _validator_versions(run.settings, tables, name))
            # G's own rows last: all is computed from them, should this run be killed.
            for name in reversed(_WRITTEN):
                _update(tables, stage, name, keys, generator)
        for old, new in versions.items():
            stage.notice(f"feature_version {old} is now {new}: consumers that name it must follow")
    return stage.outcome


def _new_keys(settings: Settings, tables: Warehouse) -> DataFrame:
    """row_key, prompt_key, new_row_key, new_generator_version of every row of G that has an earlier key."""
    columns = ("row_key", "prompt_key", "sampling", "sample_number", "generator_version", "engine")
    reccots, staging = (tables.read_or_empty(name).where(_EARLIER).select(*columns) for name in _WRITTEN)
    # Of a text that was committed its own engine counts, whatever ran the attempts before.
    attempts = staging.join(reccots, "row_key", "left_anti").dropDuplicates(["row_key"])
    return (
        reccots.unionByName(attempts)
        .withColumn("new_generator_version", _with_compute(settings))
        .select(
            "row_key",
            "prompt_key",
            "new_generator_version",
            key_of("prompt_key", "new_generator_version", "sampling", "sample_number").alias("new_row_key"),
        )
    )


def _with_compute(settings: Settings) -> Column:
    """The generator_version of an earlier row as this version writes it; the row's ``engine`` says what ran it."""
    compute = F.concat("engine", F.lit(f".{arithmetic_of(settings.generator)}"))
    return F.concat(
        "generator_version", F.lit("+"), F.when(F.col("engine") == "scripted", "scripted").otherwise(compute)
    )


def _update(tables: Warehouse, stage: Stage, name: str, keys: DataFrame, changes: dict[str, str]) -> None:
    if tables.exists(name):
        stage.counts[name] = tables.update(name, keys, _SAME_ROW, changes)


def _rekey_preferences(tables: Warehouse, stage: Stage, keys: DataFrame) -> None:
    """Candidates stand inside a preference's structs: each history's old keys are mapped to the new ones."""
    if not tables.exists("preferences"):
        return
    with_version = tables.read("preferences").where(_EARLIER).select("prompt_key", "generator_version").distinct()
    entries = F.map_from_entries(F.collect_list(F.struct("row_key", "new_row_key"))).alias("keys")
    renamed = keys.groupBy("prompt_key", "new_generator_version").agg(entries)
    rows = with_version.join(renamed, "prompt_key").where(
        F.col("generator_version") == F.substring_index("new_generator_version", "+", 1)
    )
    changes = {
        "generator_version": "new.new_generator_version",
        "chosen": _CANDIDATE.format("old.chosen"),
        "rejected": f"transform(old.rejected, c -> {_CANDIDATE.format('c')})",
    }
    on = "old.prompt_key = new.prompt_key AND old.generator_version = new.generator_version"
    with tables.materialised(rows) as stored:
        stage.counts["preferences"] = tables.update("preferences", stored, on, changes)


def _feature_versions(settings: Settings, tables: Warehouse) -> dict[str, str]:
    """Published feature_version of earlier keys -> the one of this version."""
    if not all(tables.exists(name) for name in ("reccot_vectors", "reccots", "reccot_embeddings", "user_histories")):
        return {}
    published = _distinct(tables, "reccot_vectors", "feature_version")
    templates = _distinct(tables, "user_histories", "template_version")
    encoders = _distinct(tables, "reccot_embeddings", "encoder_version")
    earlier = tables.read("reccots").where(_EARLIER)
    generators = (
        earlier.select("generator_version", "sampling", _with_compute(settings).alias("new")).distinct().collect()
    )
    versions = {}
    for template in templates:
        for encoder in encoders:
            for row in generators:
                old = feature_version_of(template, row["generator_version"], row["sampling"], encoder)
                if old in published:
                    versions[old] = feature_version_of(template, row["new"], row["sampling"], encoder)
    return versions


def _validator_versions(settings: Settings, tables: Warehouse, name: str) -> dict[str, str]:
    """validator_version of an earlier row, <model>+<template> -> with what computes V between the two."""
    if not tables.exists(name):
        return {}
    earlier = [version for version in _distinct(tables, name, "validator_version") if version.count("+") == 1]
    compute = compute_of(validator_settings(settings))
    return {version: version.replace("+", f"+{compute}+") for version in earlier}


def _rename(tables: Warehouse, name: str, column: str, names: dict[str, str]) -> None:
    if names:
        rows = tables.spark.createDataFrame(list(names.items()), "old_name string, new_name string")
        tables.update(name, rows, f"old.{column} = new.old_name", {column: "new.new_name"})


def _distinct(tables: Warehouse, name: str, column: str) -> Iterable[str]:
    return {row[0] for row in tables.read(name).select(column).distinct().collect()}
