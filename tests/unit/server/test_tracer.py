"""Traces on a running headend: whose packets, which control messages, and how they end."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.pptp import PPTP, PPTPOutgoingCallRequest
from scapy.utils import PcapNgReader

from fastpptp.errors import FastpptpError
from fastpptp.manager.packets import EACH
from fastpptp.ports import DATA_SNAP, Trace, TraceRecord
from fastpptp.server.tracefile import Target, TraceFile
from fastpptp.server.tracer import LIMIT
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration
from fastpptp.trace.capture import TraceOrder
from fastpptp.trace.pcapng import BlockReader
from tests.unit.server.support import LOOPBACK, Rig, link_config, running, until

BOTH = Trace.OUTER | Trace.INNER


def run(test: Callable[[Rig], Awaitable[None]], tree: Configuration | None = None) -> None:
    async def whole() -> None:
        async with running(tree) as rig:
            await test(rig)

    asyncio.run(whole())


def start(rig: Rig, *, inner: bool = True, **target: object) -> TraceFile:
    chosen = Target(**target)  # type: ignore[arg-type]
    order = TraceOrder(str(chosen), "root (uid 0, process 1)", inner=inner)
    return rig.headend.tracer.start(chosen, order)


async def whole(file: TraceFile, timeout: float = 5) -> bytes:
    """The file, whose end was asked for."""
    async with asyncio.timeout(timeout):
        return b"".join([chunk async for chunk in file.chunks(lambda: True)])


async def ended(rig: Rig, file: TraceFile) -> list[IP]:
    """End it; its packets."""
    rig.headend.tracer.end(file.number, "test")
    data = await whole(file)
    rig.headend.tracer.close(file)
    return packets(data)


def packets(data: bytes) -> list[IP]:
    reader = BlockReader()
    assert reader.feed(data) == data
    with PcapNgReader(io.BytesIO(data)) as found:
        return list(found)


def data_packet(rig: Rig, handle: int, kind: Trace, port: int) -> None:
    """Have the dataplane copy a packet."""
    packet = bytes(IP() / UDP(sport=port))
    record = TraceRecord(handle, kind, time.time_ns(), len(packet), 0, 0, 0, packet)
    rig.dataplane.traces.append(record)


def ports(found: list[IP]) -> list[int]:
    return [one[UDP].sport for one in found if UDP in one]


def control(found: list[IP]) -> list[str]:
    return [PPTP(bytes(one[TCP].payload)).name for one in found if TCP in one]


def test_a_session_that_is_up() -> None:
    async def test(rig: Rig) -> None:
        await rig.dial_up()
        other = await rig.dial_up()
        view, _ = rig.headend.manager.sessions()
        file = start(rig, session=view.id)
        assert rig.dataplane.traced == {view.handle: (BOTH, 2048, 0)}
        data_packet(rig, view.handle, Trace.OUTER_IN, 1)
        data_packet(rig, view.handle, Trace.INNER_IN, 2)
        other.do(other.client.hang_up, other.client.calls[0])
        await until(lambda: "PPTP/35" in rig.texts())
        found = await ended(rig, file)
        assert ports(found) == [1, 2]
        # Of the other session's hanging up there is nothing in it.
        assert control(found) == []
        assert rig.dataplane.traced == {}
        told = rig.event("CONFIG", 110)
        assert told.peer == LOOPBACK
        assert told.text() == (
            f"User [{view.user}] session {view.id} is traced by root (uid 0, process 1): outer "
            "packets and the decrypted inner ones\nThe file may hold passwords."
        )
        assert rig.event("CONFIG", 111).text() == (
            f"Trace of session {view.id} by root (uid 0, process 1) has ended: test\n"
            "1 outer and 1 inner packets, 0 lost"
        )

    run(test)


def test_it_ends_with_its_session_and_has_what_came_last() -> None:
    async def test(rig: Rig) -> None:
        client = await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        file = start(rig, session=view.id)
        client.do(client.client.hang_up, client.client.calls[0])
        await until(lambda: "PPTP/35" in rig.texts())
        found = packets(await whole(file))
        assert file.reason == "the session has ended"
        assert "PPTP Call Disconnect Notify" in control(found)
        rig.headend.tracer.close(file)
        assert not rig.headend.tracer.active

    run(test)


def test_a_user_now_and_to_come() -> None:
    async def test(rig: Rig) -> None:
        file = start(rig, user="pptpuser")
        assert file.handles == set()
        client = await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        assert file.handles == {view.handle}
        # From the log-in on: its control connection stood before.
        data_packet(rig, view.handle, Trace.INNER_IN, 1)
        client.do(client.client.hang_up, client.client.calls[0])
        await until(lambda: not file.handles)
        await rig.dial_up()
        (again,) = rig.headend.manager.sessions()
        assert file.handles == {again.handle}
        data_packet(rig, again.handle, Trace.INNER_IN, 2)
        assert ports(await ended(rig, file)) == [1, 2]
        assert rig.texts("CONFIG").count("CONFIG/110") == 2

    run(test)


def test_another_user_is_not_meant() -> None:
    async def test(rig: Rig) -> None:
        file = start(rig, user="somebody")
        await rig.dial_up()
        assert file.handles == set()
        assert rig.dataplane.traced == {}
        assert await ended(rig, file) == []

    run(test)


def test_a_public_address_from_its_first_message_on() -> None:
    async def test(rig: Rig) -> None:
        file = start(rig, address=LOOPBACK)
        client = await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        assert file.handles == {view.handle}
        found = await ended(rig, file)
        assert control(found)[:4] == [
            "PPTP Start Control Connection Request",
            "PPTP Start Control Connection Reply",
            "PPTP Outgoing Call Request",
            "PPTP Outgoing Call Reply",
        ]
        assert client.transport is not None
        port = client.transport.get_extra_info("sockname")[1]
        assert {(one[TCP].sport, one[TCP].dport) for one in found if TCP in one} == {
            (port, rig.address[1]), (rig.address[1], port),
        }  # fmt: skip
        requests = [PPTP(bytes(one[TCP].payload)) for one in found if TCP in one]
        (request,) = (one for one in requests if isinstance(one, PPTPOutgoingCallRequest))
        assert request.call_id == view.peer_call_id

    run(test)


def test_an_assigned_address() -> None:
    async def test(rig: Rig) -> None:
        first, second = IPv4Address("192.168.2.2"), IPv4Address("192.168.2.3")
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        assert view.assigned is not None
        first, second = view.assigned, view.assigned + 1
        files = [start(rig, address=first), start(rig, address=second)]
        assert [file.handles for file in files] == [{view.handle}, set()]
        await rig.dial_up()
        _, other = rig.headend.manager.sessions()
        assert other.assigned == second
        assert [file.handles for file in files] == [{view.handle}, {other.handle}]
        for file in files:
            await ended(rig, file)

    run(test)


def test_two_traces_of_one_session_are_told_apart() -> None:
    async def test(rig: Rig) -> None:
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        outer = start(rig, session=view.id, inner=False)
        assert rig.dataplane.traced[view.handle][0] == Trace.OUTER
        both = start(rig, user=view.user)
        assert rig.dataplane.traced[view.handle][0] == BOTH
        data_packet(rig, view.handle, Trace.OUTER_OUT, 1)
        data_packet(rig, view.handle, Trace.INNER_OUT, 2)
        await asyncio.sleep(0.05)
        assert ports(await ended(rig, both)) == [1, 2]
        assert rig.dataplane.traced[view.handle][0] == Trace.OUTER
        data_packet(rig, view.handle, Trace.OUTER_OUT, 3)
        assert ports(await ended(rig, outer)) == [1, 3]

    run(test)


def test_no_session_and_too_many_traces_are_refused() -> None:
    async def test(rig: Rig) -> None:
        with pytest.raises(FastpptpError, match="there is no session 99"):
            start(rig, session=99)
        files = [start(rig, user=f"user{k}") for k in range(LIMIT)]
        with pytest.raises(FastpptpError, match="8 traces are running"):
            start(rig, user="one more")
        rig.headend.tracer.close(files[0])
        files.append(start(rig, user="one more"))
        for file in files[1:]:
            await ended(rig, file)
        assert not rig.headend.tracer.end(files[0].number, "gone")

    run(test)


def test_bounds_end_it() -> None:
    async def test(rig: Rig) -> None:
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        target = Target(session=view.id)
        tracer = rig.headend.tracer
        timed = tracer.start(target, TraceOrder("s", "w", seconds=0.05))
        assert packets(await whole(timed)) == []
        assert timed.reason == "its time is up"
        tracer.close(timed)
        counted = tracer.start(target, TraceOrder("s", "w", count=2))
        for port in (1, 2, 3):
            data_packet(rig, view.handle, Trace.OUTER_IN, port)
        assert ports(packets(await whole(counted))) == [1, 2]
        tracer.close(counted)

    run(test)


def test_a_reader_that_goes_ends_it() -> None:
    async def test(rig: Rig) -> None:
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        file = start(rig, session=view.id)
        rig.headend.tracer.close(file)
        assert rig.dataplane.traced == {}
        assert rig.event("CONFIG", 111).fields["reason"] == "nobody reads it any more"
        await until(lambda: rig.dataplane.traces == [])

    run(test)


def test_the_headends_stop_ends_it() -> None:
    async def whole_test() -> None:
        async with running(stop=False) as rig:
            await rig.dial_up()
            (view,) = rig.headend.manager.sessions()
            file = start(rig, session=view.id)
            reading = asyncio.create_task(whole(file))
            await rig.headend.stop("test")
            found = packets(await reading)
            assert "PPTP Stop Control Connection Request" in control(found)
            rig.headend.tracer.close(file)

    asyncio.run(whole_test())


def test_a_reader_that_is_too_slow_loses_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastpptp.server.tracefile.BACKLOG", 5000)

    async def test(rig: Rig) -> None:
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        file = start(rig, session=view.id)
        for _ in range(5):
            for port in range(50):
                data_packet(rig, view.handle, Trace.INNER_IN, port)
            await until(lambda: rig.dataplane.traces == [])
        found = await ended(rig, file)
        assert 0 < len(found) < 250
        assert file.capture.dropped == [0, 250 - len(found)]

    run(test)


def test_a_user_by_the_name_that_was_sent_or_logged_in() -> None:
    """With group delimiters both differ."""

    async def test(rig: Rig) -> None:
        files = [start(rig, user=name) for name in ("pptpuser", "nobody")]
        await rig.dial_up(link_config())
        assert [len(file.handles) for file in files] == [1, 0]
        for file in files:
            await ended(rig, file)

    run(test)


def test_data_packets_of_a_debugged_session_are_told_beside_a_trace() -> None:
    """Few of them, unless a file wants all: then the few are chosen here."""

    async def test(rig: Rig) -> None:
        rig.headend.start_debug("pptpuser", None, 13, 1e9, "later", "root")
        await rig.dial_up()
        (view,) = rig.headend.manager.sessions()
        few = Trace.INNER, DATA_SNAP, EACH
        assert rig.dataplane.traced == {view.handle: few}
        data_packet(rig, view.handle, Trace.INNER_IN, 1)
        await until(lambda: len(told(rig)) == 1)
        assert "rcvd data [UDP 127.0.0.1 port 1 -> 127.0.0.1 port 53, 28 octets]" in told(rig)[0]

        file = start(rig, session=view.id)
        assert rig.dataplane.traced == {view.handle: (BOTH, 2048, 0)}
        for port in range(EACH + 9):
            data_packet(rig, view.handle, Trace.INNER_OUT, port)
        data_packet(rig, view.handle, Trace.OUTER_OUT, 99)
        assert len(ports(await ended(rig, file))) == EACH + 10
        assert EACH <= len(told(rig)) <= 2 * EACH
        assert rig.dataplane.traced == {view.handle: few}

    run(
        test,
        replace(profiles.default(), event_classes={"PPPDECODE": {"enable": True, "log": "13"}}),
    )


def told(rig: Rig) -> list[str]:
    texts = [r.text() for r in rig.log if (r.cls, r.number) == ("PPPDECODE", 103)]
    return [text for text in texts if "data [" in text]
