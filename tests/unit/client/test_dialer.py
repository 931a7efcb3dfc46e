"""Our dialling client against our headend: loopback TCP, one FakeDataplane on each side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random

import pytest

from fastpptp.client.dial import Client, DialOptions, negotiated
from fastpptp.client.dialer import EVERYWHERE, Dialer
from fastpptp.ports import CallEvent, CallPolicy
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, MppePolicy
from fastpptp.server.control import ControlProtocol
from fastpptp.server.net import Offload, Tun
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration, Values
from tests.unit.server.support import (
    LOOPBACK,
    LoopDataplane,
    Rig,
    link_config,
    now,
    running,
    until,
)

TUN = Tun("pptp7", (), Offload.NONE)


class Dial:
    """A Client that dials the Rig's Headend."""

    def __init__(self, rig: Rig, config: LinkConfig) -> None:
        self._rig = rig
        self.told: list[str] = []
        self.dataplane = LoopDataplane(self._transmit)
        policy = CallPolicy(mru=config.mru, echo_interval=30_000)
        self.dialer = Dialer(
            config, policy, local=LOOPBACK, peer=LOOPBACK, rng=Random(5).randbytes, now=now()
        )
        self.client = Client(self.dialer, self.dataplane, self.told.append)
        self.options = DialOptions(LOOPBACK, rig.address[1], config, "pptp%d")
        rig.receivers.append(self._receive)

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: ControlProtocol(self.client), *self._rig.address)

    async def up(self) -> None:
        await self.connect()
        await until(lambda: self.dialer.up or self.dialer.ended)

    async def over(self) -> str:
        """Why it ended."""
        await until(lambda: self.dialer.ended)
        return self.dialer.failure

    @property
    def rig_handle(self) -> int:
        (view,) = self._rig.headend.manager.sessions()
        return view.handle

    def close(self) -> None:
        self.client.close()
        self.dataplane.close()

    def _transmit(self, handle: int, frame: bytes) -> None:
        peer_call_id = self.dataplane.calls[handle].spec.peer_call_id
        handles = {known & 0xFFFF: known for known in self._rig.dataplane.calls}
        self._rig.dataplane.receive_frame(handles.get(peer_call_id, 0), frame)

    def _receive(self, ids: tuple[int, int], frame: bytes) -> bool:
        for handle, call in self.dataplane.calls.items():
            if (handle & 0xFFFF, call.spec.peer_call_id) == ids:
                self.dataplane.receive_frame(handle, frame)
                return True
        return False


@asynccontextmanager
async def dialling(
    config: LinkConfig | None = None, tree: Configuration | None = None
) -> AsyncIterator[tuple[Rig, Dial]]:
    async with running(tree) as rig:
        made = Dial(rig, config or link_config())
        try:
            yield rig, made
        finally:
            made.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def allowing(values: Values) -> Configuration:
    tree = profiles.default()
    return replace(tree, base={**tree.base, **values})


def test_it_comes_up_and_hangs_up_in_order() -> None:
    async def test() -> None:
        async with dialling() as (rig, dial):
            await dial.up()
            agreed = negotiated(dial.options, dial.dialer, TUN)
            assert agreed.as_json() == {
                "server": "127.0.0.1",
                "method": "MSCHAP-V2",
                "encryption": "MPPE 128-bit stateless",
                "address": "172.16.1.10",
                "server_address": "172.16.1.1",
                "dns": [],
                "wins": [],
                "mru": 1400,
                "mtu": 1396,
                "tun": "pptp7",
                "local_call_id": agreed.local_call_id,
                "peer_call_id": agreed.peer_call_id,
                "ipv6": [],
            }
            call = dial.dataplane.calls[dial.dialer.handle or 0]
            assert call.gates == {4}
            assert call.policy.routes == EVERYWHERE
            assert not call.policy.check_source
            await dial.client.hang_up()
            assert dial.dialer.ended
            assert dial.dialer.failure == ""
            await until(lambda: "AUTH/28" in rig.texts())
            assert "User Requested" in rig.event("AUTH", 28).text()
            assert not dial.dataplane.calls

    run(test)


def test_servers_are_told() -> None:
    async def test() -> None:
        tree = allowing({"primary_dns": "10.0.0.53", "primary_wins": "10.0.0.137"})
        async with dialling(tree=tree) as (_rig, dial):
            await dial.up()
            agreed = negotiated(dial.options, dial.dialer, TUN)
            assert agreed.dns == (IPv4Address("10.0.0.53"),)
            assert agreed.wins == (IPv4Address("10.0.0.137"),)

    run(test)


def test_ipv6() -> None:
    async def test() -> None:
        tree = profiles.default()
        tree = replace(tree, sections={"system": {"ipv6_prefix": "2001:db8::/48"}})
        async with dialling(replace(link_config(), ipv6=True), tree) as (rig, dial):
            await dial.up()
            await until(lambda: dial.dialer.interface is not None)
            (ours,) = negotiated(dial.options, dial.dialer, TUN).ipv6
            (call,) = rig.dataplane.calls.values()
            assert ours.packed == bytes.fromhex("fe80") + bytes(6) + call.policy.peer_identifier
            assert len(call.policy.local_identifier) == 8

    run(test)


def test_without_encryption_the_mtu_is_the_mru() -> None:
    async def test() -> None:
        tree = allowing({"pptp_encryption": [], "pptp_authentication_protocols": ["PAP"]})
        config = replace(link_config(), methods=(AuthMethod.PAP,), mppe=MppePolicy(enabled=False))
        async with dialling(config, tree) as (_rig, dial):
            await dial.up()
            agreed = negotiated(dial.options, dial.dialer, TUN)
            assert (agreed.method, agreed.encryption) == ("PAP", None)
            assert agreed.mtu == agreed.mru == 1400

    run(test)


@pytest.mark.parametrize(
    ("config", "values", "why"),
    [
        (link_config(password="wrong"), {}, "authentication failed"),
        (
            link_config(), {"access_hours": "Never"},
            "authentication failed: not at this hour (646)",
        ),
        (
            replace(link_config(), methods=(AuthMethod.PAP,)), {},
            "terminated by the peer",
        ),
        (
            link_config(), {"pptp_encryption": []},
            "encryption is required and the peer does not support it",
        ),
    ],
)  # fmt: skip
def test_why_it_does_not_come_up(config: LinkConfig, values: Values, why: str) -> None:
    async def test() -> None:
        async with dialling(config, allowing(values)) as (_rig, dial):
            await dial.up()
            assert await dial.over() == why

    run(test)


def test_a_refused_call() -> None:
    async def test() -> None:
        tree = replace(profiles.default(), sections={"pptp": {"max_sessions_per_tunnel": 1}})
        async with dialling(tree=tree) as (rig, dial):
            rig.headend.manager._ids.take = lambda: None  # type: ignore[method-assign]
            await dial.up()
            assert await dial.over() == "the peer refused the call: No-Resource"

    run(test)


def test_a_refused_control_connection() -> None:
    async def test() -> None:
        tree = replace(profiles.default(), sections={"pptp": {"max_tunnels": 1}})
        async with dialling(tree=tree) as (rig, dial):
            await rig.dial_up()
            await dial.up()
            assert await dial.over() == "the peer refused the control connection: No-Resource"

    run(test)


def test_the_headend_logs_us_out() -> None:
    async def test() -> None:
        async with dialling() as (rig, dial):
            await dial.up()
            rig.headend.logout(lambda view: True)
            assert await dial.over() == "terminated by the peer"

    run(test)


def test_a_call_that_ends_without_a_word_on_ppp() -> None:
    async def test() -> None:
        async with dialling() as (rig, dial):
            await dial.up()
            rig.receivers.clear()
            rig.headend.logout(lambda view: True)
            (session,) = rig.headend.manager._sessions
            tunnel = rig.headend.manager._tunnels[session.connection]
            tunnel.control.end_call(session.call, now())
            rig.headend._connections[session.connection].send(tunnel.control.data_to_send())
            assert await dial.over() == "the peer sent Call-Disconnect-Notify"

    run(test)


def test_the_headend_dies() -> None:
    async def test() -> None:
        async with dialling() as (rig, dial):
            await dial.up()
            for protocol in list(rig.headend._connections.values()):
                protocol.abort()
            assert await dial.over() == "the TCP connection ended without a stop"
            assert not dial.dataplane.calls

    run(test)


def test_a_silent_headend() -> None:
    async def test() -> None:
        async with dialling() as (_rig, dial):
            await dial.up()
            dial.dataplane.raise_event(dial.dialer.handle or 0, CallEvent.PEER_SILENT)
            assert await dial.over() == "the headend stopped answering LCP Echo-Requests"

    run(test)


def test_encryption_out_of_step_is_negotiated_again() -> None:
    async def test() -> None:
        async with dialling() as (_rig, dial):
            await dial.up()
            before = len(dial.dataplane.commands)
            dial.dataplane.raise_event(dial.dialer.handle or 0, CallEvent.RESYNC_FAILED)
            await until(
                lambda: [c[0] for c in dial.dataplane.commands[before:]].count("set_keys") == 2
            )
            assert dial.dialer.up

    run(test)


def test_hanging_up_before_it_is_up() -> None:
    async def test() -> None:
        async with dialling() as (_rig, dial):
            await dial.connect()
            await dial.client.hang_up()
            assert dial.dialer.ended
            assert dial.dialer.failure == ""

    run(test)


def test_frames_of_another_call_are_not_ours() -> None:
    async def test() -> None:
        async with dialling() as (_rig, dial):
            assert dial.dialer.frame_received(99, b"", now()) == []
            assert dial.dialer.call_event(99, 1, now()) == []
            assert dial.dialer.complete(1, None, now()) == []

    run(test)
