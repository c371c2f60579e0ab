"""python -m trackrec.report reccots|tables --conf conf/demo.yaml"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trackrec.cli import flags, report
from trackrec.config import load_settings
from trackrec.errors import TrackrecError
from trackrec.report.show import reccots, tables


def main(argv: Sequence[str] | None = None) -> int:
    """Print RecCoTs beside their histories, or where the tables lie; returns the exit code."""
    parser = flags("trackrec.report", __doc__)
    parser.add_argument("what", choices=("reccots", "tables"))
    args = parser.parse_args(argv)
    try:
        settings = load_settings(args.conf, args.set)
        print(reccots(settings.warehouse) if args.what == "reccots" else tables(settings.warehouse))
    except TrackrecError as error:
        return report(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
