"""Jobs called from a notebook: widgets in place of flags, an exception in place of an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trackrec.runtime.errors import EXIT_DONE, TrackrecError

_WIDGETS = {"conf": "settings file", "set": "key=value, several by spaces", "run-id": "id of this run (may be empty)"}


def add_widgets(dbutils: Any, conf: str) -> None:
    """One text widget a flag of the jobs (``--conf``, ``--set``, ``--run-id``), under the flag's own name."""
    for name, label in _WIDGETS.items():
        dbutils.widgets.text(name, conf if name == "conf" else "", label)


def arguments(dbutils: Any) -> list[str]:
    """The command line that the widgets stand for; an empty widget gives no flag."""
    conf, overrides, run_id = (dbutils.widgets.get(name).strip() for name in _WIDGETS)
    command = ["--conf", conf]
    for override in overrides.split():
        command += ["--set", override]
    return [*command, "--run-id", run_id] if run_id else command


def call(job: Callable[[Sequence[str]], int], args: Sequence[str]) -> None:
    """Run a job's ``main``; raises TrackrecError with its exit code, so that a notebook task fails as the job does."""
    code = job(args)
    if code != EXIT_DONE:
        raise TrackrecError(f"{job.__module__} ended with exit code {code}.", "Its error line is above.")
