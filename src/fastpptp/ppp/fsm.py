"""The automaton's driver: what LCP, CCP, IPCP and IPv6CP have in common (RFC 1661 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.config import Timing
from fastpptp.ppp.frames import (
    HEADER,
    Code,
    Option,
    Packet,
    decode_options,
    decode_packet,
    encode_options,
)
from fastpptp.ppp.fsm_table import TABLE, TIMED, Action, Event, State, Transition
from fastpptp.ppp.options import OptionSet, Verdict

_NEGOTIATING = frozenset({State.REQ_SENT, State.ACK_RCVD, State.ACK_SENT})
_NO_LOWER_LAYER = frozenset({State.INITIAL, State.STARTING})

# The codes that no PPP implementation may reject (RFC 1661 5.6).
_MANDATORY = frozenset(range(Code.CONFIGURE_REQUEST, Code.CODE_REJECT + 1))


class Owner(Protocol):
    """What a control protocol needs of its Link. Calls come amid a transition: the owner must
    not call the same protocol back before that is over.
    """

    @property
    def peer_mru(self) -> int:
        """The largest information field that the peer takes."""
        ...

    @property
    def debug(self) -> bool:
        """Whether layer_steps and layer_judges want to be called."""
        ...

    def transmit(self, protocol: int, packet: Packet) -> None: ...

    def layer_steps(
        self, layer: ControlProtocol, event: Event, before: State, transition: Transition
    ) -> None:
        """What the automaton is about to do."""
        ...

    def layer_judges(
        self, layer: ControlProtocol, packet: Packet, verdict: Verdict, answer: tuple[Option, ...]
    ) -> None:
        """What a Configure-Request is answered with."""
        ...

    def layer_permits(self, layer: ControlProtocol) -> None:
        """Our Configure-Ack goes out next; `layer.opened` says whether that opens it."""
        ...

    def layer_up(self, layer: ControlProtocol) -> None:
        """This-Layer-Up."""
        ...

    def layer_down(self, layer: ControlProtocol) -> None:
        """This-Layer-Down."""
        ...

    def layer_finished(self, layer: ControlProtocol) -> None:
        """This-Layer-Finished."""
        ...

    def layer_diverged(self, layer: ControlProtocol) -> None:
        """The negotiation cannot converge: the layer should be closed."""
        ...


# Where no packet is at hand.
_NOTHING = Packet(0, 0)


class ControlProtocol:
    """One control protocol: the state, the Restart timer and counter, the identifiers.

    `timer` is when handle_timer(now) is due, None while the Restart timer stands still.
    """

    __slots__ = (
        "_answer",
        "_answered",
        "_failures",
        "_identifier",
        "_last_identifier",
        "_owner",
        "_previous",
        "_reason",
        "_received",
        "_refusals",
        "_request",
        "_restarts",
        "_timing",
        "_verdict",
        "early",
        "options",
        "reached",
        "requests",
        "state",
        "timer",
    )

    protocol: ClassVar[int]
    # The attributes that snapshot() holds besides state and options.
    FIELDS: ClassVar[tuple[str, ...]] = (
        "timer",
        "_restarts",
        "_last_identifier",
        "_identifier",
        "_request",
        "_answered",
        "_failures",
        "_refusals",
        "_reason",
        "early",
        "reached",
        "requests",
    )

    def __init__(self, options: OptionSet, timing: Timing, owner: Owner) -> None:
        self.options = options
        self.state = State.INITIAL
        self.timer: float | None = None
        self._timing = timing
        self._owner = owner
        self._restarts = 0
        # Of the last packet that we numbered, and of our last Configure-Request.
        self._last_identifier = 0
        self._identifier = 0
        # Our Configure-Request as last sent, and whether a valid answer to it came.
        self._request = b""
        self._answered = True
        # Configure-Naks sent since the last Configure-Ack; Naks and Rejects received.
        self._failures = 0
        self._refusals = 0
        self._reason = b""
        # The peer's Configure-Request that came before our lower layer was up.
        self.early = b""
        # Whether a Configure-Request of ours was ever answered, so that what we send arrives; and
        # how many came from the peer.
        self.reached = False
        self.requests = 0
        # What the transition at hand sends, and the state it came from.
        self._received = _NOTHING
        self._verdict = Verdict.ACK
        self._answer: tuple[Option, ...] = ()
        self._previous = State.INITIAL

    # The owner's calls.

    @property
    def opened(self) -> bool:
        return self.state is State.OPENED

    def open(self, now: float) -> None:
        self._run(Event.OPEN, now)

    def close(self, now: float, reason: bytes = b"") -> None:
        """Close; `reason` is the Data of our Terminate-Request."""
        self._reason = reason
        self._run(Event.CLOSE, now)

    def up(self, now: float) -> None:
        """The lower layer is up. A Configure-Request that came too early is taken now."""
        self._run(Event.UP, now)
        if self.early:
            early, self.early = self.early, b""
            self.receive(early, now)

    def down(self, now: float) -> None:
        """The lower layer is gone; nothing happens where it was not up."""
        self.early = b""
        if self.state not in _NO_LOWER_LAYER:
            self._run(Event.DOWN, now)

    def restart(self, now: float) -> None:
        """Negotiate anew: Down followed by Up (RFC 1661 4.3, Open)."""
        self.down(now)
        self.up(now)

    def handle_timer(self, now: float) -> None:
        if self.timer is not None and now >= self.timer:
            self._run(Event.TIMEOUT_MORE if self._restarts > 0 else Event.TIMEOUT_LAST, now)

    def protocol_rejected(self, now: float) -> None:
        """The peer does not know this protocol at all."""
        if self.state not in _NO_LOWER_LAYER:
            self._run(Event.REJECT_CATASTROPHIC, now)

    def receive(self, information: bytes, now: float) -> None:
        """A packet of this protocol. A malformed one is RemoteProtocolError, nothing changed."""
        packet = decode_packet(information)
        if self.state in _NO_LOWER_LAYER:
            if packet.code == Code.CONFIGURE_REQUEST and self.state is State.STARTING:
                self.early = information
            return
        self._received = packet
        handler = self._CODES.get(packet.code)
        if handler is None:
            self._run(Event.UNKNOWN_CODE, now)
        else:
            getattr(self, handler)(packet, now)
        self._received, self._answer = _NOTHING, ()

    def snapshot(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.FIELDS}
        return {"state": int(self.state), "options": self.options.snapshot(), **fields}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self.state = State(snapshot["state"])
        self.options.restore(snapshot["options"])
        for name in self.FIELDS:
            setattr(self, name, snapshot[name])

    # What packets mean.

    # The method that takes a packet of this code; others are unknown.
    _CODES: ClassVar[Mapping[int, str]] = MappingProxyType(
        {
            Code.CONFIGURE_REQUEST: "_configure_request",
            Code.CONFIGURE_ACK: "_configure_ack",
            Code.CONFIGURE_NAK: "_configure_nak",
            Code.CONFIGURE_REJECT: "_configure_reject",
            Code.TERMINATE_REQUEST: "_terminate_request",
            Code.TERMINATE_ACK: "_terminate_ack",
            Code.CODE_REJECT: "_code_reject",
        }
    )

    def _configure_request(self, packet: Packet, now: float) -> None:
        options = decode_options(packet.data)
        self.requests += 1
        may_nak = self._failures < self._timing.max_failure
        self._verdict, self._answer = self.options.judge(options, may_nak)
        if self._owner.debug:
            self._owner.layer_judges(self, packet, self._verdict, self._answer)
        if self.options.hopeless:
            self._owner.layer_diverged(self)
        elif self._verdict is Verdict.ACK:
            self._run(Event.CONFIGURE_REQUEST_GOOD, now)
        else:
            self._run(Event.CONFIGURE_REQUEST_BAD, now)

    def _answers_our_request(self, packet: Packet) -> bool:
        """Whether it is the first answer to the last request; others are discarded (5.2)."""
        answers = packet.identifier == self._identifier and not self._answered
        self.reached |= answers
        return answers

    def _configure_ack(self, packet: Packet, now: float) -> None:
        if self._answers_our_request(packet) and packet.data == self._request:
            self._answered = True
            self._refusals = 0
            self._run(Event.CONFIGURE_ACK, now)

    def _configure_nak(self, packet: Packet, now: float) -> None:
        options = decode_options(packet.data)
        if self._answers_our_request(packet):
            self.options.naked(options)
            self._refused(now)

    def _configure_reject(self, packet: Packet, now: float) -> None:
        options = decode_options(packet.data)
        asked = decode_options(self._request)
        # It holds options of our request, unchanged (5.4).
        if self._answers_our_request(packet) and options and set(options) <= set(asked):
            self.options.rejected(options)
            self._refused(now)

    def _refused(self, now: float) -> None:
        self._answered = True
        self._refusals += 1
        if self.options.hopeless or self._refusals > self._timing.max_configure:
            self._owner.layer_diverged(self)
        else:
            self._run(Event.CONFIGURE_NAK, now)

    def _terminate_request(self, packet: Packet, now: float) -> None:
        self._run(Event.TERMINATE_REQUEST, now)

    def _terminate_ack(self, packet: Packet, now: float) -> None:
        self._run(Event.TERMINATE_ACK, now)

    def _code_reject(self, packet: Packet, now: float) -> None:
        if not packet.data:
            raise RemoteProtocolError("Code-Reject without the rejected packet")
        if packet.data[0] in _MANDATORY:
            self._run(Event.REJECT_CATASTROPHIC, now)
        else:
            self._code_rejected(packet.data[0])
            self._run(Event.REJECT_PERMITTED, now)

    def _code_rejected(self, code: int) -> None:
        """The peer does not know this code, and need not."""

    # The automaton.

    def _run(self, event: Event, now: float) -> None:
        transition = TABLE[event][self.state]
        if transition is None:
            raise LocalProtocolError(f"{event.value} in state {self.state.name}")
        self._previous, self.state = self.state, transition.state
        if self._owner.debug:
            self._owner.layer_steps(self, event, self._previous, transition)
        for action in transition.actions:
            getattr(self, _METHODS[action])(now, transition)
        if self.state not in TIMED:
            self.timer = None

    def _this_layer_up(self, now: float, transition: Transition) -> None:
        self._owner.layer_up(self)

    def _this_layer_down(self, now: float, transition: Transition) -> None:
        self._owner.layer_down(self)

    def _this_layer_started(self, now: float, transition: Transition) -> None:
        """Nobody below needs to be told: the lower layer is up or its owner is at work."""

    def _this_layer_finished(self, now: float, transition: Transition) -> None:
        self._owner.layer_finished(self)

    def _initialize_restart_count(self, now: float, transition: Transition) -> None:
        terminating = Action.SEND_TERMINATE_REQUEST in transition.actions
        timing = self._timing
        self._restarts = timing.max_terminate if terminating else timing.max_configure

    def _zero_restart_count(self, now: float, transition: Transition) -> None:
        """Give the peer one Restart period to receive our Terminate-Ack."""
        self._restarts = 0
        self.timer = now + self._timing.restart

    def _start_timer(self, now: float) -> None:
        self._restarts -= 1
        self.timer = now + self._timing.restart

    def _send_configure_request(self, now: float, transition: Transition) -> None:
        if self._previous not in _NEGOTIATING:
            self.options.reset()
            self._failures = self._refusals = 0
            self._answered = True
        request = encode_options(self.options.request())
        # A retransmission keeps its identifier, so that a late answer counts (5.1).
        if self._answered or request != self._request:
            self._identifier = self._next_identifier()
        self._request, self._answered = request, False
        self._start_timer(now)
        self._send(Code.CONFIGURE_REQUEST, self._identifier, request)

    def _send_configure_ack(self, now: float, transition: Transition) -> None:
        self._failures = 0
        options = decode_options(self._received.data)
        self.options.agree(options)
        self._owner.layer_permits(self)
        self._send(Code.CONFIGURE_ACK, self._received.identifier, encode_options(options))

    def _send_configure_nak(self, now: float, transition: Transition) -> None:
        self._failures += self._verdict is Verdict.NAK
        self._send(self._verdict, self._received.identifier, encode_options(self._answer))

    def _send_terminate_request(self, now: float, transition: Transition) -> None:
        self._start_timer(now)
        self._send(Code.TERMINATE_REQUEST, self._next_identifier(), self._reason)

    def _send_terminate_ack(self, now: float, transition: Transition) -> None:
        self._send(Code.TERMINATE_ACK, self._received.identifier, b"")

    def _send_code_reject(self, now: float, transition: Transition) -> None:
        self._send(Code.CODE_REJECT, self._next_identifier(), self._received.encode())

    def _send_echo_reply(self, now: float, transition: Transition) -> None:
        """Only LCP has echoes."""

    def _next_identifier(self) -> int:
        self._last_identifier = (self._last_identifier + 1) & 0xFF
        return self._last_identifier

    def _send(self, code: int, identifier: int, data: bytes) -> None:
        """Send a packet, cut to what the peer takes (RFC 1661 5.6, 5.7)."""
        data = data[: self._owner.peer_mru - HEADER]
        self._owner.transmit(self.protocol, Packet(code, identifier, data))


# The method that carries out each action.
_METHODS: Mapping[Action, str] = MappingProxyType(
    {action: f"_{action.name.lower()}" for action in Action}
)
