"""python -m trackrec.report reccots|tables --conf conf/demo.yaml"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from trackrec.config import load_settings
from trackrec.errors import TrackrecError
from trackrec.report.show import reccots, tables


def main(argv: Sequence[str] | None = None) -> int:
    """Print RecCoTs beside their histories, or where the tables lie; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trackrec.report", description="Show what a run wrote.")
    parser.add_argument("what", choices=("reccots", "tables"))
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/demo.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    args = parser.parse_args(argv)
    try:
        settings = load_settings(args.conf, args.set)
        print(reccots(settings.warehouse) if args.what == "reccots" else tables(settings.warehouse))
    except TrackrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
