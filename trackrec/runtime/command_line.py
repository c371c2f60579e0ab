"""The flags of jobs: those that every job has, and those that stand for a setting."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Shorthand:
    """A flag for ``--set <setting>=<value>``: ``value`` of what is written behind it, or true where that is None."""

    flag: str
    setting: str
    help: str
    metavar: str | None = None
    value: Callable[[str], str] | None = None

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Let ``parser`` read it into its ``--set``."""
        said = f"{self.help} ({self.setting})"
        if self.value is None:
            parser.add_argument(self.flag, action="append_const", dest="set", const=f"{self.setting}=true", help=said)
            return
        parser.add_argument(
            self.flag, action="append", dest="set", metavar=self.metavar, type=self._assignment, help=said
        )

    def _assignment(self, given: str) -> str:
        assert self.value is not None
        return f"{self.setting}={self.value(given)}"


def _positive(given: str) -> int:
    if not given.isdecimal() or not int(given):
        raise argparse.ArgumentTypeError(f"{given} is no number from 1 on")
    return int(given)


def _listed(given: str) -> str:
    """``a,b`` as a YAML list of strings: an id may be a number."""
    return json.dumps([name.strip() for name in given.split(",") if name.strip()])


BACKFILL = Shorthand("--backfill", "generator.backfill", "histories of nights before, too, that lack a text of this G")
LIMIT = Shorthand("--limit", "generator.limit", "ask G for so many texts at most", "N", str)
USERS = Shorthand("--users", "generator.users", "RecCoTs of these users alone", "A,B", _listed)
REWRITE_PAST = Shorthand(
    "--rewrite-past", "histories.rewrite_past", "published histories that would be others now are written anew"
)
FULL = Shorthand("--full", "histories.full", "read the log of all users, not only of those with news")
OF_JOB = {
    "build_histories": (FULL, REWRITE_PAST),
    "generate_reccot": (BACKFILL, LIMIT, USERS),
    "nightly": (FULL, REWRITE_PAST, BACKFILL, LIMIT, USERS),
}
REHEARSED = ("generate_reccot", "nightly")  # jobs that can be run dry


def flags(prog: str, description: str | None) -> argparse.ArgumentParser:
    """--conf, --set and --run-id. The description's lines (launch commands) are kept as they are."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {prog}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/local.yaml, above the base.yaml beside it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--run-id", default=None, help="id that the rows of this run carry (default: a new one)")
    return parser


def job_flags(job: str, description: str | None) -> argparse.ArgumentParser:
    """As ``flags``, and the shorthands of ``jobs/<job>.py``."""
    parser = flags(f"jobs.{job}", description)
    for shorthand in OF_JOB.get(job, ()):
        shorthand.add_to(parser)
    if job in REHEARSED:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what the run would ask of G and cost; write nothing"
        )
        parser.add_argument(
            "--probe", type=_positive, metavar="N", help="--dry-run measures G on so many prompts first"
        )
    return parser
