"""The requests to G, about users or items: their keys and seeds, which are pending, their chunks and partitions.

``row_key = sha256(prompt_key, generator version, sampling parameters, sample number)``. Resume, "the model changed"
and "this user did not change" are all one anti-join on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.runtime.settings import SamplingSettings
from trackrec.tables.keys import bucket_of, key_of


def requests(
    prompts: DataFrame, generator_version: str, sampling: SamplingSettings, identity: tuple[str, ...]
) -> DataFrame:
    """One request a prompt_key: prompt_key, ``identity``, prompt_body, seed, row_keys.

    ``prompts``: prompt_key, prompt_body, ``identity`` (see GeneratedTables). A user's prompt that returns after a
    change (A, B, A) is one request, dated by its first snapshot. The seed comes from the key without the sample number;
    the engine gives sample i the seed + i.
    """
    first = F.min(F.struct(*identity, "prompt_body")).alias("first")
    version, parameters = F.lit(generator_version), F.lit(sampling.canonical())

    def key(*sample: Column) -> Column:
        return key_of("prompt_key", version, parameters, *sample)

    return (
        prompts.groupBy("prompt_key")
        .agg(first)
        .select("prompt_key", "first.*")
        # 52 bits: exact in a double, and a valid seed for torch and vLLM alike.
        .withColumn("seed", F.conv(F.substring(key(), 1, 13), 16, 10).cast("bigint"))
        .withColumn("row_keys", F.array(*[key(F.lit(i)) for i in range(sampling.n)]))
    )


def settled(texts: DataFrame, staging: DataFrame, run_id: str, max_attempts: int) -> DataFrame:
    """The row_keys that need no request now: committed, staged, failed for good, or tried in this run already."""
    tries = staging.groupBy("row_key").agg(
        F.max((F.col("status") != "failed") | F.col("error_kind").eqNullSafe("permanent")).alias("final"),
        F.max(F.col("run_id") == run_id).alias("in_this_run"),
        F.count("*").alias("attempts"),
    )
    spent = F.col("final") | F.col("in_this_run") | (F.col("attempts") >= max_attempts)
    return texts.select("row_key").unionByName(tries.where(spent).select("row_key"))


def exhausted(staging: DataFrame, *, max_attempts: int) -> DataFrame:
    """The newest staged row of each row_key that failed ``max_attempts`` times, each time by a transient fault.

    ``staging``: rows of a staging table of G. A row that was ever written, or has a permanent fault, is not among them.
    """
    newest = Window.partitionBy("row_key").orderBy(F.desc("created_time"))
    of_row = Window.partitionBy("row_key")
    transient = (F.col("status") == "failed") & F.col("error_kind").eqNullSafe("transient")
    return (
        staging.withColumns(
            {
                "_attempt": F.row_number().over(newest),
                "_attempts": F.count("*").over(of_row),
                "_transient": F.min(transient).over(of_row),
            }
        )
        .where(F.col("_transient") & (F.col("_attempts") >= max_attempts) & (F.col("_attempt") == 1))
        .drop("_attempt", "_attempts", "_transient")
    )


def given_up(staging: DataFrame, *, max_attempts: int) -> DataFrame:
    """The staged rows that are asked for no more: permanent faults, and transient ones as in ``exhausted``."""
    permanent = staging.where((F.col("status") == "failed") & F.col("error_kind").eqNullSafe("permanent"))
    return permanent.unionByName(exhausted(staging, max_attempts=max_attempts))


def pending_requests(requests: DataFrame, settled: DataFrame) -> DataFrame:
    """The requests of which at least one row_key is not among the ``settled`` ones."""
    keys = requests.select("prompt_key", F.explode("row_keys").alias("row_key"))
    return requests.join(keys.join(settled, "row_key", "left_anti"), "prompt_key", "left_semi")


def limited(requests: DataFrame, limit: int | None) -> DataFrame:
    """The first ``limit`` of ``requests`` by prompt_key, which is a hash: of fewer the same ones. None: all."""
    return requests if limit is None else requests.orderBy("prompt_key").limit(limit)


def chunks_of(requests: DataFrame, total: int, chunk_rows: int) -> Iterator[DataFrame]:
    """The ``total`` rows of ``requests`` in chunks of about ``chunk_rows``, those of a prompt_key in the same one.

    Chunks go by a hash of the prompt_key: no global sort. One may be empty; where ``total`` is 0 there is none.
    """
    chunks = -(-total // chunk_rows)
    for chunk in range(chunks):
        yield requests.where(bucket_of("prompt_key", chunks) == chunk)


def balanced(requests: DataFrame, engines: int) -> DataFrame:
    """One partition an engine, with about the same number of prompt characters each.

    Ranked by length and dealt in turn: lengths vary by user, and the stage lasts as long as its slowest engine.
    """
    by_length = Window.orderBy(F.desc(F.length("prompt_body")), "prompt_key")
    return (
        requests.withColumn("_slot", (F.row_number().over(by_length) - 1) % engines)
        .repartitionById(engines, F.col("_slot").cast("int"))
        .drop("_slot")
    )
