"""python -m trackrec.report reccots|tables --conf conf/demo.yaml"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trackrec.cli import DEFAULT_LOG, flags, report
from trackrec.config_files import load_settings
from trackrec.lake import open_lake
from trackrec.report.show import reccots, tables


def main(argv: Sequence[str] | None = None) -> int:
    """Print RecCoTs beside their histories, or where the tables lie; returns the exit code."""
    parser = flags("trackrec.report", __doc__)
    parser.add_argument("what", choices=("reccots", "tables"))
    args = parser.parse_args(argv)
    log = DEFAULT_LOG
    try:
        settings = load_settings(args.conf, args.set)
        log = settings.log
        lake = open_lake(settings, "report")
        print(reccots(lake) if args.what == "reccots" else tables(lake))
    except Exception as error:
        return report(error, log)
    return 0


if __name__ == "__main__":
    sys.exit(main())
