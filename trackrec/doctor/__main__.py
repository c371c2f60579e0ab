"""``python -m trackrec.doctor``: one line a check, the remedy below each that failed. Exit code 0 or 2."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from trackrec.doctor.machine import disk, java, memory, processor, python, system
from trackrec.doctor.network import jars, package_index
from trackrec.doctor.software import gpu, packages, variables
from trackrec.doctor.world import FAILED, MISSING, WARNING, Finding, World
from trackrec.runtime.errors import EXIT_BAD_INPUT, EXIT_DONE

CHECKS = (java, python, system, processor, memory, disk, packages, gpu, variables, package_index, jars)


def examine(world: World, checks: Sequence[Callable[[World], list[Finding]]] = CHECKS) -> int:
    """Run the checks, print each as it is known, then the sum; returns the exit code."""
    findings = []
    for check in checks:
        try:
            found = check(world)
        except (OSError, ValueError) as error:  # a file that cannot be read must not hide the other checks
            found = [Finding(check.__name__, WARNING, f"could not be checked: {error}.", "Report it as a bug.")]
        for finding in found:
            print(f"{finding.level:<8} {finding.name:<10} {finding.what}", flush=True)
            if finding.remedy:
                print(f"{'':<19} {finding.remedy}", flush=True)
        findings += found
    failed = sum(finding.level in (MISSING, FAILED) for finding in findings)
    warned = sum(finding.level == WARNING for finding in findings)
    if failed:
        print(f"{failed} of {len(findings)} checks failed: see the remedies above.")
        return EXIT_BAD_INPUT
    print(f"All {len(findings)} checks passed{f', {warned} with a warning' if warned else ''}.")
    return EXIT_DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: examine this machine and the checkout that this file lies in."""
    parser = argparse.ArgumentParser(
        prog="python -m trackrec.doctor", description="What this machine lacks, and the remedy."
    )
    parser.parse_args(arguments)
    root = Path(__file__).resolve().parent.parent.parent
    return examine(World(root=root, home=Path.home(), env=dict(os.environ)))


if __name__ == "__main__":
    raise SystemExit(main())
