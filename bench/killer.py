"""Kills runs of nights at random moments, runs each night again to its end, and keeps what that came to."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deltalake import DeltaTable

from bench.nights import VICTIMS, Nights, Run, parent_of
from bench.tally import CallTally, holder, taken_time
from trackrec.runtime.errors import EXIT_HELD

ENDS_RUN = ("driver", "jvm")  # Spark gets another worker, and another daemon
_POLL_SECONDS = 0.05
_RUN_SECONDS = 900  # a run that takes longer hangs
_GONE_SECONDS = 20  # workers look for their parents every 2 s
_KILLS = (2, 6)  # of a night
_MOST_FAILURES = 5  # of a night, by themselves
_REFUSED_SECONDS = 2  # before a run that was refused is tried again


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: ``in_flight`` requests were with an engine, ``uncommitted`` had been asked and not committed."""

    victim: str
    night: int
    seconds: float  # since the run's start
    in_flight: int
    uncommitted: int


@dataclass
class Figures:
    """Of all nights of a warehouse; seconds in lists, one a case."""

    kills: list[Kill] = field(default_factory=list)
    nights: int = 0
    runs: int = 0
    failed_runs: int = 0  # ended by themselves and not well, though only workers were killed
    refused_runs: int = 0  # ended with 75, while the lease was another machine's
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    extra: int = 0
    orphans: int = 0
    leftovers: int = 0
    respent_tokens: int = 0
    in_flight_tokens: int = 0
    gone_s: list[float] = field(default_factory=list)  # from a kill of driver or JVM to the end of its last process
    takeover_s: list[float] = field(default_factory=list)  # from a run's start to the lease of a killed one
    stale_takeover_s: list[float] = field(default_factory=list)  # from the last heartbeat, of another machine's lease


class Killer:
    """Runs nights of one warehouse and kills ``kills`` times, the ``victims`` in turn.

    ``pace``: seconds of an undisturbed night. ``in_requests``: the share of kills that wait for requests, ``elsewhere``
    that of the leases of killed runs which are made another machine's.
    """

    def __init__(
        self,
        nights: Nights,
        dice: random.Random,
        *,
        users: int,
        kills: int,
        pace: float,
        in_requests: float = 0.5,
        elsewhere: float = 0.25,
        victims: Sequence[str] = VICTIMS,
    ) -> None:
        self.figures = Figures()
        self._nights, self._dice, self._users, self._pace, self._in_requests = nights, dice, users, pace, in_requests
        self._kills, self._elsewhere = kills, elsewhere
        self._victims = deque(victims)
        self._calls = CallTally(nights.folder)

    @property
    def is_done(self) -> bool:
        """Whether all kills were made."""
        return len(self.figures.kills) >= self._kills

    def night(self, number: int, kills: int | None = None) -> None:
        """Run a night to its end, killed ``kills`` times on the way, or two to six times.

        It may end before all were made. SystemExit where it fails by itself.
        """
        kills, failures = kills or self._dice.randint(*_KILLS), 0
        self.figures.nights += 1
        while True:
            run = self._start(number)
            before = len(self.figures.kills)
            if not self._is_stale_lease():
                kills -= self._disturb(run, number, kills)
            code = self._end(run)
            if code == 0:
                self._count_takeover(run)
                self._pace = (self._pace + run.seconds) / 2  # a machine may be busier or less than it was
                return
            if code == EXIT_HELD:
                self.figures.refused_runs += 1
                time.sleep(_REFUSED_SECONDS)
            elif not any(kill.victim in ENDS_RUN for kill in self.figures.kills[before:]):
                self.figures.failed_runs += 1
                failures += 1
                print(f"night {number}: a run ended with {code} though its driver and JVM lived", flush=True)
            if failures >= _MOST_FAILURES:
                raise SystemExit(f"night {number} fails by itself:\n{self._nights.printed[-2000:]}")

    def close(self) -> None:
        """Count tokens; call when the last night has ended."""
        self.figures.respent_tokens, self.figures.in_flight_tokens = self._calls.tokens()

    def _start(self, number: int) -> Run:
        self._left = holder(self._nights.folder)
        self.figures.runs += 1
        return self._nights.start(number)

    def _is_stale_lease(self) -> bool:
        """Whether the run that was started is to take over another machine's lease: it is left alone meanwhile."""
        return self._left is not None and self._left["host"] == "elsewhere"

    def _disturb(self, run: Run, number: int, most: int) -> int:
        """Kill the run or its workers up to ``most`` times; returns how often."""
        killed = 0
        while killed < most and not self.is_done:
            kill = self._kill(run, number)
            if kill is None:
                break
            killed += 1
            self.figures.kills.append(kill)
            print(
                f"kill {len(self.figures.kills)} of {self._kills}: {kill.victim} after {kill.seconds:.0f} s of night "
                f"{number}, {kill.in_flight} requests in flight, {kill.uncommitted} not committed",
                flush=True,
            )
            if kill.victim in ENDS_RUN:
                self._hand_over()
                break
        return killed

    def _kill(self, run: Run, number: int) -> Kill | None:
        """The next victim's end at a random moment; None where the run ended before."""
        waits_for_requests = self._dice.random() < self._in_requests
        if not self._moment_came(run, waits_for_requests):
            return None
        victim = self._victims[0]
        process = self._at_work(run, victim) if waits_for_requests else None
        process, seconds = process or self._process(run, victim), run.seconds
        if process is None:
            return None
        worker = self._calls.last_worker()
        ends = {process, worker} if parent_of(worker) == process else {process}  # a daemon takes its workers along
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return None
        self._victims.rotate(-1)
        if victim in ENDS_RUN:
            self._end(run)
            self.figures.gone_s.append(run.seconds - seconds)
        else:
            self._await_end_of(ends)
        found_by = self._calls.killed()
        return Kill(victim, number, seconds, found_by.in_flight, len(found_by.keys))

    def _at_work(self, run: Run, victim: str) -> int | None:
        """The victim among the last call's worker and what is above it: without a search, while requests run."""
        worker = self._calls.last_worker()
        daemon = parent_of(worker)
        process = {"worker": worker, "daemon": daemon, "jvm": parent_of(daemon), "driver": run.driver.pid}[victim]
        return process if self._nights.owns(process) else None

    def _process(self, run: Run, victim: str) -> int | None:
        """One of the victim's kind; where there is none yet, a while after there is. None where the run ended."""
        until = 0.0
        while not run.ended:
            found = self._nights.processes().get(victim, [])
            if not found:
                until = math.inf
            elif until == math.inf:  # it is there now: not always as it starts
                until = time.monotonic() + self._dice.random() * self._pace / 8
            elif time.monotonic() > until:
                return self._dice.choice(sorted(found))
            time.sleep(_POLL_SECONDS)
        return None

    def _moment_came(self, run: Run, waits_for_requests: bool) -> bool:
        """Wait for a random moment of the run, by its clock or by the engines' calls; False where it ended before."""
        calls = self._dice.randint(1, self._users)
        moment = run.seconds + self._dice.random() * max(self._pace - run.seconds, self._pace / 4)
        while not run.ended:
            if self._calls.since_kill() >= calls if waits_for_requests else run.seconds >= moment:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _await_end_of(self, processes: set[int]) -> None:
        """Until these are gone: what is asked from then on is asked again."""
        until = time.monotonic() + _GONE_SECONDS
        while any(map(self._nights.owns, processes)) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS / 10)

    def _end(self, run: Run) -> int:
        """Wait for the run's end and that of its processes; what is there after 20 s is an orphan, and killed.

        A run that hangs is an orphan too. Returns the driver's exit code.
        """
        with suppress(subprocess.TimeoutExpired):
            run.driver.wait(_RUN_SECONDS)
        left = self._nights.survivors(_GONE_SECONDS)
        if left:
            print(f"orphans: {self._nights.processes()}", flush=True)
        self.figures.orphans += len(left)
        self._nights.end()
        return run.driver.wait()

    def _count_takeover(self, run: Run) -> None:
        """How long it took the run to get the lease that a killed one had left."""
        taken = taken_time(self._nights.folder, run.run_id)
        if self._left is None or taken is None:
            return
        if self._left["host"] == "elsewhere":
            self.figures.stale_takeover_s.append((taken - self._left["heartbeat_time"]).total_seconds())
        else:
            self.figures.takeover_s.append((taken - datetime.fromtimestamp(run.started, UTC)).total_seconds())

    def _hand_over(self) -> None:
        """Make some leases of killed runs another machine's: these are free only when they are stale."""
        if holder(self._nights.folder) is not None and self._dice.random() < self._elsewhere:
            DeltaTable(self._nights.folder / "warehouse" / "leases").update(new_values={"host": "elsewhere"})
