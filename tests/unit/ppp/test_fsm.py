"""The driver: every state and event does what the table says, and the rules beside it."""

from __future__ import annotations

import pytest

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.config import Timing
from fastpptp.ppp.frames import Code, Option, Packet, encode_options
from fastpptp.ppp.fsm import ControlProtocol
from fastpptp.ppp.fsm_table import TABLE, TIMED, Action, Event, State, Transition
from fastpptp.ppp.options import OptionRule, OptionSet, Verdict


class Wish(OptionRule):
    """Asks for 5, moves as it is told, and takes nothing but 7."""

    type = 9
    FIELDS = ("value",)

    def __init__(self) -> None:
        self.value = 5
        self.lost = False

    @property
    def hopeless(self) -> bool:
        return self.lost

    def reset(self) -> None:
        self.value = 5

    def ask(self) -> bytes | None:
        return bytes((self.value,)) if self.value else None

    def judge(self, data: bytes) -> tuple[Verdict, bytes]:
        if data == b"\xff":
            self.lost = True
        return (Verdict.ACK if data == b"\7" else Verdict.NAK), b"\7"

    def naked(self, data: bytes) -> None:
        self.value = data[0]

    def rejected(self) -> None:
        self.value = 0


class Recorder:
    """An owner that writes down what it is told."""

    peer_mru = 64
    debug = True

    def __init__(self) -> None:
        self.log: list[str] = []
        self.sent: list[Packet] = []
        self.steps: list[tuple[Event, State, State]] = []
        self.judged: list[tuple[Verdict, tuple[Option, ...]]] = []

    def layer_steps(
        self, layer: ControlProtocol, event: Event, before: State, transition: Transition
    ) -> None:
        self.steps.append((event, before, transition.state))

    def layer_judges(
        self, layer: ControlProtocol, packet: Packet, verdict: Verdict, answer: tuple[Option, ...]
    ) -> None:
        self.judged.append((verdict, answer))

    def transmit(self, protocol: int, packet: Packet) -> None:
        self.sent.append(packet)
        self.log.append(Code(packet.code).name)

    def layer_permits(self, layer: ControlProtocol) -> None:
        self.log.append("permits" if layer.opened else "allows")

    def layer_up(self, layer: ControlProtocol) -> None:
        self.log.append("tlu")

    def layer_down(self, layer: ControlProtocol) -> None:
        self.log.append("tld")

    def layer_finished(self, layer: ControlProtocol) -> None:
        self.log.append("tlf")

    def layer_diverged(self, layer: ControlProtocol) -> None:
        self.log.append("diverged")


class Automaton(ControlProtocol):
    protocol = 0x8765


def automaton(state: State = State.INITIAL) -> tuple[Automaton, Recorder]:
    owner = Recorder()
    layer = Automaton(OptionSet((Wish(),)), Timing(), owner)
    layer.state = state
    layer.timer = 3.0 if state in TIMED else None
    return layer, owner


def put(layer: ControlProtocol, code: int, identifier: int, *options: Option, now=1.0) -> None:
    layer.receive(Packet(code, identifier, encode_options(options)).encode(), now)


GOOD, BAD = Option(9, b"\7"), Option(9, b"\1")

# How each event comes about.
TRIGGERS = {
    Event.UP: lambda a: a.up(1.0),
    Event.DOWN: lambda a: a._run(Event.DOWN, 1.0),
    Event.OPEN: lambda a: a.open(1.0),
    Event.CLOSE: lambda a: a.close(1.0),
    Event.TIMEOUT_MORE: lambda a: (setattr(a, "_restarts", 1), a.handle_timer(3.0)),
    Event.TIMEOUT_LAST: lambda a: (setattr(a, "_restarts", 0), a.handle_timer(3.0)),
    Event.CONFIGURE_REQUEST_GOOD: lambda a: put(a, 1, 4, GOOD),
    Event.CONFIGURE_REQUEST_BAD: lambda a: put(a, 1, 4, BAD),
    Event.CONFIGURE_ACK: lambda a: put(pending(a), 2, 77, Option(9, b"\5")),
    Event.CONFIGURE_NAK: lambda a: put(pending(a), 3, 77, Option(9, b"\6")),
    Event.TERMINATE_REQUEST: lambda a: put(a, 5, 4),
    Event.TERMINATE_ACK: lambda a: put(a, 6, 4),
    Event.UNKNOWN_CODE: lambda a: put(a, 99, 4),
    Event.REJECT_PERMITTED: lambda a: a.receive(Packet(7, 4, b"\x63").encode(), 1.0),
    Event.REJECT_CATASTROPHIC: lambda a: a.protocol_rejected(1.0),
    Event.ECHO: lambda a: a._run(Event.ECHO, 1.0),
}

SENDS = {
    Action.SEND_CONFIGURE_REQUEST: "CONFIGURE_REQUEST",
    Action.SEND_CONFIGURE_ACK: "CONFIGURE_ACK",
    Action.SEND_CONFIGURE_NAK: "CONFIGURE_NAK",
    Action.SEND_TERMINATE_REQUEST: "TERMINATE_REQUEST",
    Action.SEND_TERMINATE_ACK: "TERMINATE_ACK",
    Action.SEND_CODE_REJECT: "CODE_REJECT",
    Action.THIS_LAYER_UP: "tlu",
    Action.THIS_LAYER_DOWN: "tld",
    Action.THIS_LAYER_FINISHED: "tlf",
}


def pending(layer: Automaton) -> Automaton:
    layer._request, layer._identifier, layer._answered = b"\x09\x03\x05", 77, False
    return layer


@pytest.mark.parametrize("event", Event, ids=lambda e: e.value)
@pytest.mark.parametrize("state", State, ids=lambda s: s.name)
def test_every_state_and_event(state, event) -> None:
    layer, owner = automaton(state)
    transition = TABLE[event][state]
    if transition is None:
        if event in (Event.UP, Event.DOWN, Event.ECHO):
            with pytest.raises(LocalProtocolError):
                layer._run(event, 1.0)
        else:
            TRIGGERS[event](layer)
        assert layer.state is state
        assert owner.log == []
        return
    TRIGGERS[event](layer)
    assert layer.state is transition.state
    done = [entry for entry in owner.log if entry not in ("permits", "allows")]
    assert done == [SENDS[action] for action in transition.actions if action in SENDS]
    assert (layer.timer is not None) == (layer.state in TIMED)


def opened() -> tuple[Automaton, Recorder]:
    layer, owner = automaton()
    layer.open(0.0)
    layer.up(0.0)
    put(layer, 2, owner.sent[-1].identifier, Option(9, b"\5"))
    put(layer, 1, 1, GOOD)
    assert layer.opened
    return layer, owner


def test_opens() -> None:
    _, owner = opened()
    assert owner.log == ["CONFIGURE_REQUEST", "permits", "CONFIGURE_ACK", "tlu"]


def test_retransmissions_keep_their_identifier_and_are_bounded() -> None:
    layer, owner = automaton()
    layer.open(0.0)
    layer.up(0.0)
    while layer.timer is not None:
        layer.handle_timer(layer.timer)
    assert len(owner.sent) == 10
    assert {packet.identifier for packet in owner.sent} == {1}
    assert layer.state is State.STOPPED


def test_terminate_requests_are_bounded() -> None:
    layer, owner = opened()
    layer.close(10.0, b"enough")
    layer.handle_timer(11.0)
    while layer.timer is not None:
        layer.handle_timer(layer.timer)
    assert [p.data for p in owner.sent if p.code == Code.TERMINATE_REQUEST] == [b"enough"] * 2
    assert layer.state is State.CLOSED


def test_stale_answers_are_discarded() -> None:
    layer, owner = automaton()
    layer.open(0.0)
    layer.up(0.0)
    put(layer, 2, 9, Option(9, b"\5"))
    put(layer, 2, 1, Option(9, b"\6"))
    put(layer, 3, 9, Option(9, b"\6"))
    put(layer, 4, 9, Option(9, b"\5"))
    put(layer, 4, 1, Option(9, b"\6"))
    put(layer, 4, 1)
    assert layer.state is State.REQ_SENT
    put(layer, 2, 1, Option(9, b"\5"))
    put(layer, 2, 1, Option(9, b"\5"))
    assert layer.state is State.ACK_RCVD
    assert len(owner.sent) == 1


def test_nak_and_reject_change_the_request() -> None:
    layer, owner = automaton()
    layer.open(0.0)
    layer.up(0.0)
    put(layer, 3, 1, Option(9, b"\6"), Option(55, b"hint"))
    assert owner.sent[-1] == Packet(1, 2, b"\x09\x03\x06")
    put(layer, 4, 2, Option(9, b"\6"))
    assert owner.sent[-1] == Packet(1, 3, b"")


def test_endless_naks_diverge() -> None:
    layer, owner = automaton()
    layer.open(0.0)
    layer.up(0.0)
    for _ in range(11):
        put(layer, 3, owner.sent[-1].identifier, Option(9, b"\6"))
    assert owner.log.count("CONFIGURE_REQUEST") == 11
    assert owner.log[-1] == "diverged"


def test_hopeless_options_diverge() -> None:
    layer, owner = automaton(State.REQ_SENT)
    put(layer, 1, 1, Option(9, b"\xff"))
    assert owner.log == ["diverged"]


def test_five_naks_then_reject() -> None:
    layer, owner = automaton(State.REQ_SENT)
    for n in range(7):
        put(layer, 1, n, BAD)
    assert [p.code for p in owner.sent] == [3] * 5 + [4] * 2
    assert owner.sent[-1].data == BAD.encode()


def test_unknown_and_doubled_options_are_rejected() -> None:
    layer, owner = automaton(State.REQ_SENT)
    put(layer, 1, 1, GOOD, Option(200, b"?"), GOOD)
    assert owner.sent == [Packet(4, 1, encode_options((Option(200, b"?"), GOOD)))]


def test_a_request_that_came_early_is_taken_at_up() -> None:
    layer, owner = automaton()
    put(layer, 1, 3, GOOD)
    layer.open(0.0)
    put(layer, 2, 9)
    put(layer, 1, 4, GOOD)
    assert owner.log == []
    layer.up(0.0)
    assert layer.state is State.ACK_SENT
    assert owner.sent[-1] == Packet(2, 4, GOOD.encode())


def test_down_forgets_and_is_harmless_without_a_lower_layer() -> None:
    layer, owner = automaton()
    layer.open(0.0)
    put(layer, 1, 4, GOOD)
    layer.down(0.0)
    layer.protocol_rejected(0.0)
    assert layer.early == b""
    assert owner.log == []


def test_code_reject() -> None:
    layer, _owner = opened()
    layer.receive(Packet(7, 1, b"\1").encode(), 2.0)
    assert layer.state is State.STOPPING
    with pytest.raises(RemoteProtocolError):
        layer.receive(Packet(7, 1).encode(), 2.0)


def test_our_code_reject_fits_the_peer() -> None:
    layer, owner = opened()
    layer.receive(Packet(99, 1, bytes(500)).encode(), 2.0)
    assert len(owner.sent[-1].encode()) == 64


def test_restart_negotiates_anew() -> None:
    layer, owner = opened()
    layer.restart(5.0)
    assert layer.state is State.REQ_SENT
    assert owner.log[-2:] == ["tld", "CONFIGURE_REQUEST"]


def test_snapshot_there_and_back() -> None:
    layer, _owner = opened()
    layer.restart(5.0)
    other, _ = automaton()
    other.restore(layer.snapshot())
    assert other.snapshot() == layer.snapshot()
    assert other.state is State.REQ_SENT
