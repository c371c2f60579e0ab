"""The flags that every job has."""

from __future__ import annotations

import argparse


def flags(prog: str, description: str | None) -> argparse.ArgumentParser:
    """--conf, --set and --run-id. The description's lines (launch commands) are kept as they are."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {prog}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/local.yaml, above the base.yaml beside it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--run-id", default=None, help="id that the rows of this run carry (default: a new one)")
    return parser
