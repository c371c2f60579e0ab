"""python -m trackrec.report reccots|tables|rounds --conf conf/demo.yaml"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trackrec.report.rounds import one_history, rounds
from trackrec.report.show import reccots, tables
from trackrec.runtime.command_line import flags
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.failure import DEFAULT_LOG, print_error
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake, open_lake


def main(argv: Sequence[str] | None = None) -> int:
    """Print RecCoTs beside their histories, where the tables lie, or a loop's rounds; returns the exit code."""
    parser = flags("trackrec.report", __doc__)
    parser.add_argument("what", choices=("reccots", "tables", "rounds"))
    args = parser.parse_args(argv)
    log = DEFAULT_LOG
    try:
        settings = load_settings(args.conf, args.set)
        log = settings.log
        print(_told(args.what, settings, open_lake(settings, "report")))
    except Exception as error:
        return print_error(error, log)
    return 0


def _told(what: str, settings: Settings, lake: Lake) -> str:
    if what == "rounds":
        return _rounds(settings, lake)
    return reccots(lake) if what == "reccots" else tables(lake)


def _rounds(settings: Settings, lake: Lake) -> str:
    from trackrec.stages.alternate import progress_of

    done = progress_of(settings).done
    if "measure 0" not in done:
        raise BadInputError("no round of a loop with these settings was finished.", "Run jobs/alternate.py first.")
    return f"{rounds(done)}\n\n{one_history(lake, done, settings.generator.sampling.canonical())}"


if __name__ == "__main__":
    sys.exit(main())
