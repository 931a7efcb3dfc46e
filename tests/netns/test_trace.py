"""Traces of a call at both ends: what one sent is what the other got, whichever way it went."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from scapy.layers.inet import IP

from fastpptp.backends.nexthops import Adjacency
from fastpptp.ports import Trace, TraceRecord
from tests.hosts import Hosts
from tests.netns.test_dataplane import (
    CLIENT,
    HEADEND,
    INNER_CLIENT,
    INNER_HEADEND,
    End,
    transfer,
    tunnel,
    wait,
)
from tests.netns.test_sending import device_index, link_address
from tests.netns.test_xdp import attach_both

pytestmark = pytest.mark.netns


def by_raw(headend: End, client: End) -> None:
    """Both have no next hop."""


def by_packet(headend: End, client: End) -> None:
    for end, device, other, there in (
        (headend, "v1l", client, "v1r"),
        (client, "v1r", headend, "v1l"),
    ):
        hop = Adjacency(device_index(end.host, device), link_address(other.host, there), 1500)
        end.dataplane.set_adjacency(end.handle, hop)


@dataclass
class Traced:
    """A call's trace that is read while it runs."""

    end: End
    records: list[TraceRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.end.dataplane.trace(self.end.handle, Trace.OUTER | Trace.INNER)

    def read(self) -> None:
        while found := self.end.dataplane.read_trace(1000):
            self.records += [TraceRecord(*fields) for fields in found]

    def finish(self) -> None:
        self.end.dataplane.trace(self.end.handle, 0)

        def ended() -> bool:
            self.read()
            return bool(self.records) and self.records[-1].kind == Trace.ENDED

        wait(ended)

    def packets(self, kind: Trace) -> list[bytes]:
        return [record.packet for record in self.records if record.kind == kind]


@pytest.mark.parametrize(
    ("choose", "options"),
    [(by_raw, {}), (by_packet, {"packets": True}), (attach_both, {"xdp": True})],
    ids=["raw", "packet", "xdp"],
)
@pytest.mark.parametrize("mode", ["plain", "stateful", "stateless"])
def test_what_one_end_sent_is_what_the_other_got(
    hosts: Hosts, mode: str, choose: Callable[[End, End], None], options: dict[str, bool]
) -> None:
    """A TCP transfer in super-packets of the kernel's, and pings."""
    with tunnel(hosts, mode, **options) as (headend, client):
        choose(headend, client)
        ends = Traced(headend), Traced(client)
        headend.host.run("ping", "-c5", "-i0.002", "-s", "1000", str(INNER_CLIENT))
        moving = threading.Thread(
            target=transfer, args=(client.host, headend.host, INNER_HEADEND, 2 << 20)
        )
        moving.start()
        while moving.is_alive():
            for end in ends:
                end.read()
        moving.join()
        for end in ends:
            end.finish()
            last = end.records[-1]
            assert (last.lost_outer, last.lost_inner) == (0, 0)
        for source, target, addresses in (
            (*ends, (HEADEND, CLIENT)),
            (*ends[::-1], (CLIENT, HEADEND)),
        ):
            # One end stops looking a little before the other.
            sent, got = together(source.packets(Trace.OUTER_OUT), target.packets(Trace.OUTER_IN))
            # The kernel gives what it sends another identification, and so another checksum.
            assert [unnumbered(one) for one in sent] == [unnumbered(one) for one in got]
            assert {(one[12:16], one[16:20]) for one in got} == {
                tuple(address.packed for address in addresses)
            }
            sent, got = together(source.packets(Trace.INNER_OUT), target.packets(Trace.INNER_IN))
            assert sent == got
            assert all(IP(one).len == len(one) <= 1396 for one in got)


def together(sent: list[bytes], got: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    count = min(len(sent), len(got))
    assert max(len(sent), len(got)) - 5 <= count > 20
    return sent[:count], got[:count]


def unnumbered(packet: bytes) -> bytes:
    return packet[:4] + packet[6:10] + packet[12:]
