"""reccots → rec_tuning: what V's own users did after the RecCoTs of G_t, with the prompt that V reads."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.feedback.user_split import is_validator_user
from trackrec.feedback.validator import validator_of
from trackrec.reccots.feature_version import generator_of
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import questions_about, reccots_of
from trackrec.tables.slices import slice_where
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def build_rec_tuning(run: Run, tables: Warehouse) -> Outcome:
    """Make the rows that V is tuned on (users whom G is not judged on) those of the present settings and sources.

    Of this generator, sampling and template: rows of other next events, users or titles are replaced. A second run
    writes nothing. Counts rows written and deleted.
    """
    settings = run.settings
    with run.stage("rec_tuning") as stage:
        template = validator_of(settings).template
        names = {**generator_of(settings)._asdict(), "template_version": template.version}
        of_v = is_validator_user(F.col("user_id"), settings.feedback.validator_share)
        reccots = reccots_of(settings, tables).where(of_v)
        requests = questions_about(settings, tables, reccots, template, settings.tune.next_events)
        rows = requests.drop("request_key", "question_key").withColumns(
            {name: F.lit(value) for name, value in names.items()}
        )
        with tables.materialised(stamped(rows, run.stamp())) as present:
            stage.counts["rows"] = tables.replace_slice("rec_tuning", present, slice_where(**names))
    return stage.outcome
