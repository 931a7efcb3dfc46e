"""Syslog messages, and peers that do not take them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from fastpptp.events.catalogue import SEVERITIES
from fastpptp.events.routing import SyslogServer, Transport
from fastpptp.recorder import stream
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.syslog import SyslogSink, cut, message, syslog_severity
from tests.records import authenticated


def test_severities() -> None:
    expected = [3, 4, 4, 5, 6, 6, *[7] * 7]
    assert [syslog_severity(severity) for severity in SEVERITIES] == expected


def test_a_message() -> None:
    """RFC 3164 4.1: local7.info is 190; a day of one figure has a space before it."""
    text = (
        "1 04/09/2003 13:45:06.070 SEV=5 PPP/8 RPT=1 171.69.89.129 User [pptpuser] "
        "Authenticated successfully with PAP"
    )
    spec = SyslogServer("it", "loghost")
    assert message(authenticated(), spec, "vpn1").decode() == (
        f"<190>Apr  9 13:45:06 vpn1 fastpptp: {text}"
    )
    here = SyslogServer("it", "/dev/log", transport=Transport.UNIX)
    assert message(authenticated(), here, "vpn1").decode() == (
        f"<190>Apr  9 13:45:06 fastpptp: {text}"
    )


@pytest.mark.parametrize(
    ("text", "octets", "expected"),
    [
        ("abcdefgh", 8, b"abcdefgh"),
        ("abcdefghi", 8, b"abcde..."),
        ("aaaaü", 6, "aaaaü".encode()),
        ("aaaaüüü", 8, b"aaaa..."),
        ("\udc80", 8, b"\\udc80"),
    ],
)
def test_cut(text: str, octets: int, expected: bytes) -> None:
    assert cut(text, octets) == expected


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def sink_to(listener: socket.socket) -> SyslogSink:
    port = listener.getsockname()[1]
    return SyslogSink(SyslogServer("it", "127.0.0.1", port, transport=Transport.TCP))


def test_a_peer_that_never_reads(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its socket took counts as handed on; of the rest it is said in bounded time."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    monkeypatch.setattr(stream, "TIMEOUT", 0.3)
    sink = sink_to(listener)
    start = time.monotonic()
    with pytest.raises(PartlyDeliveredError, match="timed out") as caught:
        sink.deliver([authenticated("u" * 2000, sequence=n) for n in range(8_000)])
    assert 0 < caught.value.done < 8_000
    assert time.monotonic() - start < 10
    sink.close()


def frames(connection: socket.socket) -> Iterator[bytes]:
    """RFC 6587 3.4.1, read by hand."""
    with connection.makefile("rb") as file:
        while octet := file.read(1):
            length = b""
            while octet != b" ":
                length += octet
                octet = file.read(1)
            yield file.read(int(length))


def test_a_connection_that_ends_is_opened_again(listener: socket.socket) -> None:
    """Nothing is lost where the peer closed it before the next event, and nothing is doubled."""
    sink = sink_to(listener)
    for number in (1, 2):
        sink.deliver([authenticated(sequence=number), authenticated("größe", sequence=number)])
        connection, _ = listener.accept()
        with connection:
            first, second = islice(frames(connection), 2)
        assert f": {number} ".encode() in first
        assert "größe".encode() in second
    sink.close()


def test_a_frame_that_a_peer_had_in_part_is_sent_again_whole(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    sink = sink_to(listener)
    records = [authenticated("u" * 2000, sequence=n) for n in range(4000)]

    def serve() -> list[int]:
        connection, _ = listener.accept()
        for _ in islice(frames(connection), 10):
            pass
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()  # a reset, in the middle of what is sent
        connection, _ = listener.accept()
        with connection:
            return [int(frame.split()[5]) for frame in frames(connection)]

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        with pytest.raises(PartlyDeliveredError) as caught:
            sink.deliver(records)
        sink.deliver(records[caught.value.done :])
        sink.close()
        numbers = served.result(20)
    assert numbers == list(range(caught.value.done, 4000))
    assert caught.value.done > 10
