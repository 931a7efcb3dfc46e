"""Why packets are dropped, and docs/drops.md out of it: `python -m fastpptp.admin.drops FILE`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Reason(NamedTuple):
    """What became of the packet, and what an operator does about many of them."""

    meaning: str
    remedy: str


_SLOW = "More workers and CPUs (`fastpptp top` shows the workers' load)."
_HOSTILE = (
    "Nothing: somebody scans, or a NAT spoils packets. `tcpdump -ni any ip proto 47` shows who."
)
_BROKEN = "`fastpptp statistics pptp` has the Rx Discards of each: a broken client, or forged GRE."
_TEARDOWN = "Nothing: a few when sessions begin, end or renegotiate."
_LOSS = "Look for loss or reordering on the way to the client."

# In the order of the dataplane's own list, by what `Dataplane.drops` calls them.
REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "outer truncated": Reason(
            "GRE larger than any packet of PPTP: more than a buffer holds.", _HOSTILE),
        "outer overrun": Reason(
            "AF_XDP: the worker was too slow, and the kernel had no room, or the interface was "
            "left with packets waiting.", _SLOW),
        "outer buffer full": Reason(
            "The raw socket's receive buffer was full (SYSTEM/140).",
            f"{_SLOW} `net.core.rmem_max` where the event says so."),
        "outer malformed": Reason("No whole IPv4 packet of GRE, or its checksum is wrong.",
            _HOSTILE),
        "gre malformed": Reason("GRE flags that enhanced GRE does not have, or a header that is "
            "cut off.", _HOSTILE),
        "gre version": Reason("GRE that is not PPTP's: another version or protocol.",
            "Nothing, unless another tunnel of this host uses GRE: both get all of it."),
        "gre length": Reason("The payload is longer than the packet, or has no sequence number.",
            _HOSTILE),
        "unknown call": Reason(
            "GRE of no session: of one that has ended, or of another headend behind the same NAT.",
            "Nothing for a few after each session. Many: a client that does not know that its "
            "session has ended, or a scan."),
        "wrong address": Reason(
            "GRE for a session from another address than its control connection's (Strays in "
            "`fastpptp session`).",
            "One public address for TCP and GRE (PPTP/114 names the other one); else a guess."),
        "late": Reason("It came after later ones had been passed on.", _LOSS),
        "duplicate": Reason("It had come already.", _LOSS),
        "reorder full": Reason(
            "There were no buffers to keep it until older ones have come from another worker.",
            _SLOW),
        "ppp malformed": Reason("What is in the GRE is no PPP frame.", _BROKEN),
        "punt budget": Reason(
            "Control frames (LCP, authentication, CCP, IPCP) faster than 64 a second of one "
            "session.", _BROKEN),
        "punt ring full": Reason(
            "The headend did not take control frames in time: many sessions dial at once.",
            "A CPU for the headend beside the workers; clients repeat what was lost."),
        "gate closed": Reason(
            "Data of a session whose IPCP (IPv6CP) is not up, in either direction.", _TEARDOWN),
        "cleartext": Reason(
            "A client with MPPE sent data in the clear (PPP/133).", "Update the client."),
        "no keys": Reason("Data while MPPE is negotiated, in either direction.", _TEARDOWN),
        "park full": Reason(
            "More than 16 packets of a session came while it was being opened.", _TEARDOWN),
        "park expired frame": Reason(
            "It waited a second for its session to be opened.",
            "The store or a DHCP server answers slowly, or the headend lacks CPU."),
        "mppe header": Reason(
            "Not encrypted, compressed (MPPC), or too short for MPPE.", _BROKEN),
        "mppe coherency": Reason(
            "MPPE's count does not go with GRE's: forged, or more was lost than MPPE mends.",
            _LOSS),
        "mppe awaits flush": Reason(
            "Stateful MPPE: after a loss all is lost until the client answers our Reset-Request.",
            f"{_LOSS} Require Stateless where the clients can."),
        "mppe key steps": Reason(
            "Catching up would have cost too many key changes at once: forged, or a gap of many "
            "packets.", _LOSS),
        "mppe implausible": Reason(
            "Deciphered it is no PPP frame: forged, or the keys differ (PPP/131).",
            "PPP/131 says whose keys differ: another authentication protocol, or update the "
            "client."),
        "inner malformed": Reason(
            "In the tunnel was no whole IP packet, or this host sent none to its TUN device.",
            _BROKEN),
        "inner source": Reason(
            "A client sent from an address that it does not have: that of its own network, or a "
            "forged one.",
            "A network behind the client is let in by the user's Static Routes; else nothing."),
        "inner peer": Reason(
            "A client sent to another client, and Client to Client is off.",
            "Turn Client to Client on if they may."),
        "filtered": Reason(
            "A traffic filter's rule or default action drops it.",
            "`fastpptp filter show NAME` counts rule by rule."),
        "filter unjudged": Reason(
            "A session has a filter, and no rule can judge the packet: a later fragment of what "
            "was not seen, a short header, a source route.",
            "Nothing; `fastpptp filter show NAME` counts them."),
        "inner unknown": Reason(
            "This host routed a packet to the TUN device, and no session has that address.",
            "Nothing for a few after each session. Many: hosts that go on sending, or a route or "
            "pool that is larger than what is in use."),
        "inner too big": Reason(
            "Larger than the session carries, and not to be cut: its sender was told (ICMP).",
            "Nothing, unless a firewall keeps ICMP from the sender: let it pass."),
        "inner write": Reason(
            "The TUN device did not take it: it is down, or its queue is full.",
            "`ip -s link show` of the device; it must stay up."),
        "window queue full": Reason(
            "Limit Transmit to Window: 64 packets waited for the client's window (PPTP/131).",
            "Turn Limit Transmit to Window off; a larger window at the client."),
        "send backlog": Reason(
            "More waited for the outside than the headend keeps: the link is slower than what is "
            "sent, or a worker has no buffers left.",
            "A faster link; TCP slows down by itself."),
        "send failed": Reason(
            "The kernel refused to send it: no route, a firewall, or a device that is down.",
            "`ip route get` the client's address; the firewall's output rules; `fastpptp doctor`."),
        "no frame": Reason("A worker had no buffer left.", _SLOW),
        "call closed": Reason("Its session had just ended.", _TEARDOWN),
    }
)  # fmt: skip

INTRODUCTION = """\
# Why packets are dropped

Made from the declarations (src/fastpptp/admin/drops.py) by `make docs`: edit those.

`fastpptp statistics` ("Dropped, ...") counts dropped packets of all sessions by these reasons since
the start or your Reset, `fastpptp top` shows which of them grow, and `fastpptp_drops_total`
(docs/metrics.md) has them for a monitoring system. Of each session there are Rx Discards and Tx
Discards (`fastpptp session ID`, `fastpptp statistics pptp`); `fastpptp trace` has what passes.

| Reason | Meaning | What to do where there are many |
|---|---|---|
"""


def text() -> str:
    """The whole document."""
    rows = (f"| `{name}` | {why.meaning} | {why.remedy} |\n" for name, why in REASONS.items())
    return "".join((INTRODUCTION, *rows))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
