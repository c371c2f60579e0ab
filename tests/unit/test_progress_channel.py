"""Workers' datagrams move the driver's counts; nothing else does, and nobody waits."""

import pickle
import socket
import time

import pytest

from trackrec.runtime.progress_channel import (
    SILENT,
    ProgressChannel,
    ProgressCounts,
    ProgressSender,
    progress_channel,
)

TOKEN = b"t" * 16


@pytest.fixture
def reported():
    return []


@pytest.fixture
def channel(reported):
    with progress_channel("127.0.0.1", reported.append) as channel:
        yield channel


def arrived(channel: ProgressChannel, counts: ProgressCounts) -> bool:
    until = time.monotonic() + 10
    while channel.counts != counts and time.monotonic() < until:
        time.sleep(0.01)
    return channel.counts == counts


def datagrams(sender: ProgressSender, send) -> list[bytes]:
    """What ``send`` makes a sender like this one send."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        send(ProgressSender("127.0.0.1", listening.getsockname()[1], sender.token))
        received = []
        try:
            while True:
                received.append(listening.recv(100))
        except TimeoutError:
            return received


def test_what_workers_send_is_counted_and_reported(channel, reported):
    one, two = pickle.loads(pickle.dumps(channel.sender)), pickle.loads(pickle.dumps(channel.sender))
    one.engine_starting()
    two.engine_starting()
    one.engine_started()
    one.rows_finished(3)
    two.rows_finished(4)
    assert arrived(channel, ProgressCounts(engines_starting=2, engines_started=1, rows_finished=7))
    assert reported[-1] == channel.counts


def test_finished_rows_are_gathered_for_half_a_second_and_flushed_at_the_end():
    def send(sender):
        for _ in range(1000):
            sender.rows_finished(2)
        sender.flush()
        sender.flush()

    channel = ProgressChannel(ProgressSender("", 0, TOKEN))
    received = datagrams(channel.sender, send)
    assert len(received) <= 3
    assert all(channel.receive(datagram) for datagram in received)
    assert channel.counts.rows_finished == 2000


def test_datagrams_that_are_not_the_channels_are_ignored(channel, reported):
    (own,) = datagrams(channel.sender, lambda sender: sender.rows_finished(5))
    foreign = [b"", b"x", b"x" * 5000, own[:-1], own + b"!", TOKEN + own[16:], own[:16] + b"\x09" + own[17:]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for datagram in [*foreign, own]:
            out.sendto(datagram, (channel.sender.host, channel.sender.port))
    assert arrived(channel, ProgressCounts(rows_finished=5))
    assert reported == [ProgressCounts(rows_finished=5)]


def test_rows_are_counted_anew_after_a_commit(channel):
    channel.sender.rows_finished(5)
    assert arrived(channel, ProgressCounts(rows_finished=5))
    channel.reset_rows()
    assert channel.counts == ProgressCounts()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "", "x" * 70])
def test_a_sender_that_nobody_hears_raises_nothing_and_waits_for_nothing(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    sender = ProgressSender(host, port, TOKEN)
    for _ in range(3):
        sender.engine_starting()
        sender.rows_finished(1)
        sender.flush()


def test_without_a_socket_the_channels_sender_is_silent():
    with progress_channel("192.0.2.1", lambda _: None) as channel:  # no address of this machine
        assert channel.sender is SILENT
        channel.sender.engine_starting()


def test_the_channel_ends_with_its_block_though_the_block_raises():
    with pytest.raises(KeyError), progress_channel("127.0.0.1", lambda _: None) as channel:
        raise KeyError
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((channel.sender.host, channel.sender.port))
