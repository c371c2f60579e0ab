"""``python -m trackrec.doctor``: one line a check, the remedy below each that failed. Exit code 0 or 2."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trackrec.doctor.checks import CHECKS, FAILED, WARNING, Finding
from trackrec.doctor.machine import Machine
from trackrec.runtime.errors import EXIT_BAD_INPUT, EXIT_DONE
from trackrec.runtime.terminal import printable_line


def examine(machine: Machine) -> int:
    """Run the checks, print each when it is done, then the sum; returns the exit code."""
    levels = []
    for check in CHECKS:
        try:
            finding = check(machine)
        except Exception as error:  # a file that cannot be read must not hide the other checks
            finding = Finding(WARNING, f"could not be checked: {error!r}.", "On Linux that is a bug.")
        print(f"{finding.level:<8} {check.__name__.capitalize():<10} {printable_line(finding.what)}", flush=True)
        if finding.remedy:
            print(f"{'':<19} {printable_line(finding.remedy)}", flush=True)
        levels.append(finding.level)
    if FAILED in levels:
        print(f"{levels.count(FAILED)} of {len(levels)} checks failed: see the remedies above.", flush=True)
        return EXIT_BAD_INPUT
    warned = f", {levels.count(WARNING)} with a warning" if WARNING in levels else ""
    print(f"All {len(levels)} checks passed{warned}.", flush=True)
    return EXIT_DONE


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a path, in a terminal with ASCII
    try:
        code = examine(Machine(Path(__file__).resolve().parents[2], Path(os.path.expanduser("~")), dict(os.environ)))
    except (BrokenPipeError, KeyboardInterrupt):  # nobody reads on
        os._exit(EXIT_BAD_INPUT)  # Python's own end would flush, and fail, once more
    sys.exit(code)
