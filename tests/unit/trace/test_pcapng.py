"""The file, as scapy's own reader has it."""

from __future__ import annotations

import io
import random
from decimal import Decimal

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.utils import PcapNgReader

from fastpptp.errors import RemoteProtocolError
from fastpptp.trace import pcapng
from fastpptp.trace.pcapng import BlockReader

NOW = 1_764_000_000_123_456_789


def example(packets: list[tuple[int, int, bytes, int]]) -> bytes:
    return b"".join(
        [
            pcapng.section("Geheim: für niemanden\nsonst.", "fastpptp test"),
            pcapng.interface("outer", "one", 2048),
            pcapng.interface("inner", "two", 2048),
            *(
                pcapng.packet(number, NOW + at, data, len(data) + 5, direction)
                for number, at, data, direction in packets
            ),
            pcapng.statistics(0, NOW, NOW + 9, 20, 7),
            pcapng.statistics(1, NOW, NOW + 9, 30, 2**40),
        ]
    )


@pytest.mark.parametrize("length", range(20, 29))
def test_packets_are_read_as_they_were_written(length: int) -> None:
    packets = []
    for number in (0, 1):
        whole = bytes(IP(dst=f"192.0.2.{number}") / ICMP())
        packets.append((number, number * 1000 + 1, whole[:length].ljust(length, b"\0"), number + 1))
    with PcapNgReader(io.BytesIO(example(packets))) as reader:
        found = list(reader)
    assert [bytes(one) for one in found] == [data for _, _, data, _ in packets]
    assert [one.time for one in found] == [
        Decimal(NOW + at) / 10**9 for _, at, _, _ in packets
    ]  # fmt: skip
    assert [one.sniffed_on for one in found] == ["outer", "inner"]
    assert [one.direction for one in found] == [1, 2]
    assert [one.wirelen for one in found] == [length + 5] * 2


def test_a_stream_in_any_pieces_is_cut_into_whole_blocks() -> None:
    rng = random.Random(3)
    packets = [(rng.randrange(2), k, rng.randbytes(rng.randrange(20, 900)), 1) for k in range(200)]
    whole = example(packets)
    for largest in (1, 7, 5000):
        reader, at, out = BlockReader(), 0, b""
        while at < len(whole):
            size = rng.randrange(1, largest + 1)
            out += reader.feed(whole[at : at + size])
            at += size
            assert whole.startswith(out)
        assert out == whole
        assert reader.comment == "Geheim: für niemanden\nsonst."
        assert reader.packets == {n: sum(p[0] == n for p in packets) for n in (0, 1)}
        assert reader.dropped == {0: 7, 1: 2**40}


@pytest.mark.parametrize("start", [b"GIF89a..", bytes(12), b"\x06\0\0\0\x0d\0\0\0"])
def test_what_is_no_pcapng(start: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        BlockReader().feed(start)
