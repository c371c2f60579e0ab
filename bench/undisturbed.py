"""The same nights in a warehouse of their own that nobody disturbs: the first timed, the others in one warm JVM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.nights import Nights, night_of
from bench.tally import taken_time


class Undisturbed:
    """Nights under the settings ``folder/conf.yaml``, in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lease_seconds: float | None = None  # from the first run's start to its lease
        self._serving: subprocess.Popen[str] | None = None

    def first(self) -> float:
        """Run night 0 as a process, as a killed one is run; returns its seconds."""
        run = Nights(self.folder).start(0)
        code, seconds = run.driver.wait(), run.seconds
        if code:
            raise SystemExit(f"an undisturbed night ended with {code}:\n{Nights(self.folder).printed[-2000:]}")
        taken = taken_time(self.folder, run.run_id)
        self.lease_seconds = taken.timestamp() - run.started if taken else None
        return seconds

    def night(self, number: int) -> None:
        """Run a later night."""
        if self._serving is None:
            command = [sys.executable, "-m", "bench.undisturbed", str(self.folder)]
            with (self.folder / "out.txt").open("ab") as log:
                self._serving = subprocess.Popen(
                    command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
        assert self._serving.stdin is not None
        assert self._serving.stdout is not None
        self._serving.stdin.write(f"{number}\n")
        self._serving.stdin.flush()
        answer = self._serving.stdout.readline().strip()
        if answer != "0":
            printed = Nights(self.folder).printed[-2000:]
            raise SystemExit(f"an undisturbed night ended with {answer or 'no answer'}:\n{printed}")

    def close(self) -> None:
        """End the process."""
        if self._serving is not None:
            self._serving.communicate()


def _serve(folder: Path) -> None:
    """For each number on stdin that night, and its exit code on stdout."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a night prints goes to the log
    from jobs import nightly

    for number in sys.stdin:
        night = f"histories.as_of={night_of(int(number)):%Y-%m-%d}"
        answers.write(f"{nightly.main(['--conf', str(folder / 'conf.yaml'), '--set', night])}\n")
        answers.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
