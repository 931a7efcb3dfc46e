"""Real control connections: what was captured on the wire, replayed into both ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scapy.layers.inet import TCP
from scapy.packet import Padding
from scapy.utils import rdpcap

from fastpptp.pptp import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallRequested,
    ControlConnection,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    LinkInfo,
    Role,
    decode,
    encode,
)
from fastpptp.pptp.messages import (
    CallClearRequest,
    CallDisconnectNotify,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
)
from tests.unit.pptp.support import CONFIG, messages, sent

PORT = 1723


def control_streams(path: Path) -> tuple[bytes, bytes]:
    """Of the captured control connection: the PNS's octets, and the PAC's."""
    streams = {True: b"", False: b""}
    expected: dict[bool, int] = {}
    for segment in segments(path):
        from_pns = segment.dport == PORT
        data = bytes(segment.payload)
        at = expected.setdefault(from_pns, segment.seq)
        streams[from_pns] += data[max(0, at - segment.seq) :]  # without retransmissions
        expected[from_pns] = max(at, segment.seq + len(data))
    return streams[True], streams[False]


def segments(path: Path) -> Iterator[Any]:
    for packet in rdpcap(str(path)):
        if TCP in packet and PORT in (packet[TCP].sport, packet[TCP].dport):
            segment = packet[TCP]
            if segment.payload and not isinstance(segment.payload, Padding):
                yield segment


def as_pac(stream: bytes) -> tuple[ControlConnection, list[ControlEvent]]:
    """Our PAC, given what the captured PNS said, 4 octets at a time; it takes every call."""
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    told: list[ControlEvent] = []
    for at in range(0, len(stream), 4):
        events = pac.receive_data(stream[at : at + 4], 0.0)
        for event in events:
            if isinstance(event, CallRequested):
                told += pac.answer_call(event.call, 0x1F3A, 0.0)
        told += events
    return pac, told


def as_pns(
    stream: bytes, request: OutgoingCallRequest
) -> tuple[ControlConnection, list[ControlEvent]]:
    """Our PNS, given what the captured PAC said to a call like the captured one."""
    pns = ControlConnection(Role.PNS, CONFIG, now=0.0)
    pns.initiate(0.0)
    told = pns.receive_data(stream[:156], 0.0)
    told += pns.place_call(request.call_id, 0.0, serial=request.serial)
    told += pns.receive_data(stream[156:], 0.0)
    return pns, told


def test_pptp_linux_calls_rras(captures: Path) -> None:
    from_pns, from_pac = control_streams(captures / "ndpi_pptp.pcap")
    start, request, clear = messages(from_pns)
    assert isinstance(start, StartControlConnectionRequest)
    assert isinstance(request, OutgoingCallRequest)
    assert (start.version, start.maximum_channels, start.host_name) == (0x0100, 0xFFFF, "local")
    assert (request.call_id, request.receive_window, request.maximum_bps) == (0, 3, 10_000_000)
    assert clear == CallClearRequest(0)
    reply, answer, *infos, gone = messages(from_pac)
    assert isinstance(reply, StartControlConnectionReply)
    assert isinstance(answer, OutgoingCallReply)
    assert (answer.call_id, answer.peer_call_id) == (0x2DEB, 0)
    # From the PAC, with garbage in Reserved1.
    assert infos == [SetLinkInfo(0, 0, 0xFFFFFFFF), SetLinkInfo(0)]
    # With the PNS's Call ID, and a result that the RFC does not have.
    assert gone == CallDisconnectNotify(0, 0)


def test_our_pac_serves_the_captured_pptp_linux(captures: Path) -> None:
    for name in ("ndpi_pptp.pcap", "chapcrack_sample.dump.pcap"):
        from_pns, _ = control_streams(captures / name)
        pac, told = as_pac(from_pns)
        kinds = [type(event) for event in told]
        assert kinds == [ControlEstablished, CallConnected, CallRequested, CallEnded]
        assert [type(message) for message in sent(pac)] == [
            StartControlConnectionReply,
            OutgoingCallReply,
            CallDisconnectNotify,
        ]
        # Call-Clear-Request and FIN in one segment: the answer is there, nothing leaks.
        assert pac.receive_eof(0.0) == [ControlEnded(ControlEnd.CARRIER_LOST)]
        assert pac.calls == ()


def test_our_pns_calls_the_captured_rras(captures: Path) -> None:
    from_pns, from_pac = control_streams(captures / "ndpi_pptp.pcap")
    request = messages(from_pns)[1]
    assert isinstance(request, OutgoingCallRequest)
    pns, told = as_pns(from_pac, request)
    up, connected, first, second, ended = told
    assert isinstance(up, ControlEstablished)
    assert isinstance(connected, CallConnected)
    call = connected.call
    assert (call.peer_call_id, call.peer_window) == (0x2DEB, 16384)
    assert first == LinkInfo(call, 0, 0xFFFFFFFF)
    assert second == LinkInfo(call, 0xFFFFFFFF, 0xFFFFFFFF)
    # Its Call-Disconnect-Notify carries our Call ID, 0.
    assert isinstance(ended, CallEnded)
    assert ended.end is CallEnd.DISCONNECTED_PEER
    assert pns.calls == ()


def test_our_pns_calls_the_captured_pptpd(captures: Path) -> None:
    from_pns, from_pac = control_streams(captures / "chapcrack_sample.dump.pcap")
    request = messages(from_pns)[1]
    assert isinstance(request, OutgoingCallRequest)
    pns, told = as_pns(from_pac, request)
    assert [type(event) for event in told] == [ControlEstablished, CallConnected]
    [call] = pns.calls
    assert (call.peer_call_id, call.connect_speed, call.peer_window) == (0x7800, 10_000_000, 3)


def test_every_captured_message_reads_and_writes(captures: Path) -> None:
    count = 0
    for name in ("ndpi_pptp.pcap", "chapcrack_sample.dump.pcap"):
        for stream in control_streams(captures / name):
            for message in messages(stream):
                assert decode(encode(message)) == message == replace(message)  # type: ignore[type-var]
                count += 1
    assert count == 13
