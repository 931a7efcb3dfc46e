"""DHCP on sockets: the adapter, and a headend whose clients get their addresses by it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import pytest

from fastpptp.backends.dhcp import open_port, source_towards
from fastpptp.dhcp.message import Code, decode
from fastpptp.errors import UnavailableError
from fastpptp.ppp.events import IpUp
from fastpptp.settings import toml
from tests.unit.dhcp.server import FIRST, Server
from tests.unit.server.support import Rig, running, until

RELAY, SERVER = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
GOOGLE = "8.8.8.8"

CONFIGURATION = f"""
[assignment]
dhcp = true

[dhcp]
servers = ["{SERVER}"]
relay_address = "{RELAY}"
timeout = 1
retries = 0
send_host_name = true

[base_group]
dhcp_network_scope = "172.16.1.0/24"

[users.pptpuser]
password = "cisco123"

[[pools]]
first = "10.0.0.1"
last = "10.0.0.9"
"""


@dataclass
class Site:
    """A headend, and a DHCP server that it asks over loopback."""

    rig: Rig
    server: Server
    port: int

    def address(self) -> IPv4Address | None:
        (view,) = self.rig.headend.manager.sessions()
        return view.assigned


@asynccontextmanager
async def site(text: str = CONFIGURATION, **server: Any) -> AsyncIterator[Site]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind((str(SERVER), 0))
        listening.setblocking(False)
        port = listening.getsockname()[1]
        answering = Server(SERVER, **server)

        def answer() -> None:
            message = decode(listening.recv(1500))
            found = answering.answer(message)
            if found is not None:
                listening.sendto(found.encode(), (str(message.giaddr), port))

        loop.add_reader(listening.fileno(), answer)
        try:
            async with running(toml.loads(text), dhcp_port=port) as rig:
                yield Site(rig, answering, port)
            assert answering.leases == {}, "a clean stop gives every lease back"
        finally:
            loop.remove_reader(listening.fileno())


def test_a_session_by_dhcp() -> None:
    async def test() -> None:
        dns = IPv4Address("10.9.9.1")
        async with site(options={Code.DNS: dns.packed}) as made:
            protocol = await made.rig.dial_up()
            assert made.address() == FIRST
            assert made.server.seen[0].giaddr == RELAY
            assert made.server.seen[0].options[Code.HOST_NAME] == b"pptpuser"
            ip = protocol.client.calls[0].last(IpUp)
            assert ip is not None
            assert ip.dns == (dns,), "the group has none of its own"
            assert made.rig.event("ADDRESS", 101).fields["method"] == "DHCP"
            assert made.rig.headend.holdings()["dhcp_leases"] == 1
            (add,) = [what for what in made.rig.device.said if what[1] == [f"{FIRST}/32"]]
            assert add[0] == "add"
            made.rig.headend.logout(lambda view: True)
            await until(lambda: made.server.types()[-1] == "RELEASE")
            assert made.rig.headend.holdings()["dhcp_leases"] == 0

    asyncio.run(test())


def test_the_groups_name_servers_come_first() -> None:
    async def test() -> None:
        text = CONFIGURATION.replace("[base_group]", f'[base_group]\nprimary_dns = "{GOOGLE}"')
        async with site(text, options={Code.DNS: SERVER.packed, Code.NBNS: SERVER.packed}) as made:
            protocol = await made.rig.dial_up()
            ip = protocol.client.calls[0].last(IpUp)
            assert ip is not None
            assert (ip.dns, ip.nbns) == ((IPv4Address(GOOGLE),), (SERVER,))

    asyncio.run(test())


def test_a_dead_server_and_then_the_pools() -> None:
    async def test() -> None:
        async with site(dead=True) as made:
            await made.rig.dial_up()
            assert made.address() == IPv4Address("10.0.0.1")
            assert made.rig.texts("DHCP") == ["DHCP/102"]

    asyncio.run(test())


def test_an_address_of_a_user_is_declined() -> None:
    async def test() -> None:
        text = f'{CONFIGURATION}\n[users.ann]\npassword = "cisco123"\nip_address = "{FIRST}"\n'
        async with site(text) as made:
            await made.rig.dial_up()
            assert made.address() == FIRST + 1
            assert made.server.declined == [FIRST]

    asyncio.run(test())


def test_who_leaves_while_the_server_thinks_leaves_no_lease() -> None:
    async def test() -> None:
        async with site() as made:
            answer, late = made.server.answer, []
            made.server.answer = late.append  # type: ignore[assignment,method-assign]
            protocol = await made.rig.dial()
            await until(lambda: bool(late))
            protocol.do(protocol.client.stop)
            await until(lambda: not list(made.rig.headend.manager.sessions()))
            made.server.answer = answer  # type: ignore[method-assign]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind((str(SERVER), 0))
                offer = answer(late[0])
                assert offer is not None
                server.sendto(offer.encode(), (str(RELAY), made.port))
                await until(lambda: made.server.types()[-1] == "RELEASE")
            assert made.rig.headend.holdings()["void_requests"] == 0

    asyncio.run(test())


def test_a_lease_that_is_taken_back_ends_its_session() -> None:
    """The server's T1 has come: it is asked, and refuses."""

    async def test() -> None:
        async with site(options={Code.RENEWAL_TIME: (1).to_bytes(4, "big")}) as made:
            await made.rig.dial_up()
            made.server.refuses = True
            await until(lambda: not list(made.rig.headend.manager.sessions()))
            assert made.rig.texts("DHCP") == ["DHCP/100", "DHCP/104", "DHCP/109"]
            assert (
                made.rig.event("AUTH", 28).fields["reason"]
                == "Lost Service (the lease of its address was lost)"
            )
            made.server.leases.clear()

    asyncio.run(test())


def test_a_port_that_is_taken() -> None:
    async def test() -> None:
        async with site() as made:
            taken = CONFIGURATION.replace(str(RELAY), str(SERVER))
            made.rig.database.policies.append(toml.loads(taken))
            await made.rig.headend.reload()
            told = made.rig.event("DHCP", 108).text()
            assert told.startswith(
                f"DHCP cannot be used: UDP port {made.port} on 127.0.0.2: Address already in use\n"
                "Another DHCP server or relay has it"
            )
            await made.rig.dial_up()
            assert made.address() == IPv4Address("10.0.0.1")

    asyncio.run(test())


def test_what_the_socket_lacks() -> None:
    with pytest.raises(UnavailableError) as caught:
        open_port(IPv4Address("192.0.2.1"), 0)
    assert "must be an address of this machine" in caught.value.remedy
    assert source_towards(SERVER) == RELAY
