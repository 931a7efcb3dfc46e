"""Proxy ARP: which addresses are answered for, where, and for how long."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from fastpptp.events.catalogue import Occurrence
from fastpptp.settings import toml
from fastpptp.settings.resolve import PolicySnapshot
from tests.unit.server.test_backends import Nowhere, Recorder, grant, reach

INSIDE = "eth1 172.16.1.5/24"
OUTSIDE = "eth0 161.44.17.1/24"
FIRST = IPv4Address("172.16.1.10")


def policy(mode: str = "auto") -> PolicySnapshot:
    return PolicySnapshot(toml.loads(f"[system]\nproxy_arp = '{mode}'\n"))


def proxies(device: Recorder) -> list[tuple[str, list[str]]]:
    return [item for item in device.take() if "proxy" in item[0]]


@pytest.mark.parametrize(
    ("mode", "devices"), [("off", []), ("auto", ["eth1"]), ("on", ["eth0", "eth1"])]
)
def test_where_an_address_is_answered_for(mode: str, devices: list[str]) -> None:
    device = Recorder()
    made = reach(device, Nowhere(OUTSIDE, INSIDE))
    made.follow(policy(mode))
    made.granted(grant("172.16.1.10"))
    assert proxies(device) == [], "the session is not up yet"
    made.announce(grant("172.16.1.10"), FIRST)
    made.released(grant("172.16.1.10"))
    told = [f"172.16.1.10 {name}" for name in devices]
    assert proxies(device) == ([("proxy", told), ("no proxy", told)] if told else [])


def test_an_address_outside_and_one_of_our_own() -> None:
    device = Recorder()
    made = reach(device, Nowhere(INSIDE, OUTSIDE, "eth1 2001:db8::1/56"))
    made.follow(policy())
    made.announce(grant("10.0.0.1"), IPv4Address("10.0.0.1"))
    made.announce(grant("172.16.1.5"), IPv4Address("172.16.1.5"))
    assert proxies(device) == []
    made.announce(grant("10.0.0.1"), IPv6Address("2001:db8:0:7::1"))
    made.released(grant("10.0.0.1"))
    told = ["2001:db8:0:7::1 eth1"]
    assert proxies(device) == [("proxy", told), ("no proxy", told)]


def test_the_setting_and_the_networks_change_under_a_session() -> None:
    device, around = Recorder(), Nowhere()
    made = reach(device, around)
    made.start(lambda settle: settle())
    made.follow(policy())
    made.announce(grant("172.16.1.10"), FIRST)
    assert proxies(device) == []
    around.attach(INSIDE)
    assert proxies(device) == [("proxy", ["172.16.1.10 eth1"])]
    made.follow(policy("off"))
    assert proxies(device) == [("no proxy", ["172.16.1.10 eth1"])]
    made.follow(policy("on"))
    around.attach()
    assert [kind for kind, _ in proxies(device)] == ["proxy", "no proxy"]


def test_a_device_that_does_not_forward_is_told_of_once() -> None:
    told: list[Occurrence] = []
    made = reach(Recorder(), Nowhere(INSIDE), told.append, forwards=False)
    made.follow(policy())
    for last in (10, 11):
        address = f"172.16.1.{last}"
        made.announce(grant(address), IPv4Address(address))
    (event,) = told
    assert event.text() == (
        "Proxy ARP for 172.16.1.10 on eth1 is not answered: eth1 does not forward\n"
        "Turn Forwarding on (fastpptp config set system.forwarding true), or: "
        "sysctl -w net.ipv4.conf.eth1.forwarding=1"
    )
