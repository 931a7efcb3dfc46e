"""The faults of the field: what each is recognized by, and the words for its cause and remedy.

None costs anything per packet: they are seen in counters that the dataplane keeps anyway, in event
bits with a budget, and in what the Link hears. Each is told once a session, and of one
peer address once in INTERVAL, with the number of those that were not told.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address

from fastpptp.effects import Effect, Emit, Reading
from fastpptp.events.catalogue import occur
from fastpptp.events.seldom import SeldomEach

INTERVAL = 600.0  # seconds

# Between the first address of a session and the probe of its path, and between two probes of all
# sessions: a thousand that come at once are probed one after the other. Seconds.
PROBE_AFTER = 3.0
PROBE_SPACE = 0.02

# A peer that repeats itself so often has not heard our answers.
UNHEARD_REQUESTS = 3
UNHEARD_WAIT = 3.0  # seconds until it is looked at again

# Protocol-Rejects of protocols that we never send, before our keys are suspected; and how many of
# our packets may go with each: a peer with another key rejects nearly all.
NONSENSE_REJECTS = 3
PACKETS_PER_REJECT = 16


class Fault(Enum):
    """Class and number of the event that tells it."""

    NO_GRE = ("PPTP", 114)
    ONE_WAY = ("PPTP", 130)
    THROTTLED = ("PPTP", 131)
    BLACK_HOLE = ("PPP", 130)
    WRONG_KEY = ("PPP", 131)
    IN_THE_CLEAR = ("PPP", 132)
    PLAINTEXT = ("PPP", 133)


class Faults:
    """Tells the faults of all sessions of one headend, and gives probes their turn."""

    def __init__(self) -> None:
        self._told: SeldomEach[tuple[Fault, IPv4Address]] = SeldomEach(INTERVAL)
        self._next_probe = 0.0

    def probe_at(self, now: float) -> float:
        """When the path of a session that is up now is to be probed."""
        self._next_probe = max(now + PROBE_AFTER, self._next_probe + PROBE_SPACE)
        return self._next_probe

    def tell(
        self, fault: Fault, peer: IPv4Address, user: str, now: float, **fields: object
    ) -> list[Effect]:
        """The event, unless lately another session of this peer had this fault."""
        count = self._told.happened((fault, peer), now)
        if not count:
            return []
        again = f" ({count - 1} more of this peer since this was last told)" if count > 1 else ""
        cls, number = fault.value
        return [Emit(occur(cls, number, peer=peer, user=user, again=again, **fields))]


def no_gre_cause(begun: Reading | None, found: Reading, peer: IPv4Address) -> str:
    """Why no GRE came on a call, with what to do."""
    if found.counters.get("strays"):
        return _stray_cause(IPv4Address(found.counters["stray_source"]), peer)
    if growth(begun, found):
        return (
            "Packets with a wrong IP checksum came meanwhile and were dropped here, mostly a NAT's "
            "fault: update or replace it, or turn off its checksum or GRE offload. If they are not "
            f"this peer's (tcpdump -vni any ip proto 47 and host {peer} says bad cksum), a "
            "firewall or NAT between blocks IP protocol 47"
        )
    return (
        "A firewall or NAT between blocks IP protocol 47 (GRE): let it through on the way, turn on "
        "the PPTP helper of the client's NAT; fastpptp doctor looks at this host's own firewall"
    )


def _stray_cause(source: IPv4Address, peer: IPv4Address) -> str:
    if source == peer:
        return (
            "Its GRE comes to another address of this host than its control connection: have NAT "
            "before this host forward TCP 1723 and IP protocol 47 to the same address"
        )
    return (
        f"Its GRE comes from {source}: the client's NAT must give TCP and GRE the same public "
        "address"
    )


def growth(begun: Reading | None, found: Reading) -> int | None:
    """How many packets this host dropped for a wrong IP checksum between the two; None: unknown."""
    if begun is None or begun.checksum_errors is None or found.checksum_errors is None:
        return None
    return found.checksum_errors - begun.checksum_errors


def throttle_cause(found: Reading, window: int) -> str:
    """Why the peer's window holds transmissions back, with what to do."""
    off = "turn Limit Transmit to Window off (fastpptp pptp set --limit-transmit-to-window no)"
    reopened, silent = (found.counters.get(name, 0) for name in ("window_reopens", "window_silent"))
    if 2 * silent > reopened:
        return (
            f"The peer acknowledges nothing, so that its window of {window} packets re-opens by "
            f"time-out alone ({reopened} times so far): {off}"
        )
    return (
        f"The peer's window of {window} packets is too small for the round trip to it: enlarge it "
        f"there, or {off}"
    )


def rejects_ours(found: Reading, rejects: int) -> bool:
    """Whether a peer that rejects protocols nobody sent has another key than we, from the start.

    One that asked for a reset had the right key, and may have taken the answer to it wrongly.
    """
    sent = found.counters.get("tx_packets", 0)
    return not found.counters.get("mppe_resets_received") and sent <= PACKETS_PER_REJECT * rejects
