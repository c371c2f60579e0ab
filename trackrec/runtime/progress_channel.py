"""How far workers are, before their rows are committed: small datagrams from Spark's Python workers to the driver.

Best effort: a datagram that is lost, or a driver that workers cannot reach, costs nothing but the display, which the
committed count corrects, and where a worker is lost a longer search for the request that ends it. No answer is ever
awaited. A datagram is a random token, an event, a count and a request's key; whatever else arrives is dropped.
"""

from __future__ import annotations

import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

_TOKEN_BYTES = 16
_KEY_BYTES = 64  # a sha256 in hexadecimal; a longer key is cut
_DATAGRAM = struct.Struct(f"!{_TOKEN_BYTES}sBI{_KEY_BYTES}s")  # token, event, count, key
_SEND_SECONDS = 0.5  # between two datagrams of finished rows
_STOP_SECONDS = 0.2  # within which the driver's thread notices the end


class ProgressEvent(IntEnum):
    """What a datagram reports."""

    ENGINE_STARTING = 1
    ENGINE_STARTED = 2
    ROWS_FINISHED = 3
    REQUEST_STARTED = 4
    REQUEST_ENDED = 5
    STALLED = 6


_COUNTED = {
    ProgressEvent.ENGINE_STARTING: "engines_starting",
    ProgressEvent.ENGINE_STARTED: "engines_started",
    ProgressEvent.ROWS_FINISHED: "rows_finished",
    ProgressEvent.STALLED: "stalls",
}


@dataclass(frozen=True)
class ProgressCounts:
    """Sums over all workers since the channel opened; ``rows_finished`` since the last ``reset_rows``."""

    engines_starting: int = 0  # starts that began
    engines_started: int = 0  # of them, those that ended
    rows_finished: int = 0
    stalls: int = 0  # workers that ended themselves as no request finished, since the last ``clear_requests``


class ProgressSender:
    """The worker's end: pickles into a UDF, never raises for want of a listener, gathers rows between two datagrams.

    ``port`` 0 is a sender that sends nothing. Used by one thread.
    """

    def __init__(self, host: str, port: int, token: bytes) -> None:
        self.host, self.port, self.token = host, port, token
        self._rows = 0  # finished and not yet sent
        self._sent = 0.0  # time.monotonic() of the last datagram of rows
        self._address: tuple[int, Any] | None = None  # family and address, once resolved

    def engine_starting(self) -> None:
        """An engine begins to start in this worker."""
        self._send(ProgressEvent.ENGINE_STARTING, 1)

    def engine_started(self) -> None:
        """The engine that was starting serves requests."""
        self._send(ProgressEvent.ENGINE_STARTED, 1)

    def rows_finished(self, rows: int) -> None:
        """``rows`` more rows are finished; sent at most twice a second."""
        self._rows += rows
        if time.monotonic() - self._sent >= _SEND_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send the finished rows that have not been sent."""
        if self._rows:
            self._send(ProgressEvent.ROWS_FINISHED, self._rows)
            self._rows, self._sent = 0, time.monotonic()

    def request_started(self, key: str) -> None:
        """The request ``key`` is handed to the engine: until it ends it may be what ends this worker."""
        self._send(ProgressEvent.REQUEST_STARTED, 1, key)

    def request_ended(self, key: str) -> None:
        """The request ``key`` has its outcome."""
        self._send(ProgressEvent.REQUEST_ENDED, 1, key)

    def stalled(self) -> None:
        """No request finishes, and this worker ends itself."""
        self._send(ProgressEvent.STALLED, 1)

    def _send(self, event: ProgressEvent, count: int, key: str = "") -> None:
        if not self.port:
            return
        try:
            if self._address is None:
                resolved = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
                self._address = (resolved[0], resolved[4])
        except (OSError, UnicodeError):
            self.port = 0  # a name that this machine does not know is not looked up again
            return
        family, address = self._address
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(_DATAGRAM.pack(self.token, event, count, key.encode()[:_KEY_BYTES]), address)


SILENT = ProgressSender("", 0, b"")


class ProgressChannel:
    """The driver's end. ``sender`` is what a UDF takes along; ``counts`` what has arrived."""

    def __init__(self, sender: ProgressSender) -> None:
        self.sender = sender
        self.counts = ProgressCounts()
        self._starts: Counter[str] = Counter()  # of each request that has not ended
        self._lock = threading.Lock()

    def reset_rows(self) -> None:
        """Count finished rows anew: those so far are committed, so their exact number is known."""
        with self._lock:
            self.counts = replace(self.counts, rows_finished=0)

    def clear_requests(self) -> None:
        """Forget which requests have started, and stalls: another job begins."""
        with self._lock:
            self._starts.clear()
            self.counts = replace(self.counts, stalls=0)

    def suspects(self) -> set[str]:
        """Of the requests that started since ``clear_requests`` and did not end, those that started most often.

        A task that loses its worker is tried again, and its requests start again; those of its neighbours do not.
        """
        with self._lock:
            most = max(self._starts.values(), default=0)
            return {key for key, starts in self._starts.items() if starts == most}

    def receive(self, datagram: bytes) -> bool:
        """Count ``datagram``; False where it is not one of this channel's."""
        if len(datagram) != _DATAGRAM.size:
            return False
        token, event, count, key = _DATAGRAM.unpack(datagram)
        if event not in list(ProgressEvent) or not secrets.compare_digest(token, self.sender.token):
            return False
        with self._lock:
            if event in _COUNTED:
                name = _COUNTED[event]
                self.counts = replace(self.counts, **{name: getattr(self.counts, name) + count})
            else:
                self._move(event, key.rstrip(b"\0").decode(errors="replace"))
        return True

    def _move(self, event: int, key: str) -> None:
        if event == ProgressEvent.REQUEST_STARTED:
            self._starts[key] += 1
        else:
            del self._starts[key]


@contextmanager
def progress_channel(host: str, report: Callable[[ProgressCounts], None]) -> Iterator[ProgressChannel]:
    """Listen on ``host``, the driver's own name as workers know it, while the block runs.

    ``report`` is called in a thread of the channel with the counts after each datagram. Where the socket cannot be
    opened the channel's sender is silent.
    """
    listening = _listening(host.strip("[]"))
    if listening is None:
        yield ProgressChannel(SILENT)
        return
    with listening:
        port = listening.getsockname()[1]
        channel = ProgressChannel(ProgressSender(host.strip("[]"), port, secrets.token_bytes(_TOKEN_BYTES)))
        closed = threading.Event()
        thread = threading.Thread(target=_receive, args=(channel, listening, closed, report), daemon=True)
        thread.start()
        try:
            yield channel
        finally:
            closed.set()
            thread.join()


def _listening(host: str) -> socket.socket | None:
    """A UDP socket on a free port of ``host``; None where there cannot be one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        return None
    try:
        listening.bind(address)
    except OSError:
        listening.close()
        return None
    listening.settimeout(_STOP_SECONDS)
    return listening


def _receive(
    channel: ProgressChannel,
    listening: socket.socket,
    closed: threading.Event,
    report: Callable[[ProgressCounts], None],
) -> None:
    while not closed.is_set():
        try:
            datagram = listening.recv(_DATAGRAM.size + 1)  # one byte more shows that a datagram is too long
        except TimeoutError:
            continue
        if channel.receive(datagram):
            report(channel.counts)
