"""Faults of the field: each recognized from what a headend sees, and not when it is not there."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from fastpptp.manager.faults import (
    INTERVAL,
    NONSENSE_REJECTS,
    PROBE_AFTER,
    PROBE_SPACE,
    Fault,
    Faults,
)
from fastpptp.ports import CallEvent
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.frames import Code, Packet, Protocol, encode_frame
from fastpptp.testing import MemoryHeadend
from fastpptp.testing.headend import Weather
from tests.unit.manager.world import PEER, assert_clean, client, only_session, policy, world

OTHER = IPv4Address("198.51.100.7")
OPTIONAL = ("40-bit", "128-bit")
FAULTS = {f"{fault.value[0]}/{fault.value[1]}" for fault in Fault}
V2 = (AuthMethod.MSCHAP_V2,)


def faults(memory: MemoryHeadend) -> list[str]:
    return [text for text in memory.texts() if text in FAULTS]


def told(memory: MemoryHeadend, fault: Fault) -> str:
    """The words of the only event of this fault."""
    (event,) = [e for e in memory.events if (e.cls, e.number) == fault.value]
    assert event.peer is not None
    return event.text()


def up(seconds: float = 2.0, **kwargs: object) -> MemoryHeadend:
    memory = world(policy(**kwargs))
    dialled = memory.dial(client(), PEER)
    memory.run(seconds)
    assert dialled.calls[0].is_up
    return memory


def happen(memory: MemoryHeadend, event: CallEvent) -> None:
    (handle,) = memory.dataplane.calls
    memory.dataplane.raise_event(handle, event)
    memory.carry_out([])


def count(memory: MemoryHeadend, **counters: int) -> None:
    """Have the call's row say so."""
    (handle,) = memory.dataplane.calls
    for name, value in counters.items():
        memory.dataplane.stats[handle & 0xFFFF][name] = value


def filter_frames(memory: MemoryHeadend, passes: Callable[[bytes], bool]) -> None:
    """Of what we send only this arrives."""
    transmit = memory.dataplane._transmit
    memory.dataplane._transmit = lambda handle, frame: (
        transmit(handle, frame) if passes(frame) else None
    )


def receive(memory: MemoryHeadend, frame: bytes) -> None:
    (handle,) = memory.dataplane.calls
    memory.dataplane.receive_frame(handle, frame)
    memory.run()


def reject(protocol: int) -> bytes:
    packet = Packet(Code.PROTOCOL_REJECT, 1, protocol.to_bytes(2, "big") + b"whatever it was")
    return encode_frame(Protocol.LCP, packet.encode())


# None.


@pytest.mark.parametrize(
    "gre", [Weather(), Weather(loss=0.1, duplicate=0.1, delay=0.3, jitter=0.3)]
)
def test_a_session_without_faults(gre: Weather) -> None:
    memory = world(gre=gre, seed=5)
    dialled = memory.dial(client(), PEER)
    memory.run(300)
    assert dialled.calls[0].is_up
    assert faults(memory) == []
    assert only_session(memory).user == "pptpuser"
    memory.drop(dialled)
    memory.run(10)
    assert_clean(memory)


def test_an_idle_session_has_no_timer() -> None:
    """The path was asked once, and that was that."""
    memory = up(60, idle_timeout=0)
    assert len([e for e in memory.dataplane.commands if e[0] == "inject" and len(e[2]) > 1000]) == 1
    assert [key for key in memory.manager._deadlines._deadlines if key[0].name != "CONTROL"] == []


# No GRE.


def silent(memory: MemoryHeadend, **counters: int) -> str:
    """What is told of a peer whose GRE does not come."""
    memory.dial(client(), PEER)
    memory.run(1)
    count(memory, **counters)
    memory.run(11)
    return told(memory, Fault.NO_GRE)


def test_no_gre_and_why() -> None:
    text = silent(world(gre=Weather(loss=1.0)))
    assert "blocks IP protocol 47" in text
    assert text.endswith("IP checksum errors on this host meanwhile: 0")


def test_no_gre_and_checksum_errors_since_the_call_began() -> None:
    """What the host had dropped before says nothing of this call."""
    memory = world(gre=Weather(loss=1.0))
    memory.checksum_errors = 5000
    memory.dial(client(), PEER)
    memory.run(5)
    memory.checksum_errors = 5003
    memory.run(6)
    text = told(memory, Fault.NO_GRE)
    assert "Packets with a wrong IP checksum came meanwhile" in text
    assert text.endswith("meanwhile: 3")


def test_no_gre_where_the_host_does_not_count() -> None:
    memory = world(gre=Weather(loss=1.0))
    memory.checksum_errors = None
    assert silent(memory).endswith("meanwhile: not known")


def test_no_gre_but_from_elsewhere() -> None:
    memory = world(gre=Weather(loss=1.0))
    text = silent(memory, strays=3, stray_source=int(OTHER))
    assert f"comes from {OTHER}: the client's NAT" in text


def test_no_gre_but_to_another_address_of_ours() -> None:
    memory = world(gre=Weather(loss=1.0))
    assert "to another address of this host" in silent(memory, strays=1, stray_source=int(PEER))


# One way.


def test_a_peer_that_does_not_hear_us() -> None:
    memory = world()
    filter_frames(memory, lambda frame: False)
    memory.dial(client(), PEER)
    memory.run(9)
    assert faults(memory) == []
    memory.run(4)
    text = told(memory, Fault.ONE_WAY)
    assert "4 LCP Configure-Requests came, and no answer to ours" in text
    memory.run(120)
    assert faults(memory) == ["PPTP/130"]


def test_a_peer_that_repeats_itself_late() -> None:
    """A short No GRE Warning makes no fault of a peer's first words."""
    memory = world(policy(system={"no_gre_warning": 1}))
    filter_frames(memory, lambda frame: memory.clock() > started + 4)
    started = memory.clock()
    dialled = memory.dial(client(), PEER)
    memory.run(20)
    assert dialled.calls[0].is_up
    assert faults(memory) == []


def test_one_way_in_mid_session() -> None:
    """The dataplane misses acknowledgements, and nothing is answered."""
    memory = up(10)
    filter_frames(memory, lambda frame: False)
    happen(memory, CallEvent.UNACKNOWLEDGED)
    memory.run(5)
    assert "answers no LCP echo any more" in told(memory, Fault.ONE_WAY)


def test_a_peer_that_stops_acknowledging_but_answers() -> None:
    memory = up(10)
    happen(memory, CallEvent.UNACKNOWLEDGED)
    memory.run(5)
    assert faults(memory) == []


def test_a_peer_that_never_answered_an_echo_is_not_deaf() -> None:
    memory = world()
    filter_frames(memory, lambda frame: frame[:3] != b"\xc0\x21\x09")
    memory.dial(client(), PEER)
    memory.run(30)
    happen(memory, CallEvent.UNACKNOWLEDGED)
    memory.run(5)
    assert faults(memory) == []


# MTU black hole.


def narrow(memory: MemoryHeadend, size: int) -> None:
    """No frame of ours with more than `size` octets of information gets through."""
    filter_frames(memory, lambda frame: len(frame) - 2 <= size)


def test_a_black_hole() -> None:
    memory = world()
    narrow(memory, 1260)
    memory.dial(client(), PEER)
    memory.run(30)
    text = told(memory, Fault.BLACK_HOLE)
    assert text.startswith("User [pptpuser] large packets do not get through: LCP echoes of 12")
    assert "of 1400 none" in text
    assert "fastpptp system set --mru 12" in text
    assert faults(memory) == ["PPP/130"]
    memory.run(3600)
    assert faults(memory) == ["PPP/130"]


def test_a_black_hole_on_the_way_here() -> None:
    """The probe arrives, and its answer does not."""
    memory = world()
    pass_on = memory.dataplane.receive_frame
    memory.dataplane.receive_frame = lambda handle, frame: (  # type: ignore[method-assign]
        pass_on(handle, frame) if len(frame) <= 1002 else None
    )
    memory.dial(client(), PEER)
    memory.run(30)
    assert faults(memory) == ["PPP/130"]


def test_a_client_that_answers_no_echoes() -> None:
    memory = world()
    filter_frames(memory, lambda frame: frame[:3] != b"\xc0\x21\x09")
    memory.dial(client(), PEER)
    memory.run(60)
    assert faults(memory) == []


def test_the_probe_ends_with_its_session() -> None:
    memory = world()
    narrow(memory, 1000)
    dialled = memory.dial(client(), PEER)
    memory.run(5)
    memory.drop(dialled)
    memory.run(30)
    assert faults(memory) == []
    assert_clean(memory)


def test_a_peers_faults_are_told_seldom() -> None:
    memory = world(policy(simultaneous_logins=0xFFFF))
    narrow(memory, 1000)
    for address in (PEER, PEER, PEER, OTHER):
        memory.dial(client(), address)
    memory.run(60)
    assert faults(memory) == ["PPP/130"] * 2
    memory.run(INTERVAL)
    memory.dial(client(), PEER)
    memory.run(60)
    *_, last = [e for e in memory.events if (e.cls, e.number) == Fault.BLACK_HOLE.value]
    assert " (2 more of this peer since this was last told)\n" in last.text()


def test_probes_have_their_turn() -> None:
    faults = Faults()
    begun = [faults.probe_at(100.0) for _ in range(1000)]
    assert begun[0] == 100.0 + PROBE_AFTER
    assert begun[-1] == pytest.approx(100.0 + PROBE_AFTER + 999 * PROBE_SPACE)
    assert faults.probe_at(1000.0) == 1000.0 + PROBE_AFTER


# Keys.


def test_a_peer_that_decrypts_to_nonsense() -> None:
    memory = up()
    for number, protocol in enumerate((0x4B3D, 0xC3, 0x8F11), 1):
        assert faults(memory) == []
        count(memory, tx_packets=4 * number)
        receive(memory, reject(protocol))
    text = told(memory, Fault.WRONG_KEY)
    assert "MPPE keys differ from the peer's: it rejected 3 packets as of protocols" in text
    for _ in range(10):
        receive(memory, reject(0x4B3D))
    assert faults(memory) == ["PPP/131"]


@pytest.mark.parametrize(
    "counters",
    [
        {"tx_packets": 10, "mppe_resets_received": 1},  # it had the key before
        {"tx_packets": 1000},  # and here it has it now and then
    ],
)
def test_a_peer_that_had_the_key(counters: dict[str, int]) -> None:
    memory = up()
    count(memory, **counters)
    for _ in range(NONSENSE_REJECTS):
        receive(memory, reject(0x4B3D))
    assert faults(memory) == []


def test_a_peer_that_rejects_what_it_does_not_speak() -> None:
    memory = up()
    for _ in range(10):
        receive(memory, reject(Protocol.IPV6CP))
    assert faults(memory) == []


def test_a_peer_whose_packets_are_nonsense() -> None:
    """It is told instead of the loss of step, which it is not; that is mended all the same."""
    memory = up()
    keys = len([c for c in memory.dataplane.commands if c[0] == "set_keys"])
    happen(memory, CallEvent.NEVER_DECRYPTED | CallEvent.RESYNC_FAILED)
    memory.run(5)
    assert "none of its packets could be decrypted" in told(memory, Fault.WRONG_KEY)
    assert "PPP/110" not in memory.texts()
    assert len([c for c in memory.dataplane.commands if c[0] == "set_keys"]) == 2 * keys


def test_loss_of_step_is_no_wrong_key() -> None:
    memory = up()
    happen(memory, CallEvent.RESYNC_FAILED)
    assert faults(memory) == []
    assert "PPP/110" in memory.texts()


# In the clear.


def clear(memory: MemoryHeadend, seconds: float = 5, **options: object) -> str:
    dialled = memory.dial(client(methods=V2, **options), PEER)  # type: ignore[arg-type]
    memory.run(seconds)
    assert dialled.calls[0].is_up
    assert only_session(memory).encryption is None
    return told(memory, Fault.IN_THE_CLEAR)


def test_a_peer_that_rejects_mppe() -> None:
    text = clear(world(policy(encryption=OPTIONAL)), bits=())
    assert text.startswith("User [pptpuser] is not encrypted: the peer rejects MPPE\nTurn ")


def test_a_peer_that_rejects_ccp() -> None:
    memory = world(policy(encryption=OPTIONAL))
    filter_frames(memory, lambda frame: frame[:2] != b"\x80\xfd" or refuse())

    def refuse() -> bool:
        (handle,) = memory.dataplane.calls
        memory.dataplane.receive_frame(handle, reject(Protocol.CCP))
        return False

    assert "not encrypted: the peer rejects CCP" in clear(memory, bits=())


def test_a_peer_that_does_not_answer_ccp() -> None:
    memory = world(policy(encryption=OPTIONAL))
    filter_frames(memory, lambda frame: frame[:2] != b"\x80\xfd")
    assert "does not answer CCP" in clear(memory, 45, bits=())


@pytest.mark.parametrize(
    ("encryption", "methods"), [((), V2), (OPTIONAL, (AuthMethod.PAP,)), (OPTIONAL, V2)]
)
def test_what_nobody_wanted_or_everybody_has(
    encryption: tuple[str, ...], methods: tuple[AuthMethod, ...]
) -> None:
    """No encryption allowed, a method without keys, and encryption itself."""
    memory = world(policy(encryption=encryption, methods=methods))
    dialled = memory.dial(client(methods=methods), PEER)
    memory.run(60)
    assert dialled.calls[0].is_up
    assert faults(memory) == []


def test_encryption_required_has_its_own_event() -> None:
    memory = world()
    memory.dial(client(bits=()), PEER)
    memory.run(60)
    assert "PPP/6" in memory.texts()
    assert faults(memory) == []


def test_plaintext_where_encryption_is_agreed() -> None:
    memory = up()
    happen(memory, CallEvent.CLEARTEXT)
    assert "sends data in the clear" in told(memory, Fault.PLAINTEXT)


# Throttled.


@pytest.mark.parametrize(
    ("counters", "words"),
    [
        ({"window_reopens": 4, "window_silent": 4}, "re-opens by time-out alone (4 times so far)"),
        ({"window_reopens": 9, "window_silent": 1}, "window of 64 packets is too small"),
        ({}, "window of 64 packets is too small"),
    ],
)
def test_a_window_that_throttles(counters: dict[str, int], words: str) -> None:
    memory = up(pptp={"limit_transmit_to_window": True})
    count(memory, **counters)
    happen(memory, CallEvent.THROTTLED)
    text = told(memory, Fault.THROTTLED)
    assert words in text
    assert "fastpptp pptp set --limit-transmit-to-window no" in text


def test_a_call_that_has_just_ended_is_not_examined() -> None:
    memory = up()
    (handle,) = memory.dataplane.calls
    effects = memory.manager.call_event(handle, CallEvent.THROTTLED, memory.clock())
    memory.carry_out(memory.manager.connection_lost(1, memory.clock()))
    memory.carry_out(effects)
    assert faults(memory) == []
