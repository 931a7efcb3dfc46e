"""Frames of real peers, and of malformed ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.utils import RawPcapReader

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp import Link
from fastpptp.ppp.auth.types import Accept
from fastpptp.ppp.events import AddressRequest, AuthRequest, LinkEvent
from fastpptp.ppp.frames import decode_frame, decode_options, decode_packet
from fastpptp.ppp.inspect import describe

from .support import ANSWER, SERVER, V1, V2, Keys, anonymous, open_lcp, seeded

PCAPS = Path(__file__).resolve().parents[4] / "shared" / "pcaps"
SAMPLE = PCAPS / "chapcrack_sample.dump.pcap"
MALFORMED = sorted(PCAPS.glob("tcpdump_*.pcap"))

pytestmark = pytest.mark.skipif(not PCAPS.exists(), reason="the captures are not here")

CONTROL = {0xC021: "LCP", 0xC223: "CHAP", 0x80FD: "CCP", 0x8021: "IPCP"}


def gre_frames(path: Path) -> list[tuple[bytes, bytes]]:
    """Source address and PPP frame of every enhanced GRE packet with a payload (RFC 2637 4.1)."""
    found = []
    with RawPcapReader(str(path)) as reader:
        for data, _ in reader:
            ip = data[14:]
            if data[12:14] != b"\x08\x00" or len(ip) < 20 or ip[9] != 47:
                continue
            gre = ip[4 * (ip[0] & 15) : int.from_bytes(ip[2:4], "big")]
            if gre[2:4] != b"\x88\x0b" or not gre[0] & 0x10:
                continue
            start = 12 + (4 if gre[1] & 0x80 else 0)
            found.append((ip[12:16], gre[start : start + int.from_bytes(gre[4:6], "big")]))
    return found


def raw_packets(path: Path) -> list[bytes]:
    with RawPcapReader(str(path)) as reader:
        return [data for data, _ in reader]


def test_a_whole_session_is_understood() -> None:
    lines, protocols = [], Counter()
    for _, frame in gre_frames(SAMPLE):
        protocol, information = decode_frame(frame)
        protocols[CONTROL.get(protocol, protocol)] += 1
        if protocol in CONTROL:
            packet = decode_packet(information)
            if protocol != 0xC223 and 0 < packet.code < 5:
                decode_options(packet.data)
            lines.append(describe(protocol, information))
    assert protocols[0x00FD] == 66
    assert {"LCP", "CHAP", "CCP", "IPCP"} <= set(protocols)
    text = "\n".join(lines)
    for wanted in ("<auth chap MS-v2>", "CHAP Success", "<mppe +H -M +S -L -D -C>", "TermReq"):
        assert wanted in text, text
    assert "wrong length" not in text


def replay(link: Link, frame: bytes, now: float) -> list[LinkEvent]:
    """Hand a frame to the Link and answer whatever it asks."""
    events = link.receive_frame(frame, now)
    for event in list(events):
        if isinstance(event, AuthRequest):
            events += link.complete_auth(event.token, Accept(b"S=0", Keys()), now)
        elif isinstance(event, AddressRequest):
            events += link.complete_address(event.token, ANSWER, now)
    return events


def test_both_sides_of_the_session_are_answered() -> None:
    """Each side's frames, one after the other, are an awkward but legal peer."""
    captured = gre_frames(SAMPLE)
    for source in {address for address, _ in captured}:
        link = Link(replace(SERVER, methods=(V2, V1)), rng=seeded(1), now=0.0)
        events = link.open(0.0)
        for n, (address, frame) in enumerate(captured):
            if address == source:
                events += replay(link, frame, n / 100)
        names = {type(event).__name__ for event in events}
        assert "SendFrame" in names
        link.lower_down(100.0)
        assert link.ended


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_malformed_captures(path) -> None:
    """Every packet at every offset a PPP frame may start at: nothing but a protocol error."""
    for data in raw_packets(path):
        for start in (0, 2, 4, 14, 16, 34, 38, 42, 46, 50):
            frame = data[start:]
            try:
                protocol, information = decode_frame(frame)
                describe(protocol, information)
                decode_options(decode_packet(information).data)
            except RemoteProtocolError:
                pass
            link, _ = anonymous(ipv6=True)
            replay(link, frame, 1.0)
            link = Link(SERVER, rng=seeded(1), now=0.0)
            open_lcp(link, 0.0)
            replay(link, frame, 1.0)
