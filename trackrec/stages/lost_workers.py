"""Requests whose Python worker died: in which groups they are asked again, until the one that ends it stands alone.

A process that dies cannot say which request did it. What is known is what was in flight in it (``suspects`` of the
progress channel): those are asked again apart from the others, fewer at a time each time a worker dies. Where that is
not known, all are, by halves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from trackrec.runtime.errors import LostWorkerError, is_worker_lost

Staged = TypeVar("Staged")

_NARROWED = 16  # of 512 suspects 32 are in flight at once, then 2, then 1
# Groups of those that were not in flight, so that what another one of them ends is less than all. Of 5,000 rows, 128
# in flight, of which 20 end their worker, 2.1 requests a row are asked in 321 jobs; in one group 6.7, in 16 1.9 in 742.
_OTHERS = 4


@dataclass(frozen=True)
class Group:
    """Requests that are asked in one Spark job, by their keys; None: the whole chunk.

    ``window``: how many may be in flight in a worker; None: as many as the engine takes. ``losses``: how often a worker
    died that had nothing but this one request.
    """

    keys: tuple[str, ...] | None = None
    window: int | None = None
    losses: int = 0


class LossLimit:
    """Counts lost workers; LostWorkerError at more than ``most`` Spark jobs that failed by one."""

    def __init__(self, most: int) -> None:
        self.losses = 0
        self._most = most

    def count(self, error: Exception) -> None:
        """One more, by ``error``."""
        self.losses += 1
        if self.losses > self._most:
            raise LostWorkerError(
                f"{self.losses:,} jobs of G ended because a Python worker died, more than generator.max_lost_workers "
                f"{self._most:,} allows.",
                "Look into the log and the system's for why; where memory is short, lower generator.max_num_seqs or "
                "kv_cache_gb. What is written stays, and the next run goes on behind it.",
            ) from error


def asked_in_groups(
    ask: Callable[[Group], Staged],
    commit: Callable[[Staged], None],
    keys: Callable[[], Collection[str]],
    suspects: Callable[[], set[str]],
    limit: LossLimit,
) -> Iterator[str]:
    """``ask`` for a chunk and ``commit``; where workers die, for parts of it. Yields each key that is to be given up.

    ``ask`` is one Spark job, which stages all rows of its group or none; any error but a lost worker's is raised, and
    any of ``commit``. ``keys``: of the whole chunk. ``suspects``: what was in flight when the last job failed, empty
    where nobody knows. A key is given up where its worker died twice while it was alone: once may be chance.
    """
    groups = deque([Group()])
    while groups:
        group = groups.popleft()
        try:
            staged = ask(group)
        except Exception as error:
            if not is_worker_lost(error):
                raise
            limit.count(error)
            members = group.keys if group.keys is not None else tuple(sorted(keys()))
            if len(members) > 1 or group.window != 1:
                groups.extend(_parts(members, group.window, suspects()))
            elif group.losses:
                yield members[0]
            else:
                groups.append(replace(group, losses=1))
        else:
            commit(staged)


def _parts(members: tuple[str, ...], window: int | None, suspects: set[str]) -> list[Group]:
    """The groups in which ``members`` are asked again; together they are ``members``."""
    suspected = tuple(key for key in members if key in suspects)
    narrow = max(1, len(suspected or members) // _NARROWED)
    if suspected and (len(suspected) < len(members) or window is None or narrow < window):
        others = tuple(key for key in members if key not in suspects)
        return [Group(suspected, narrow), *(Group(part, window) for part in _split(others, _OTHERS))]
    return [Group(part, min(narrow, window or narrow)) for part in _split(members, 2)]


def _split(keys: tuple[str, ...], parts: int) -> list[tuple[str, ...]]:
    size = max(1, -(-len(keys) // parts))
    return [keys[i : i + size] for i in range(0, len(keys), size)]
