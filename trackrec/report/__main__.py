"""python -m trackrec.report reccots|tables|rounds|gain --conf conf/demo.yaml"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trackrec.runtime.command_line import flags
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.failure import log_file, print_error

if TYPE_CHECKING:
    from trackrec.runtime.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Print RecCoTs beside their histories, where the tables lie, a loop's rounds, or the newest gains of each backbone
    (and plot them); returns the exit code."""
    parser = flags("trackrec.report", __doc__)
    parser.add_argument("what", choices=("reccots", "tables", "rounds", "gain"))
    args = parser.parse_args(argv)
    log = log_file()
    try:  # imports included: a package that is missing ends with one line too
        from trackrec.runtime.settings_files import load_settings

        settings = load_settings(args.conf, args.set)
        log = log_file(settings.log)
        print(_report(args.what, settings))
    except Exception as error:
        return print_error(error, log)
    return 0


def _report(what: str, settings: Settings) -> str:
    from trackrec.report.show import reccots, tables
    from trackrec.tables.catalog import lake_of

    if what == "rounds":
        return _rounds(settings)
    if what == "gain":
        return _gain(settings)
    return {"reccots": reccots, "tables": tables}[what](lake_of(settings, "report"))


def _gain(settings: Settings) -> str:
    from trackrec.report.gain import gain_table
    from trackrec.report.plot import plot_folder, save_plot
    from trackrec.report.stored_gain import stored_figures
    from trackrec.tables.catalog import lake_of

    figures = stored_figures(lake_of(settings, "report"), (settings.ctr.backbone, *settings.ctr.further_backbones))
    plotted = "\n".join(save_plot(figures, plot_folder(settings.warehouse)))
    return "\n\n".join([*map(gain_table, figures), *([plotted] if plotted else [])])


def _rounds(settings: Settings) -> str:
    from trackrec.feedback.loop_state import newest_loop
    from trackrec.report.rounds import one_history, round_tables
    from trackrec.tables.catalog import lake_of

    loop = newest_loop(settings)
    if loop is None or not loop.of_kind("measure"):
        raise BadInputError("no round of a loop with these settings was finished.", "Run jobs/alternate.py first.")
    return f"{round_tables(loop, settings.loop.rounds)}\n\n{one_history(lake_of(settings, 'report'), loop)}"


if __name__ == "__main__":
    sys.exit(main())
