"""The calls of a control connection: the messages of RFC 2637 2.7-2.15 and the figures of 3.2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.pptp.call import Call, CallKind
from fastpptp.pptp.codes import (
    DisconnectResult,
    GeneralError,
    IncomingCallResult,
    OutgoingCallResult,
    Role,
)
from fastpptp.pptp.events import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallRequested,
    CallStep,
    CallTurnedDown,
    ControlEvent,
    LinkInfo,
    WanError,
)
from fastpptp.pptp.messages import (
    CallClearRequest,
    CallDisconnectNotify,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    WanErrorNotify,
    encode,
)
from fastpptp.pptp.registry import CallRegistry
from fastpptp.pptp.tables import CallInput, CallState, next_call

WAN_ERROR_INTERVAL = 60.0  # seconds (2.14)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ends: what the owner is told, and the codes, sent or received."""

    end: CallEnd
    result: int = 0
    error: int = 0
    cause: int = 0
    statistics: str = ""


_NO_ENDING = Ending(CallEnd.ENDED_LOCAL)
_CLEARED = Ending(CallEnd.CLEARED_PEER, DisconnectResult.REQUEST)
_ID_TAKEN = Ending(CallEnd.REFUSED_LOCAL, DisconnectResult.GENERAL_ERROR, GeneralError.BAD_CALL_ID)
_REFUSALS: Mapping[CallKind, int] = MappingProxyType(
    {
        CallKind.OUTGOING: OutgoingCallResult.DO_NOT_ACCEPT,
        CallKind.INCOMING: IncomingCallResult.DO_NOT_ACCEPT,
    }
)
# What ends a wait for our owner (3.2.4.1: "if a timer expires"). An Incoming-Call-Reply has
# no result for a time-out.
_TIMED_OUT: Mapping[CallKind, int] = MappingProxyType(
    {
        CallKind.OUTGOING: OutgoingCallResult.TIME_OUT,
        CallKind.INCOMING: IncomingCallResult.DO_NOT_ACCEPT,
    }
)


class Calls:
    """Carries out the call tables. `send` takes messages, `tell` events, in order."""

    __slots__ = ("_send", "_tell", "debug", "registry", "role", "timeout")

    _HANDLERS: ClassVar[Mapping[type[Message], str]] = MappingProxyType(
        {
            OutgoingCallRequest: "_outgoing_call_request",
            OutgoingCallReply: "_outgoing_call_reply",
            IncomingCallRequest: "_incoming_call_request",
            IncomingCallReply: "_incoming_call_reply",
            IncomingCallConnected: "_incoming_call_connected",
            CallClearRequest: "_call_clear_request",
            CallDisconnectNotify: "_call_disconnect_notify",
            WanErrorNotify: "_wan_error_notify",
            SetLinkInfo: "_set_link_info",
        }
    )

    def __init__(
        self,
        role: Role,
        timeout: float,
        send: Callable[[Message], None],
        tell: Callable[[ControlEvent], None],
    ) -> None:
        self.role = role
        self.timeout = timeout
        self.registry = CallRegistry()
        # Whether each step is told.
        self.debug = False
        self._send = send
        self._tell = tell

    # The owner's side.

    def place(self, call: Call, now: float) -> None:
        """A call whose local Call ID is set: send the request for it."""
        self._claim(call.local_call_id)
        self._step(call, CallInput.PLACE, now)

    def answer(self, call: Call, local_call_id: int, now: float, **terms: int) -> None:
        """Take the call; `terms` are the attributes of Call that we say."""
        if call.ended:
            return
        if call.has_local_id:
            raise LocalProtocolError(f"call {call.local_call_id:#x} has its Call ID")
        self._claim(local_call_id)
        before = {name: getattr(call, name) for name in terms}
        self._assign(call, local_call_id=local_call_id, has_local_id=True, **terms)
        try:
            self._step(call, CallInput.ANSWER, now)
        except LocalProtocolError:
            self._assign(call, local_call_id=0, has_local_id=False, **before)
            raise

    def refuse(self, call: Call, now: float, result: int, error: int, cause: int) -> None:
        if not call.ended:
            ending = Ending(CallEnd.REFUSED_LOCAL, result, error, cause)
            self._step(call, CallInput.REFUSE, now, ending)

    def end(self, call: Call, now: float, ending: Ending) -> None:
        """End a call in any state; one that was never answered is refused."""
        if call.ended:
            return
        if call.state in (CallState.WAIT_CS_ANS, CallState.WAIT_ANSWER):
            ending = Ending(CallEnd.ENDED_LOCAL, _REFUSALS[call.kind])
        self._step(call, CallInput.TERMINATE, now, ending)

    def end_all(self, end: CallEnd) -> None:
        """The control connection is over, and its calls with it."""
        for call in self.registry:
            call.state = CallState.IDLE
            self.registry.remove(call)
            self._do_end(call, Ending(end))

    def set_link_info(self, call: Call, send_accm: int, receive_accm: int) -> None:
        self._must_be(Role.PNS, "Set-Link-Info")
        if not call.ended:
            self._must_be_established(call)
            self._send(SetLinkInfo(call.peer_call_id, send_accm, receive_accm))

    def wan_error_notify(self, call: Call, now: float, **counters: int) -> None:
        """Not more than once every 60 s (2.14): the counters are cumulative, so none is lost."""
        self._must_be(Role.PAC, "WAN-Error-Notify")
        if call.ended:
            return
        self._must_be_established(call)
        if call.wan_error_at is None or now - call.wan_error_at >= WAN_ERROR_INTERVAL:
            self._send(WanErrorNotify(call.peer_call_id, **counters))
            call.wan_error_at = now

    def handle_timer(self, now: float) -> None:
        """RemoteProtocolError: the peer does not answer; the connection must go (3.2.1)."""
        while (call := self.registry.due(now)) is not None:
            ending = Ending(CallEnd.REFUSED_LOCAL, _TIMED_OUT[call.kind])
            self._step(call, CallInput.TIMEOUT, now, ending)

    # The peer's messages.

    def receive(self, message: Message, now: float) -> None:
        getattr(self, self._HANDLERS[type(message)])(message, now)

    def _outgoing_call_request(self, message: OutgoingCallRequest, now: float) -> None:
        refusal = self._refusal(Role.PAC, CallKind.OUTGOING, message.call_id)
        if refusal is not None:
            self._send(OutgoingCallReply(0, message.call_id, *refusal))
            self._tell(CallTurnedDown(message.call_id, self.role is not Role.PAC))
            return
        call = Call(
            self.role,
            CallKind.OUTGOING,
            peer_call_id=message.call_id,
            has_peer_id=True,
            serial=message.serial,
            minimum_bps=message.minimum_bps,
            maximum_bps=message.maximum_bps,
            bearer_type=message.bearer_type,
            framing_type=message.framing_type,
            phone_number=message.phone_number,
            subaddress=message.subaddress,
            peer_window=message.receive_window,
            peer_processing_delay=message.processing_delay,
        )
        self._step(call, CallInput.REQUEST, now)

    def _incoming_call_request(self, message: IncomingCallRequest, now: float) -> None:
        refusal = self._refusal(Role.PNS, CallKind.INCOMING, message.call_id)
        if refusal is not None:
            self._send(IncomingCallReply(0, message.call_id, *refusal))
            self._tell(CallTurnedDown(message.call_id, self.role is not Role.PNS))
            return
        call = Call(
            self.role,
            CallKind.INCOMING,
            peer_call_id=message.call_id,
            has_peer_id=True,
            serial=message.serial,
            bearer_type=message.bearer_type,
            physical_channel=message.physical_channel,
            dialed_number=message.dialed_number,
            dialing_number=message.dialing_number,
            subaddress=message.subaddress,
        )
        self._step(call, CallInput.REQUEST, now)

    def _refusal(self, role: Role, kind: CallKind, call_id: int) -> tuple[int, int] | None:
        """Result and error for a request that the owner never sees.

        A request goes to one role only; and a Call ID must be unique on its tunnel (3.2.2).
        """
        if self.role is not role:
            return _REFUSALS[kind], GeneralError.NONE
        if self.registry.peer(call_id) is not None:
            return OutgoingCallResult.GENERAL_ERROR, GeneralError.BAD_CALL_ID
        return None

    def _outgoing_call_reply(self, message: OutgoingCallReply, now: float) -> None:
        call = self._mine(message.peer_call_id, CallKind.OUTGOING)
        if call is None:
            return
        if message.result != OutgoingCallResult.CONNECTED:
            ending = Ending(CallEnd.REFUSED_PEER, message.result, message.error, message.cause)
            self._step(call, CallInput.REPLY_ERROR, now, ending)
            return
        self._replied(
            call,
            now,
            message.call_id,
            connect_speed=message.connect_speed,
            peer_window=message.receive_window,
            peer_processing_delay=message.processing_delay,
            physical_channel=message.physical_channel,
        )

    def _incoming_call_reply(self, message: IncomingCallReply, now: float) -> None:
        call = self._mine(message.peer_call_id, CallKind.INCOMING)
        if call is None:
            return
        if message.result != IncomingCallResult.CONNECT:
            ending = Ending(CallEnd.REFUSED_PEER, message.result, message.error)
            self._step(call, CallInput.REPLY_ERROR, now, ending)
            return
        self._replied(
            call,
            now,
            message.call_id,
            peer_window=message.receive_window,
            peer_processing_delay=message.processing_delay,
        )

    def _mine(self, call_id: int, kind: CallKind) -> Call | None:
        """The call that we placed under this Call ID."""
        call = self.registry.local(call_id)
        placed_by = Role.PNS if kind is CallKind.OUTGOING else Role.PAC
        return call if call and call.kind is kind and self.role is placed_by else None

    def _replied(self, call: Call, now: float, peer_call_id: int, **terms: int) -> None:
        """The peer takes our call, or took it before it saw that we gave it up."""
        if call.has_peer_id:
            return
        if self.registry.peer(peer_call_id) is not None:
            if call.state is CallState.WAIT_REPLY:
                self._step(call, CallInput.TERMINATE, now, _ID_TAKEN)
            return
        self._assign(call, peer_call_id=peer_call_id, has_peer_id=True, **terms)
        self.registry.add(call)
        self._step(call, CallInput.REPLY, now)

    def _incoming_call_connected(self, message: IncomingCallConnected, now: float) -> None:
        call = self.registry.local(message.peer_call_id)
        if call is None:
            return
        if call.state is CallState.WAIT_CONNECT:
            self._assign(
                call,
                connect_speed=message.connect_speed,
                peer_window=message.receive_window,
                peer_processing_delay=message.processing_delay,
                framing_type=message.framing_type,
            )
        self._step(call, CallInput.CONNECTED, now)

    def _call_clear_request(self, message: CallClearRequest, now: float) -> None:
        """Its Call ID is the sender's (2.12); some peers send the receiver's."""
        call = self.registry.peer(message.call_id) or self.registry.local(message.call_id)
        if call is not None:
            self._step(call, CallInput.CLEAR, now, _CLEARED)

    def _call_disconnect_notify(self, message: CallDisconnectNotify, now: float) -> None:
        """Its Call ID is the sender's (2.13), perhaps one that we never heard; RRAS sends ours."""
        registry = self.registry
        call = registry.peer(message.call_id) or registry.local(message.call_id)
        call = call or registry.unnamed()
        if call is not None:
            ending = Ending(CallEnd.DISCONNECTED_PEER, message.result, message.error, message.cause)
            self._step(call, CallInput.DISCONNECT, now, ending)

    def _wan_error_notify(self, message: WanErrorNotify, now: float) -> None:
        call = self._addressed(message.peer_call_id)
        if call is not None:
            self._tell(
                WanError(
                    call,
                    message.crc_errors,
                    message.framing_errors,
                    message.hardware_overruns,
                    message.buffer_overruns,
                    message.timeout_errors,
                    message.alignment_errors,
                )
            )

    def _set_link_info(self, message: SetLinkInfo, now: float) -> None:
        call = self._addressed(message.peer_call_id)
        if call is not None:
            self._tell(LinkInfo(call, message.send_accm, message.receive_accm))

    def _addressed(self, call_id: int) -> Call | None:
        """The established call with this Call ID of ours, or else of the peer's."""
        call = self.registry.local(call_id) or self.registry.peer(call_id)
        return call if call and call.established else None

    # The tables' actions.

    def _step(self, call: Call, event: CallInput, now: float, ending: Ending = _NO_ENDING) -> None:
        before = call.state
        actions, state = next_call(call.table, before, event)
        for action in actions:
            getattr(self, f"_do_{action.value}")(call, ending)
        if state is not before:
            self._enter(call, state, now)
        if self.debug:
            ignored = not actions and state is before
            waits = state not in (CallState.IDLE, CallState.ESTABLISHED)
            deadline = now + self.timeout if waits else None
            self._tell(CallStep(call, event, before, state, ignored, deadline))

    def _enter(self, call: Call, state: CallState, now: float) -> None:
        call.state = state
        if state is CallState.IDLE:
            self.registry.remove(call)
            return
        self.registry.add(call)
        waits = state is not CallState.ESTABLISHED
        self.registry.set_deadline(call, now + self.timeout if waits else None)

    def _do_indicate(self, call: Call, ending: Ending) -> None:
        self._tell(CallRequested(call))

    def _do_send_request(self, call: Call, ending: Ending) -> None:
        if call.kind is CallKind.OUTGOING:
            self._send(_outgoing_request(call))
        else:
            # What the third message will say is refused now, not when the peer has answered.
            encode(_incoming_connected(call))
            self._send(_incoming_request(call))

    def _do_send_reply(self, call: Call, ending: Ending) -> None:
        if call.kind is CallKind.OUTGOING:
            self._send(
                OutgoingCallReply(
                    call.local_call_id,
                    call.peer_call_id,
                    connect_speed=call.connect_speed,
                    receive_window=call.receive_window,
                    processing_delay=call.processing_delay,
                    physical_channel=call.physical_channel,
                )
            )
        else:
            self._send(
                IncomingCallReply(
                    call.local_call_id,
                    call.peer_call_id,
                    receive_window=call.receive_window,
                    processing_delay=call.processing_delay,
                )
            )

    def _do_send_refusal(self, call: Call, ending: Ending) -> None:
        codes = (ending.result, ending.error)
        if call.kind is CallKind.OUTGOING:
            self._send(OutgoingCallReply(0, call.peer_call_id, *codes, ending.cause))
        else:
            self._send(IncomingCallReply(0, call.peer_call_id, *codes))

    def _do_send_connected(self, call: Call, ending: Ending) -> None:
        self._send(_incoming_connected(call))

    def _do_send_clear(self, call: Call, ending: Ending) -> None:
        self._send(CallClearRequest(call.local_call_id))

    def _do_send_disconnect(self, call: Call, ending: Ending) -> None:
        codes = (ending.result, ending.error, ending.cause)
        self._send(CallDisconnectNotify(call.local_call_id, *codes, ending.statistics))

    def _do_connect(self, call: Call, ending: Ending) -> None:
        self._tell(CallConnected(call))

    def _do_end(self, call: Call, ending: Ending) -> None:
        if not call.ended:
            call.ended = True
            self._tell(CallEnded(call, ending.end, ending.result, ending.error, ending.cause))

    def _do_fail(self, call: Call, ending: Ending) -> None:
        self._do_end(call, Ending(CallEnd.NO_ANSWER))
        raise RemoteProtocolError(
            f"call {call.local_call_id:#x}: no answer in {call.state.value} for {self.timeout:g} s"
        )

    def _do_forbid(self, call: Call, ending: Ending) -> None:
        raise LocalProtocolError(f"the call is in {call.state.value}")

    # Checks.

    def _claim(self, call_id: int) -> None:
        if self.registry.local(call_id) is not None:
            raise LocalProtocolError(f"Call ID {call_id:#x} is in use")

    def _must_be(self, role: Role, what: str) -> None:
        if self.role is not role:
            raise LocalProtocolError(f"only a {role.value} sends {what}")

    @staticmethod
    def _must_be_established(call: Call) -> None:
        if not call.established:
            raise LocalProtocolError(f"the call is in {call.state.value}")

    @staticmethod
    def _assign(call: Call, **values: Any) -> None:
        for name, value in values.items():
            setattr(call, name, value)


def _outgoing_request(call: Call) -> OutgoingCallRequest:
    return OutgoingCallRequest(
        call_id=call.local_call_id,
        serial=call.serial,
        minimum_bps=call.minimum_bps,
        maximum_bps=call.maximum_bps,
        bearer_type=call.bearer_type,
        framing_type=call.framing_type,
        receive_window=call.receive_window,
        processing_delay=call.processing_delay,
        phone_number_length=len(call.phone_number),
        phone_number=call.phone_number,
        subaddress=call.subaddress,
    )


def _incoming_request(call: Call) -> IncomingCallRequest:
    return IncomingCallRequest(
        call_id=call.local_call_id,
        serial=call.serial,
        bearer_type=call.bearer_type,
        physical_channel=call.physical_channel,
        dialed_number_length=len(call.dialed_number),
        dialing_number_length=len(call.dialing_number),
        dialed_number=call.dialed_number,
        dialing_number=call.dialing_number,
        subaddress=call.subaddress,
    )


def _incoming_connected(call: Call) -> IncomingCallConnected:
    return IncomingCallConnected(
        call.peer_call_id,
        call.connect_speed,
        call.receive_window,
        call.processing_delay,
        call.framing_type,
    )
