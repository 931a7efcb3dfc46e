"""The file of a trace: what goes in, in which order, and where it ends."""

from __future__ import annotations

import io
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.utils import PcapNgReader

from fastpptp.ports import Trace, TraceRecord
from fastpptp.pptp.messages import EchoRequest, encode
from fastpptp.trace.capture import Capture, TraceOrder
from fastpptp.trace.control import ControlStream
from fastpptp.trace.pcapng import BlockReader

NOW = 1_764_000_000_000_000_000
HANDLE = 1 << 16 | 5
OUTER = TraceOrder("user [alice]", "root (uid 0)")
BOTH = replace(OUTER, inner=True)


def record(
    kind: Trace, at: int = 0, *, lost: tuple[int, int] = (0, 0), size: int = 40
) -> TraceRecord:
    packet = bytes(IP(id=at, len=size)).ljust(size, b"\0")
    return TraceRecord(HANDLE, kind, NOW + at, size, 0, *lost, packet)


def made(order: TraceOrder, *records: TraceRecord) -> tuple[Capture, BlockReader, bytes]:
    capture = Capture(order, NOW)
    file = capture.head()
    capture.take_up(HANDLE, (0, 0))
    for one in records:
        capture.add(one)
    file += capture.flush(NOW + 10**9) + capture.tail(NOW + 10**9)
    reader = BlockReader()
    assert reader.feed(file) == file
    return capture, reader, file


def read(file: bytes) -> list[tuple[str, int, int]]:
    """Interface, direction and IP identification of each packet."""
    with PcapNgReader(io.BytesIO(file)) as reader:
        return [(one.sniffed_on, one.direction, one[IP].id) for one in reader]


def test_outer_packets_alone_unless_inner_ones_are_asked_for() -> None:
    everything = [record(kind, at) for at, kind in enumerate(Trace.OUTER | Trace.INNER)]
    assert read(made(OUTER, *everything)[2]) == [("outer", 1, 0), ("outer", 2, 1)]
    assert read(made(BOTH, *everything)[2]) == [
        ("outer", 1, 0), ("outer", 2, 1), ("inner", 1, 2), ("inner", 2, 3),
    ]  # fmt: skip


def test_the_file_itself_says_what_it_is() -> None:
    outer, both = made(OUTER)[1].comment, made(BOTH)[1].comment
    for comment in (outer, both):
        assert comment.startswith("CONFIDENTIAL: packets of user [alice], taken by root (uid 0) ")
        assert "Passwords may be in this file. PAP" in comment
        assert "2025-11-24T16:00:00+00:00" in comment
    assert "decrypted" in both
    assert "decrypted" not in outer


def test_packets_are_in_order_of_time_with_control_messages_between() -> None:
    capture = Capture(BOTH, NOW)
    capture.head()
    capture.take_up(HANDLE, (0, 0))
    stream = ControlStream((IPv4Address("192.0.2.1"), 1723), (IPv4Address("192.0.2.2"), 9))
    (message,) = stream.sent(encode(EchoRequest(identifier=1)))
    for at in (500, 100, 300):
        capture.add_control(stream, message, NOW + at)
    for at in (400, 200, 600):
        capture.add(record(Trace.INNER_IN, at))
    early = capture.flush(NOW + 300)
    late = capture.flush(NOW + 10**6)
    with PcapNgReader(io.BytesIO(capture.head() + early)) as reader:
        assert [round((one.time - NOW // 10**9) * 10**9) for one in reader] == [100, 200, 300]
    with PcapNgReader(io.BytesIO(capture.head() + late)) as reader:
        assert [round((one.time - NOW // 10**9) * 10**9) for one in reader] == [400, 500, 600]
    assert capture.packets == [3, 3]


def test_it_ends_after_so_many_packets() -> None:
    records = [record(Trace.OUTER_IN, at) for at in range(9)]
    capture, reader, _ = made(replace(OUTER, count=4), *records)
    assert capture.full
    assert reader.packets == {0: 4}
    assert not made(replace(OUTER, count=10), *records)[0].full


@pytest.mark.parametrize("size", [4096, 10_000])
def test_it_ends_before_it_is_too_large(size: int) -> None:
    records = [record(Trace.OUTER_IN, at, size=1000) for at in range(20)]
    capture, reader, file = made(replace(BOTH, size=size), *records)
    assert capture.full
    assert size - 1100 < len(file) <= size
    assert reader.packets[0] == capture.packets[0]


def test_what_is_kept_of_a_packet_is_bounded() -> None:
    _, _, file = made(replace(OUTER, snap=64), record(Trace.OUTER_IN, size=500))
    with PcapNgReader(io.BytesIO(file)) as reader:
        (packet,) = reader
    assert (len(packet), packet.wirelen) == (64, 500)


def test_losses_are_told_by_interface_and_from_where_the_trace_began() -> None:
    capture = Capture(BOTH, NOW)
    capture.head()
    capture.take_up(HANDLE, (10, 20))
    capture.add(record(Trace.OUTER_IN, 1, lost=(12, 20)))
    capture.add(record(Trace.ENDED, 2, lost=(15, 21)))
    assert capture.dropped == [5, 1]
    capture.take_up(HANDLE, (0, 0))
    capture.add(record(Trace.OUTER_IN, 3, lost=(1, 1)))
    assert capture.dropped == [6, 2]
    capture.skip()
    assert capture.dropped == [8, 2]
    reader = BlockReader()
    reader.feed(capture.tail(NOW + 5))
    assert reader.dropped == {0: 8, 1: 2}
