"""AF_XDP: that packets go by it where they can, and by the other sockets where they cannot."""

from __future__ import annotations

import pytest

from fastpptp.backends.nexthops import Adjacency
from tests.hosts import Hosts
from tests.netns.test_dataplane import (
    INNER_CLIENT,
    INNER_HEADEND,
    End,
    transfer,
    tunnel,
    within,
)
from tests.netns.test_sending import device_index, link_address

pytestmark = pytest.mark.netns

DEVICES = ("v1l", "v1r")


def attach(ends: tuple[End, End]) -> None:
    """Both ends by AF_XDP."""
    hosts = [end.host for end in ends]
    for end, device, other, peer in zip(ends, DEVICES, hosts[::-1], DEVICES[::-1], strict=True):
        index = device_index(end.host, device)
        made = within(end.host, lambda end=end, index=index: end.dataplane.open_xdp(index))
        print(device, made.queues, made.native, made.zero_copy)
        end.dataplane.set_adjacency(end.handle, Adjacency(index, link_address(other, peer), 1500))


@pytest.mark.parametrize("mode", ["plain", "stateless", "stateful"])
def test_ping_and_transfer(hosts: Hosts, mode: str) -> None:
    with tunnel(hosts, mode, xdp=True) as ends:
        headend, client = ends
        attach(ends)
        for size in ("56", "1360"):
            result = client.host.run("ping", "-c3", "-i0.01", "-s", size, str(INNER_HEADEND))
            assert " 0% packet loss" in result.stdout
        up = transfer(client.host, headend.host, INNER_HEADEND, 20 << 20)
        down = transfer(headend.host, client.host, INNER_CLIENT, 20 << 20)
        print(f"{mode}: up {up:.0f} down {down:.0f} Mbit/s", headend.drops(), client.drops())
        print(headend.host.run("ip", "-s", "link", "show", "dev", "v1l").stdout)
        print(headend.host.run("grep", "Ip:", "/proc/net/snmp").stdout)
