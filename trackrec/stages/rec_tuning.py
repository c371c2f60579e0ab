"""reccots → rec_tuning: what the users of V's fold did after the RecCoTs of G_t, with the prompt that V reads."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.offset import NAMED, with_counts
from trackrec.feedback.reader import check_reader, needs_reader
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.user_split import fold_of
from trackrec.feedback.validator import validator_of
from trackrec.feedback.writers import tuning_writers
from trackrec.reccots.feature_version import generator_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import item_catalogue, questions_about, reccots_of
from trackrec.stages.support import with_named
from trackrec.tables.slices import slice_where
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def build_rec_tuning(run: Run, tables: Warehouse, fold: int = 0) -> Outcome:
    """Make the rows that the V of ``fold`` is tuned on those of the present settings and sources.

    Of every generator and sampling that ``tuning_writers`` names, and of this template: rows of other next events,
    users or titles are replaced. A second run writes nothing. Counts rows written and deleted. Raises BadInputError
    where RecCoTs are missing that the settings ask for besides those of G as it is served.
    """
    settings = run.settings
    check_reader(settings)
    with run.stage("rec_tuning") as stage:
        template = validator_of(settings, fold).template
        writers = tuning_writers(settings)
        reccots = reduce(DataFrame.unionByName, [_reccots(settings, writer, tables, fold) for writer in writers])
        rows = with_counts(_questions(settings, tables, reccots, template), tables.read("samples")).withColumns(
            {"fold": F.lit(fold), "template_version": F.lit(template.version)}
        )
        slices = (
            slice_where(**generator_of(writer)._asdict(), template_version=template.version) for writer in writers
        )
        where = f"({' OR '.join(f'({one})' for one in slices)}) AND coalesce(fold, 0) = {fold}"
        with tables.materialised(stamped(rows, run.stamp())) as present:
            stage.counts["rows"] = tables.replace_slice("rec_tuning", present, where)
    return stage.outcome


def _reccots(settings: Settings, writer: Settings, tables: Warehouse, fold: int) -> DataFrame:
    """The RecCoTs of one writer about the fold's users."""
    of_fold = fold_of(F.col("user_id"), settings.feedback.validator_share) == fold
    reccots = reccots_of(writer, tables).where(of_fold)
    if writer is not settings and reccots.isEmpty():
        names = generator_of(writer)
        wanted = "tune.also" if writer.generator.sampling == settings.generator.sampling else "tune.candidates"
        raise BadInputError(
            f"table reccots holds 0 RecCoTs of generator {names.generator_version}, sampling {names.sampling}, about "
            f"users of fold {fold}, and {wanted} asks for them.",
            f"Run jobs/generate_reccot.py with --set generator.model.source={writer.generator.model.source} "
            f"--set 'generator.sampling={names.sampling}', or leave them out: tune.candidates=0, tune.also=[].",
        )
    return reccots


def _questions(settings: Settings, tables: Warehouse, reccots: DataFrame, template: ValidatorTemplate) -> DataFrame:
    """The questions about all writers' RecCoTs, planned once, each with its generator_version and sampling."""
    requests = questions_about(settings, tables, reccots, template, settings.tune.next_events)
    if needs_reader(settings):
        requests = with_named(requests, item_catalogue(settings, tables))
    else:
        requests = requests.withColumns({name: F.lit(None).cast("int") for name in NAMED})
    writers = reccots.select("row_key", "generator_version", "sampling")
    return requests.drop("request_key", "question_key", "text").join(writers, "row_key")
