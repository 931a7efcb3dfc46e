"""Faults of the field (manager/faults.py, overruns.py): what is seen, then cause and remedy.

Each is told once a session, and of one peer address once in ten minutes: `again` has the number
of those that were not told.
"""

from __future__ import annotations

from fastpptp.events.catalogue.kind import WARNING, WARNING_HIGH, EventType, Kinds

PPTP_FAULTS: Kinds = {
    # A firewall, or a NAT without a helper, is the most common fault in the field; a NAT that
    # breaks the IP checksum looks the same from here but for the host's counter.
    114: EventType(
        WARNING,
        "No GRE received from peer {peer} in {seconds} s on session of call {local_call_id}"
        "{again}\n{cause}; IP checksum errors on this host meanwhile: {checksum_errors}",
        "The call is connected, but nothing of PPP came. The control connection is TCP, the data "
        "is GRE, and something between lets only the first through, spoils the second (the "
        "host's IpExt InCsumErrors grew since the call began), or gives it another address.",
        "Let IP protocol 47 pass on every firewall between, in both directions, and turn on the "
        "PPTP helper (pass-through) of the client's NAT. `fastpptp doctor` looks at this host's "
        "own firewall.",
    ),
    130: EventType(
        WARNING,
        "Peer {peer} does not receive our GRE on session of call {local_call_id}: {seen}"
        "{again}\nIP protocol 47 (GRE) passes towards this host alone: let it through to the "
        "peer on the way, or turn on the PPTP helper of its NAT",
        "The peer's packets arrive, and nothing shows that ours do: it repeats its LCP "
        "Configure-Request and answers none of ours; or, in mid-session, it acknowledges nothing "
        "any more and answers no LCP Echo-Request.",
        "Let IP protocol 47 pass towards the peer on every firewall between, and turn on the PPTP "
        "helper of its NAT. `fastpptp doctor` looks at this host's own firewall.",
    ),
    131: EventType(
        WARNING,
        "User [{user}] Limit Transmit to Window holds packets back for most of the time"
        "{again}\n{cause}",
        "For at least half of ten seconds packets waited for the peer's window. Peers exist that "
        "never acknowledge by themselves, and such that announce a window of very few packets.",
        "Turn Limit Transmit to Window off, or enlarge the window at the peer.",
    ),
}

PPP_FAULTS: Kinds = {
    130: EventType(
        WARNING,
        "User [{user}] large packets do not get through: LCP echoes of {passes} octets are "
        "answered, of {size} none{again}\nThe path takes less than it says, or loses fragments "
        "or ICMP (web pages hang): fastpptp system set --mru {passes}, or let fragments of IP "
        "protocol 47 and ICMP fragmentation-needed through on the way",
        "An MTU black hole: small packets pass, large ones vanish in one direction or the other. "
        "Some seconds after it came up each session is sent an LCP Echo-Request as large as the "
        "MRU, three times if need be; then the largest size that passes is looked for. A peer "
        "that answers no echo of 256 octets either is not suspected.",
        "Lower the MRU to the size that passes, or mend the path: fragments of IP protocol 47 "
        "and ICMP fragmentation-needed must pass.",
    ),
    131: EventType(
        WARNING,
        "User [{user}] MPPE keys differ from the peer's: {seen}{again}\nThe two ends derived "
        "other keys from the same login: update the peer's PPTP software, and try another of "
        "its authentication protocols (MSCHAPv1, MSCHAPv2)",
        "From the first packets on no packet of the peer decrypts to anything, or the peer "
        "rejects protocols that nobody sent, which is what ours decrypt to there. Loss of step "
        "in a session that worked is PPP/110.",
        "Update the peer's PPTP software; try another authentication protocol of it, since each "
        "derives keys in its own way.",
    ),
    132: EventType(
        WARNING,
        "User [{user}] is not encrypted: {reason}{again}\nTurn encryption on at the peer, or "
        "demand it here (PPTP Encryption: Required), which refuses those without",
        "The login gave keys and we offered MPPE, but the peer would not have it; what passes is "
        "readable on the way.",
        "Turn encryption on at the peer; set Required where nobody is to pass without.",
    ),
    133: EventType(
        WARNING,
        "User [{user}] sends data in the clear although encryption is agreed; it is dropped"
        "{again}\nThe peer's MPPE is off or broken: turn it on there, or update its PPTP "
        "software",
        "CCP agreed on MPPE, and eight packets within ten seconds came without.",
        "Turn encryption on at the peer, or update its PPTP software.",
    ),
}

SYSTEM_FAULTS: Kinds = {
    140: EventType(
        WARNING_HIGH,
        "{count} GRE packets were lost in {seconds} s, for the receive buffers of this host "
        "were full\n{cause}",
        "The raw sockets' buffers, or AF_XDP's rings, overran in three looks in a row, ten "
        "seconds apart. `fastpptp statistics` has the totals: outer buffer full, outer overrun.",
        "Give the headend more workers and CPUs; where the buffers are small, raise "
        "net.core.rmem_max.",
    ),
}
