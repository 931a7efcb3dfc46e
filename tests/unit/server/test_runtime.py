"""A whole Headend in this process: loopback TCP, a FakeDataplane, scripted clients."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address
from unittest.mock import Mock, patch

import pytest

from fastpptp.effects import Effect
from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.events.routing import Mail, MailRecipient, MailServer, SyslogFormat, SyslogServer
from fastpptp.ports import CallEvent
from fastpptp.ppp.events import IpUp, LinkEnd, LinkEnded
from fastpptp.pptp.events import ControlEnd
from fastpptp.server.control import READ_LIMIT, ControlProtocol
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration
from tests.unit.server.support import Rig, link_config, running, until

REFERENCE_LOG = ["PPTP/47", "PPTP/42", "PPP/8", "AUTH/22"]


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def one(rig: Rig) -> int:
    """The number of sessions."""
    return len(list(rig.headend.manager.sessions()))


def test_a_client_dials_in_and_hangs_up() -> None:
    async def test() -> None:
        async with running() as rig:
            protocol = await rig.dial_up()
            await until(lambda: "PPP/120" in rig.texts())
            (view,) = rig.headend.manager.sessions()
            assert (view.user, str(view.assigned)) == ("pptpuser", "172.16.1.10")
            up = protocol.client.calls[0].last(IpUp)
            assert up is not None
            assert (up.local, up.peer) == (view.assigned, IPv4Address("172.16.1.1"))
            seen = rig.texts()
            assert [text for text in seen if text in REFERENCE_LOG] == REFERENCE_LOG
            rig.dataplane.count(view.handle, rx_octets=11, tx_octets=22)
            protocol.do(protocol.client.hang_up, protocol.client.calls[0])
            await until(lambda: "AUTH/28" in rig.texts())
            fields = rig.event("AUTH", 28).fields
            assert (fields["bytes_rcv"], fields["bytes_xmt"]) == ("11", "22")
            assert rig.texts("PPTP")[-1] == "PPTP/35"
            assert one(rig) == 0

    run(test)


def test_it_says_that_it_started_and_that_pptp_is_broken() -> None:
    async def test() -> None:
        async with running() as rig:
            assert rig.texts() == ["SYSTEM/100", "SYSTEM/103"]
            assert rig.headend.listening in rig.event("SYSTEM", 100).text()
            assert ("address", ["172.16.1.1"]) in rig.device.said

    run(test)


def test_control_messages_do_not_wait_for_each_other() -> None:
    async def test() -> None:
        async with running() as rig:
            await rig.dial_up()
            (protocol,) = rig.headend._connections.values()
            assert protocol._transport is not None
            accepted = protocol._transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test)


def test_frames_that_wait_go_before_control_messages() -> None:
    async def test() -> None:
        async with running() as rig:
            await rig.dial_up()
            (view,) = rig.headend.manager.sessions()
            (number,) = rig.headend._connections
            manager, order = rig.headend.manager, Mock()
            order.frame.return_value = order.data.return_value = []
            with (
                patch.object(manager, "frame_received", order.frame),
                patch.object(manager, "data_received", order.data),
            ):
                rig.dataplane.receive_frame(view.handle, b"\xc0\x21\x09\x01\x00\x08\0\0\0\0")
                rig.headend.data_received(number, b"")
            assert [name for name, _, _ in order.mock_calls] == ["frame", "data"]

    run(test)


def test_a_connection_hands_in_a_bounded_amount_at_a_time() -> None:
    async def test() -> None:
        async with running() as rig:
            _, writer = await asyncio.open_connection(*rig.address)
            sizes: list[int] = []

            def seen(connection: int, data: bytes, moment: float) -> list[Effect]:
                sizes.append(len(data))
                return []

            with patch.object(rig.headend.manager, "data_received", side_effect=seen):
                writer.write(bytes(50_000))
                await until(lambda: sum(sizes) == 50_000)
            assert max(sizes) <= READ_LIMIT
            writer.close()

    run(test)


def test_a_clean_stop_tells_every_peer() -> None:
    async def test() -> None:
        async with running(stop=False) as rig:
            first, second = await rig.dial_up(), await rig.dial_up()
            await rig.headend.stop("SIGTERM")
            for protocol in (first, second):
                await until(lambda protocol=protocol: protocol.closed)  # type: ignore[misc]
                ended = protocol.client.calls[0].last(LinkEnded)
                assert ended is not None
                assert protocol.client.ended is not None
                assert protocol.client.ended.end is ControlEnd.STOPPED_PEER
            assert rig.texts()[-1] == "SYSTEM/101"
            assert "2 sessions" in rig.event("SYSTEM", 102).text()
            assert rig.texts().count("AUTH/28") == 2
            with pytest.raises(ConnectionRefusedError):
                await rig.dial()

    run(test)


def test_a_peer_that_does_not_answer_does_not_hold_up_the_stop() -> None:
    async def test() -> None:
        async with running(stop=False) as rig:
            silent = await rig.dial_up()
            silent.data_received = lambda data: None  # type: ignore[method-assign]
            rig.headend._stop_wait = 0.05
            await rig.headend.stop("SIGTERM")
            await until(lambda: silent.closed)

    run(test)


def test_a_wrong_password() -> None:
    async def test() -> None:
        async with running() as rig:
            protocol = await rig.dial(link_config(password="wrong"))
            await until(lambda: "PPTP/35" in rig.texts())
            ended = protocol.client.calls[0].last(LinkEnded)
            assert ended is not None
            assert ended.end is LinkEnd.AUTHENTICATION_FAILED
            assert "Invalid password" in rig.event("AUTH", 5).text()
            assert "PPP/9" in rig.texts()

    run(test)


def test_reload_follows_the_store() -> None:
    async def test() -> None:
        async with running() as rig:
            await rig.dial_up()
            rig.database.policies.append(replace(profiles.default(), users={}))
            assert await rig.headend.reload() == 7
            assert "revision 7" in rig.event("CONFIG", 101).text()
            await rig.dial()
            await until(lambda: "AUTH/5" in rig.texts())
            assert "User was not found" in rig.event("AUTH", 5).text()
            assert one(rig) == 2

    run(test)


def test_the_event_log_and_the_machine_follow_at_once() -> None:
    async def test() -> None:
        async with running() as rig:
            said = len(rig.device.said)
            sections = {
                "events": {
                    "log": "1-9",
                    "capacity": 100,
                    "syslog_format": "Cisco IOS Compatible",
                    "email_source_address": "vpn@example.com",
                },
                "system": {"server_address": "10.99.0.1"},
            }
            lists = {
                "syslog_servers": (("a", {"server": "192.0.2.9"}),),
                "smtp_servers": (("b", {"server": "192.0.2.25"}),),
                "email_recipients": (("ops@example.com", {}),),
            }
            rig.database.policies.append(
                replace(profiles.default(), sections=sections, lists=lists)
            )
            await rig.headend.reload()
            assert rig.log.policy.capacity == 100
            assert rig.headend.events.wants("PPTPDBG", 100)
            assert rig.log.policy.sinks == (
                SyslogServer("a", "192.0.2.9", format=SyslogFormat.CISCO_IOS),
                Mail(
                    (MailServer("192.0.2.25"),),
                    (MailRecipient("ops@example.com", 3),),
                    "vpn@example.com",
                ),
            )
            await until(lambda: ("address", ["10.99.0.1"]) in rig.device.said[said:])

    run(test)


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError(Problem("pptp.enabled", "3 is not valid")),
        UnavailableError("store: locked"),
    ],
)
def test_a_refused_reload_changes_nothing(error: ConfigurationError | UnavailableError) -> None:
    async def test() -> None:
        async with running() as rig:
            await rig.dial_up()
            before = rig.headend.policy
            rig.database.policies.append(error)
            with pytest.raises(type(error)):
                await rig.headend.reload()
            assert rig.headend.policy is before
            assert one(rig) == 1
            if isinstance(error, UnavailableError):
                assert error.what in rig.event("SYSTEM", 110).text()
                rig.database.policies.append(profiles.default())
                await rig.headend.reload()
                assert rig.texts("SYSTEM")[-1] == "SYSTEM/111"
                rig.database.policies.append(profiles.default())
                await rig.headend.reload()
                assert rig.texts("SYSTEM").count("SYSTEM/111") == 1
            else:
                assert str(error) in rig.event("CONFIG", 102).text()

    run(test)


def test_pptp_is_switched_off() -> None:
    async def test() -> None:
        async with running() as rig:
            protocol = await rig.dial_up()
            tree = replace(profiles.default(), sections={"pptp": {"enabled": False}})
            rig.database.policies.append(tree)
            await rig.headend.reload()
            await until(lambda: protocol.closed)
            late = await rig.dial()
            await until(lambda: late.closed)
            assert "PPTP/104" in rig.texts()

    run(test)


def expired() -> Configuration:
    tree = profiles.default()
    user = tree.users["pptpuser"]
    attributes = {**user.attributes, "password_expired": True}
    return replace(tree, users={"pptpuser": replace(user, attributes=attributes)})


def test_a_changed_password_is_kept_before_the_peer_is_told() -> None:
    async def test() -> None:
        async with running(expired()) as rig:
            kept = rig.database.keeping = asyncio.Event()
            rig.database.policies.append(profiles.default("another12"))
            client = await rig.dial(replace(link_config(), new_password="another12"))
            await until(lambda: rig.database.passwords == [("pptpuser", "another12")])
            for _ in range(100):
                await asyncio.sleep(0)
            assert not {"AUTH/101", "PPP/8"} & set(rig.texts())
            kept.set()
            await until(lambda: client.client.calls[0].is_up)
            assert rig.texts().index("CONFIG/101") < rig.texts().index("PPP/8")
            assert "AUTH/101" in rig.texts()
            await rig.dial_up(link_config(password="another12"))

    run(test)


def test_a_peer_is_told_that_its_password_could_not_be_kept() -> None:
    async def test() -> None:
        async with running(expired()) as rig:
            rig.database.policies.append(UnavailableError("the store is being changed by another"))
            await rig.dial(replace(link_config(), new_password="another12"))
            await until(lambda: "PPP/9" in rig.texts())
            told = rig.event("AUTH", 102).text()
            assert told.endswith("the password: the store is being changed by another")
            assert "Password could not be changed" in rig.event("AUTH", 5).text()
            assert not {"AUTH/101", "PPP/8", "CONFIG/101"} & set(rig.texts())
            assert rig.headend.holdings()["logins"] == 0

    run(test)


def test_a_peer_that_left_while_its_password_was_kept() -> None:
    async def test() -> None:
        async with running(expired()) as rig:
            kept = rig.database.keeping = asyncio.Event()
            rig.database.policies.append(profiles.default("another12"))
            client = await rig.dial(replace(link_config(), new_password="another12"))
            await until(lambda: bool(rig.database.passwords))
            assert client.transport is not None
            client.transport.abort()
            await until(lambda: one(rig) == 0)
            kept.set()
            await until(lambda: "AUTH/101" in rig.texts())
            assert rig.headend.holdings()["logins"] == 0

    run(test)


def test_logout() -> None:
    async def test() -> None:
        async with running() as rig:
            protocol = await rig.dial_up()
            (ended,) = rig.headend.logout(lambda view: view.user == "pptpuser")
            assert rig.headend.logout(lambda view: view.user == "nobody") == []
            await until(lambda: protocol.client.calls[0].ended is not None)
            await until(lambda: rig.headend.manager.session(ended.id) is None)
            assert "Administrator Reset" in rig.event("AUTH", 28).text()

    run(test)


def test_dataplane_events_reach_the_manager() -> None:
    async def test() -> None:
        async with running() as rig:
            protocol = await rig.dial_up()
            (view,) = rig.headend.manager.sessions()
            rig.dataplane.raise_event(view.handle, CallEvent.IDLE)
            await until(lambda: protocol.client.calls[0].ended is not None)
            assert "PPP/100" in rig.texts()

    run(test)


def test_many_on_one_connection() -> None:
    async def test() -> None:
        tree = Configuration(
            base={**profiles.default().base, "simultaneous_logins": 0x10},
            users=profiles.default().users,
            groups={"pptpgroup": profiles.default().groups["pptpgroup"]},
            pools=profiles.default().pools,
        )
        async with running(tree) as rig:
            protocol = await rig.dial(calls=5)
            await until(lambda: sum(call.is_up for call in protocol.client.calls) == 5)
            assert len({view.assigned for view in rig.headend.manager.sessions()}) == 5

    run(test)


def test_what_the_loop_cannot_hand_to_anybody_is_told() -> None:
    async def test() -> None:
        async with running() as rig:
            loop = asyncio.get_running_loop()
            error = OSError(errno.EMFILE, "Too many open files")
            context = {"message": "socket.accept() out of system resource", "exception": error}
            loop.call_exception_handler({**context, "socket": None})
            assert "Too many open files" in rig.event("SYSTEM", 121).text()
            loop.call_exception_handler({"message": "odd"})
            assert rig.event("SYSTEM", 123).text() == "Internal error: odd"

    run(test)


class TestHostilePeers:
    def test_garbage_closes_that_connection_alone(self) -> None:
        async def test() -> None:
            async with running() as rig:
                good = await rig.dial_up()
                reader, writer = await asyncio.open_connection(*rig.address)
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
                assert "PPTP/110" in rig.texts()
                assert good.client.calls[0].is_up

        run(test)

    def test_connections_that_are_reset_at_once(self) -> None:
        async def test() -> None:
            async with running() as rig:
                for _ in range(20):
                    with socket.create_connection(rig.address) as raw:
                        linger = struct.pack("ii", 1, 0)
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                await rig.dial_up()
                await until(lambda: len(rig.headend._connections) == 1)

        run(test)

    def test_a_peer_that_does_not_read_is_cut_off(self) -> None:
        class Owner:
            def __init__(self) -> None:
                self.lost = 0

            def connection_made(
                self, protocol: ControlProtocol, local: IPv4Address, peer: IPv4Address
            ) -> int:
                return 1

            def data_received(self, connection: int, data: bytes) -> None: ...

            def connection_lost(self, connection: int) -> None:
                self.lost += 1

        async def test() -> None:
            owner, loop = Owner(), asyncio.get_running_loop()
            listener = socket.create_server(("127.0.0.1", 0))
            address = listener.getsockname()
            made: list[ControlProtocol] = []

            def make() -> ControlProtocol:
                made.append(ControlProtocol(owner, write_limit=1000))
                return made[-1]

            async with await loop.create_server(make, sock=listener):
                with socket.create_connection(address):
                    await until(lambda: bool(made) and made[0]._transport is not None)
                    for _ in range(200):
                        made[0].send(bytes(1 << 16))
                    await until(lambda: owner.lost == 1)

        run(test)


def test_nothing_is_left_after_many_cycles() -> None:
    def state(rig: Rig) -> tuple[int, int, int, int]:
        gc.collect()
        return (
            len(os.listdir("/proc/self/fd")),
            len(asyncio.all_tasks()),
            len(rig.headend._connections),
            len(rig.dataplane.calls) + one(rig),
        )

    async def cycle(rig: Rig, kind: int) -> None:
        protocol = await (rig.dial_up() if kind < 3 else rig.dial(link_config(user="nobody")))
        if kind == 0:
            protocol.do(protocol.client.hang_up, protocol.client.calls[0])
            await until(lambda: protocol.client.calls[0].ended is not None)
        elif kind == 1:
            protocol.do(protocol.client.stop)
            await until(lambda: protocol.closed)
        elif kind == 3:
            await until(lambda: bool(protocol.client.calls))
            await until(lambda: protocol.client.calls[0].ended is not None)
        assert protocol.transport is not None
        protocol.transport.abort()
        await until(lambda: not rig.headend._connections and rig.headend.manager.idle)
        rig.clients.clear()
        rig.receivers.clear()

    async def test() -> None:
        async with running() as rig:
            for kind in (0, 1, 2, 3):
                await cycle(rig, kind)
            before = state(rig)
            for turn in range(24):
                await cycle(rig, turn % 4)
            assert state(rig) == before

    run(test)
