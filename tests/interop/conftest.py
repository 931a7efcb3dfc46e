"""A network of test hosts: our headend or our client on one, lab guests beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts as test_hosts
from tests.cannot import cannot
from tests.headend import Headend
from tests.interop import guest as lab

SERVER = "192.0.2.1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="module")
def network() -> Iterator[test_hosts.Hosts]:
    """The hosts of a module; a loud skip, or in CI a failure, where guests cannot run."""
    reason = test_hosts.missing() or lab.missing()
    if reason:
        cannot(f"INTEROPERABILITY NOT TESTED: {reason}")
    with test_hosts.Hosts() as made:
        yield made


@pytest.fixture(scope="module")
def bridge(network: test_hosts.Hosts) -> test_hosts.Host:
    """A host with a bridge that guests' taps join; the bridge has the server's address."""
    host = network.add("vpn")
    test_hosts.ip("-n", host.name, "link", "add", "br0", "type", "bridge")
    host.address("br0", f"{SERVER}/24")
    for tap in ("tap1", "tap2"):
        test_hosts.ip("-n", host.name, "tuntap", "add", "dev", tap, "mode", "tap")
        host.link(tap, "master", "br0")
        host.link(tap, "up")
    return host


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("share")


@pytest.fixture(scope="module")
def client(bridge: test_hosts.Host, share: Path) -> Iterator[lab.Guest]:
    """A guest with pptp-linux and pppd."""
    with lab.Guest(bridge, "tap1", "192.0.2.11/24", share, "client") as made:
        yield made


@pytest.fixture(scope="module")
def headend(bridge: test_hosts.Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headend]:
    """Our headend on the bridge's host; `configure` changes it while it runs."""
    with Headend(bridge, tmp_path_factory.mktemp("headend"), SERVER) as made:
        yield made
