"""A PPTP control connection (RFC 2637 3.1) without its TCP connection, in either role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any, ClassVar

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.pptp.call import Call, CallKind, check_version
from fastpptp.pptp.calls import Calls, Ending
from fastpptp.pptp.codes import (
    PROTOCOL_VERSION,
    Bearer,
    DisconnectResult,
    Framing,
    Role,
    StartResult,
    StopReason,
    name_of,
)
from fastpptp.pptp.config import ControlConfig
from fastpptp.pptp.events import (
    CallEnd,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlEvent,
    ControlStep,
    MessageTrace,
    PeerInfo,
)
from fastpptp.pptp.framing import MessageCounts, MessageReader
from fastpptp.pptp.inspect import printable
from fastpptp.pptp.messages import (
    EchoReply,
    EchoRequest,
    Message,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    encode,
)
from fastpptp.pptp.tables import ControlInput, ControlState, next_control

_NAME_OCTETS = 64  # of the Host Name and Vendor Name fields (2.1)
_U32 = 0xFFFFFFFF
_DISCARDS = (ControlEnd.PROTOCOL_ERROR, ControlEnd.VERSION)
_WELCOME = (StartResult.SUCCESS, 0)
_STOPPED = (ControlEnd.STOPPED_LOCAL, "")


class ControlConnection:
    """One control connection. Every method that takes `now` returns events, in order.

    `now` is in seconds of a monotonic clock. After each call send `data_to_send()` and ask
    `get_timer()` when `handle_timer` is due. Created, it waits for the peer's
    Start-Control-Connection-Request; `initiate` sends ours. After ControlEnded close the TCP
    connection once everything is sent; what still comes in is ignored.

    A call that has ended takes no more orders: `answer_call` and the like then do nothing,
    because its CallEnded may be waiting behind the CallRequested that the owner looks at.
    LocalProtocolError: the order does not fit the state, or a value does not fit its field.
    """

    __slots__ = (
        "_calls",
        "_deadline",
        "_echo_deadline",
        "_echo_identifier",
        "_events",
        "_heard",
        "_last_received",
        "_output",
        "_reader",
        "_stopped",
        "_verdict",
        "config",
        "counts",
        "local_address",
        "originator",
        "peer",
        "peer_address",
        "role",
        "state",
        "trace",
    )

    VERSION: ClassVar[int] = 1

    # The input of each message that always means the same.
    _INPUTS: ClassVar[Mapping[type[Message], ControlInput]] = MappingProxyType(
        {
            StopControlConnectionRequest: ControlInput.STOP_REQUEST,
            StopControlConnectionReply: ControlInput.STOP_REPLY,
            EchoRequest: ControlInput.ECHO_REQUEST,
            EchoReply: ControlInput.ECHO_REPLY,
        }
    )

    def __init__(
        self,
        role: Role,
        config: ControlConfig,
        *,
        now: float,
        local_address: IPv4Address | None = None,
        peer_address: IPv4Address | None = None,
        counts: MessageCounts | None = None,
    ) -> None:
        """The addresses are those of the TCP connection; they decide a collision (3.1.3).

        `counts` may be shared by many connections.
        """
        self.role = role
        self.config = config
        # May change at any time.
        self.trace = config.trace
        self.local_address = local_address
        self.peer_address = peer_address
        self.state = ControlState.IDLE
        self.originator = False
        self.peer: PeerInfo | None = None
        self.counts = counts or MessageCounts()
        self._reader = MessageReader()
        self._output = bytearray()
        self._events: list[ControlEvent] = []
        self._calls = Calls(role, config.call_timeout, self._send, self._events.append)
        self._calls.debug = config.debug
        # The input that the table was last asked about.
        self._heard: ControlInput | None = None
        # Result and error of our Start-Control-Connection-Reply.
        self._verdict: tuple[int, int] = _WELCOME
        # Of what wait_stop_reply ends with.
        self._stopped: tuple[ControlEnd, str] = _STOPPED
        # When the state that waits for one message ends by itself.
        self._deadline: float | None = now + config.establish_timeout
        self._last_received = now
        self._echo_identifier = 0
        self._echo_deadline: float | None = None

    @property
    def debug(self) -> bool:
        """Whether steps are told. May change at any time."""
        return self._calls.debug

    @debug.setter
    def debug(self, wanted: bool) -> None:
        self._calls.debug = wanted

    @property
    def closed(self) -> bool:
        return self.state is ControlState.CLOSED

    @property
    def established(self) -> bool:
        return self.state is ControlState.ESTABLISHED

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that are not over on both sides, oldest first."""
        return tuple(self._calls.registry)

    def find_call(self, local_call_id: int) -> Call | None:
        """The call that has this Call ID of ours."""
        return self._calls.registry.local(local_call_id)

    # What goes in and out.

    def data_to_send(self) -> bytes:
        """What is to be written to the TCP connection; taken once."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def receive_data(self, data: bytes, now: float) -> list[ControlEvent]:
        """Octets from the peer, cut anyhow. Never raises for what the peer does."""
        if not self.closed:
            self._reader.feed(data)
            try:
                self._read(now)
            except RemoteProtocolError as error:
                self._end(ControlEnd.PROTOCOL_ERROR, error=error.code, detail=str(error))
        return self._take()

    def receive_eof(self, now: float) -> list[ControlEvent]:
        """The peer closed, or the TCP connection is gone."""
        self._input(ControlInput.EOF, now)
        return self._take()

    def get_timer(self) -> float | None:
        """When handle_timer is due, None for never."""
        times = (self._deadline, self._echo_time(), self._calls.registry.deadline())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> list[ControlEvent]:
        """Whatever is due at `now`; harmless when nothing is."""
        if self._deadline is not None and now >= self._deadline:
            self._input(ControlInput.TIMEOUT, now)
        echo_time = self._echo_time()
        if echo_time is not None and now >= echo_time:
            expired = self._echo_deadline is not None
            self._input(ControlInput.ECHO_EXPIRED if expired else ControlInput.SILENCE, now)
        try:
            self._calls.handle_timer(now)
        except RemoteProtocolError as error:
            self._end(ControlEnd.PROTOCOL_ERROR, detail=str(error))
        return self._take()

    # The connection's life.

    def initiate(self, now: float) -> list[ControlEvent]:
        """The TCP connection that we opened is up: send Start-Control-Connection-Request."""
        if self.state is not ControlState.IDLE:
            raise LocalProtocolError(f"the control connection is {self.state.value}")
        self.originator = True
        self._input(ControlInput.OPEN, now)
        return self._take()

    def refuse(self, now: float, result: int, error: int = 0) -> list[ControlEvent]:
        """Have the peer's Start-Control-Connection-Request refused once it comes (2.2)."""
        if self.originator or self.state is not ControlState.IDLE:
            raise LocalProtocolError("only a connection that waits for its request is refused")
        if result not in (StartResult.GENERAL_ERROR, StartResult.NOT_AUTHORIZED):
            raise LocalProtocolError(f"result {result} is no refusal")
        self._verdict = (result, error)
        return self._take()

    def collide(self, now: float) -> list[ControlEvent]:
        """The peer has opened a control connection while our request is out (3.1.3).

        To be called on both connections, on the peer's before its data is fed. The address
        that is higher as a number wins: the loser's own connection ends with COLLISION, and
        the winner never says a word on the loser's.
        """
        won = self._higher()
        if won is None:
            raise LocalProtocolError("a collision needs two different addresses")
        self._input(ControlInput.COLLISION_WON if won else ControlInput.COLLISION_LOST, now)
        return self._take()

    def stop(self, now: float, reason: int = StopReason.NONE) -> list[ControlEvent]:
        """End every call and the connection; ControlEnded follows the peer's answer."""
        if not self.closed:
            self._input(ControlInput.LOCAL_STOP, now, StopControlConnectionRequest(reason))
        return self._take()

    # Calls.

    def place_call(
        self,
        local_call_id: int,
        now: float,
        *,
        serial: int = 0,
        receive_window: int = 16,
        processing_delay: int = 0,
        minimum_bps: int = 2_400,
        maximum_bps: int = 10_000_000,
        connect_speed: int = 10_000_000,
        bearer_type: int = Bearer.ANALOG | Bearer.DIGITAL,
        framing_type: int = Framing.ASYNCHRONOUS | Framing.SYNCHRONOUS,
        phone_number: str = "",
        dialed_number: str = "",
        dialing_number: str = "",
        subaddress: str = "",
        physical_channel: int = 0,
    ) -> list[ControlEvent]:
        """Ask for a call: an outgoing one as PNS, an incoming one as PAC.

        `find_call(local_call_id)` is the Call. A PNS says speeds and the phone number, a PAC
        connect speed, numbers and channel; what is not said is kept in the Call all the same.
        """
        self._must_be_established()
        outgoing = self.role is Role.PNS
        call = Call(
            self.role,
            CallKind.OUTGOING if outgoing else CallKind.INCOMING,
            local_call_id=local_call_id,
            has_local_id=True,
            serial=serial,
            receive_window=receive_window,
            processing_delay=processing_delay,
            minimum_bps=minimum_bps,
            maximum_bps=maximum_bps,
            connect_speed=connect_speed,
            bearer_type=int(bearer_type),
            framing_type=int(framing_type),
            phone_number=phone_number,
            dialed_number=dialed_number,
            dialing_number=dialing_number,
            subaddress=subaddress,
            physical_channel=physical_channel,
        )
        self._calls.place(call, now)
        return self._take()

    def answer_call(
        self,
        call: Call,
        local_call_id: int,
        now: float,
        *,
        connect_speed: int = 10_000_000,
        receive_window: int = 16,
        processing_delay: int = 0,
        physical_channel: int = 0,
    ) -> list[ControlEvent]:
        """Take a requested call. A PNS says neither connect speed nor channel (2.10)."""
        terms = {"receive_window": receive_window, "processing_delay": processing_delay}
        if self.role is Role.PAC:
            terms |= {"connect_speed": connect_speed, "physical_channel": physical_channel}
        self._calls.answer(call, local_call_id, now, **terms)
        return self._take()

    def refuse_call(
        self, call: Call, now: float, *, result: int, error: int = 0, cause: int = 0
    ) -> list[ControlEvent]:
        """Turn a requested call down: `result` of OutgoingCallResult or IncomingCallResult."""
        self._calls.refuse(call, now, result, error, cause)
        return self._take()

    def end_call(
        self,
        call: Call,
        now: float,
        *,
        result: int = DisconnectResult.ADMIN_SHUTDOWN,
        error: int = 0,
        cause: int = 0,
        statistics: str = "",
    ) -> list[ControlEvent]:
        """End a call in any state. A PAC tells the codes in its Call-Disconnect-Notify; the
        Call-Clear-Request of a PNS has none, and its Call ID stays taken until the PAC answers.
        """
        ending = Ending(CallEnd.ENDED_LOCAL, result, error, cause, statistics)
        self._calls.end(call, now, ending)
        return self._take()

    def set_link_info(
        self, call: Call, now: float, *, send_accm: int = _U32, receive_accm: int = _U32
    ) -> list[ControlEvent]:
        """PNS only (2.15)."""
        self._calls.set_link_info(call, send_accm, receive_accm)
        return self._take()

    def wan_error_notify(
        self,
        call: Call,
        now: float,
        *,
        crc_errors: int = 0,
        framing_errors: int = 0,
        hardware_overruns: int = 0,
        buffer_overruns: int = 0,
        timeout_errors: int = 0,
        alignment_errors: int = 0,
    ) -> list[ControlEvent]:
        """PAC only; counters since the call began, sent at most once in 60 s (2.14)."""
        self._calls.wan_error_notify(
            call,
            now,
            crc_errors=crc_errors,
            framing_errors=framing_errors,
            hardware_overruns=hardware_overruns,
            buffer_overruns=buffer_overruns,
            timeout_errors=timeout_errors,
            alignment_errors=alignment_errors,
        )
        return self._take()

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain data (JSON will do); `version` says how to read it.

        Times are those of the clock that `now` comes from. The configuration is not in it.
        """
        registry = self._calls.registry
        places = {call: place for place, call in enumerate(registry)}
        return {
            "version": self.VERSION,
            "role": self.role.value,
            "local_address": _text_of(self.local_address),
            "peer_address": _text_of(self.peer_address),
            "state": self.state.value,
            "originator": self.originator,
            "peer": None if self.peer is None else asdict(self.peer),
            "received": self._reader.pending.hex(),
            "output": bytes(self._output).hex(),
            "verdict": [int(code) for code in self._verdict],
            "stopped": [self._stopped[0].name, self._stopped[1]],
            "deadline": self._deadline,
            "last_received": self._last_received,
            "echo_identifier": self._echo_identifier,
            "echo_deadline": self._echo_deadline,
            "calls": [call.snapshot() for call in places],
            "deadlines": [[places[call], time] for call, time in registry.deadlines()],
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], config: ControlConfig) -> ControlConnection:
        """A connection that goes on where `snapshot` was taken; its Calls are new objects."""
        check_version("ControlConnection", cls.VERSION, snapshot)
        self = cls(
            Role(snapshot["role"]),
            config,
            now=snapshot["last_received"],
            local_address=_address_of(snapshot["local_address"]),
            peer_address=_address_of(snapshot["peer_address"]),
        )
        self.state = ControlState(snapshot["state"])
        self.originator = snapshot["originator"]
        self.peer = None if snapshot["peer"] is None else PeerInfo(**snapshot["peer"])
        self._reader = MessageReader(bytes.fromhex(snapshot["received"]))
        self._output += bytes.fromhex(snapshot["output"])
        result, error = snapshot["verdict"]
        self._verdict = (result, error)
        name, detail = snapshot["stopped"]
        self._stopped = (ControlEnd[name], detail)
        self._deadline = snapshot["deadline"]
        self._echo_identifier = snapshot["echo_identifier"]
        self._echo_deadline = snapshot["echo_deadline"]
        self._restore_calls(snapshot)
        return self

    def _restore_calls(self, snapshot: Mapping[str, Any]) -> None:
        registry = self._calls.registry
        calls = [Call.restore(plain) for plain in snapshot["calls"]]
        for call in calls:
            registry.add(call)
        for place, time in snapshot["deadlines"]:
            registry.set_deadline(calls[place], time)

    # Messages in and out.

    def _read(self, now: float) -> None:
        while not self.closed and (message := self._next()) is not None:
            self._last_received = now
            self.counts.received += 1
            self._input(self._judge(message), now, message)

    def _next(self) -> Message | None:
        """The next whole message; RemoteProtocolError: there can be none."""
        octets = self._reader.pending if self.trace else b""
        try:
            message = self._reader.next()
        except RemoteProtocolError:
            self._heard = None
            if octets:
                self._events.append(MessageTrace(False, None, octets))
            raise
        if octets and message is not None:
            self._events.append(MessageTrace(False, message, octets[: message.LAYOUT.size]))
        return message

    def _send(self, message: Message) -> None:
        octets = encode(message)
        self._output += octets
        self.counts.sent += 1
        if self.trace:
            self._events.append(MessageTrace(True, message, octets))

    def _take(self) -> list[ControlEvent]:
        events = self._events.copy()
        self._events.clear()
        return events

    def _judge(self, message: Message) -> ControlInput:
        """The table's input that a message is."""
        if isinstance(message, StartControlConnectionRequest):
            return self._judge_request(message)
        if isinstance(message, StartControlConnectionReply):
            return self._judge_reply(message)
        return self._INPUTS.get(type(message), ControlInput.CALL_MESSAGE)

    def _judge_request(self, message: StartControlConnectionRequest) -> ControlInput:
        if self._verdict[0] != StartResult.SUCCESS:
            return ControlInput.START_REQUEST_REFUSED
        if message.version != PROTOCOL_VERSION:
            return ControlInput.START_REQUEST_VERSION
        won = self._higher()
        if self.state is not ControlState.WAIT_CTL_REPLY or won is None:
            return ControlInput.START_REQUEST
        return ControlInput.START_REQUEST_WON if won else ControlInput.START_REQUEST_LOST

    @staticmethod
    def _judge_reply(message: StartControlConnectionReply) -> ControlInput:
        if message.result != StartResult.SUCCESS:
            return ControlInput.START_REPLY_REFUSED
        if message.version != PROTOCOL_VERSION:
            return ControlInput.START_REPLY_VERSION
        return ControlInput.START_REPLY

    def _higher(self) -> bool | None:
        """Whether our address is the higher one (3.1.3); None: the addresses do not decide."""
        local, peer = self.local_address, self.peer_address
        if local is None or peer is None or local == peer:
            return None
        return local > peer

    def _echo_time(self) -> float | None:
        """When the keep-alive has something to do (3.1.4)."""
        if not self.established or self._echo_deadline is not None:
            return self._echo_deadline
        interval = self.config.echo_interval
        return self._last_received + interval if interval else None

    def _must_be_established(self) -> None:
        if not self.established:
            raise LocalProtocolError(f"the control connection is {self.state.value}")

    # The tables' actions.

    def _input(self, event: ControlInput, now: float, message: Message | None = None) -> None:
        if self.closed:
            return
        self._heard = event
        actions, state = next_control(self.originator, self.state, event)
        for action in actions:
            getattr(self, f"_do_{action.value}")(message, event, now)
        self._enter(state, now)

    def _enter(self, state: ControlState, now: float) -> None:
        if state is self.state:
            return
        before, self.state = self.state, state
        self._echo_deadline = None
        self._deadline = None
        if state is ControlState.WAIT_STOP_REPLY:
            self._deadline = now + self.config.stop_timeout
        elif state in (ControlState.WAIT_CTL_REPLY, ControlState.COLLIDED):
            self._deadline = now + self.config.establish_timeout
        if self.debug:
            deadline = self._deadline if self._deadline is not None else self._echo_time()
            self._events.append(ControlStep(self._heard, before, state, deadline))

    def _end(self, end: ControlEnd, result: int = 0, error: int = 0, detail: str = "") -> None:
        self.counts.discarded += end in _DISCARDS
        self._calls.end_all(CallEnd.CONTROL_CLOSED)
        self._reader.clear()
        self._enter(ControlState.CLOSED, self._last_received)
        self._events.append(ControlEnded(end, result, error, detail))

    def _introduction(self) -> dict[str, Any]:
        """What both Start-Control-Connection messages say of us."""
        config = self.config
        return {
            "framing_capabilities": config.framing_capabilities,
            "bearer_capabilities": config.bearer_capabilities,
            "maximum_channels": config.maximum_channels if self.role is Role.PAC else 0,
            "firmware_revision": config.firmware_revision,
            "host_name": config.host_name[:_NAME_OCTETS],
            "vendor_name": config.vendor_name[:_NAME_OCTETS],
        }

    def _meet(self, message: StartControlConnectionRequest | StartControlConnectionReply) -> None:
        self.peer = PeerInfo(
            version=message.version,
            framing_capabilities=message.framing_capabilities,
            bearer_capabilities=message.bearer_capabilities,
            maximum_channels=message.maximum_channels,
            firmware_revision=message.firmware_revision,
            host_name=printable(message.host_name),
            vendor_name=printable(message.vendor_name),
        )
        self._events.append(ControlEstablished(self.peer))

    def _reply_start(self, result: int, error: int) -> None:
        introduction = self._introduction()
        self._send(StartControlConnectionReply(result=result, error=error, **introduction))

    def _do_send_start_request(self, message: Message, event: ControlInput, now: float) -> None:
        self._send(StartControlConnectionRequest(**self._introduction()))

    def _do_accept(
        self, message: StartControlConnectionRequest, event: ControlInput, now: float
    ) -> None:
        self._reply_start(*self._verdict)
        self._meet(message)

    def _do_refuse_start(self, message: Message, event: ControlInput, now: float) -> None:
        self._reply_start(*self._verdict)
        self._end(ControlEnd.REFUSED_LOCAL, *self._verdict)

    def _do_reject_version(
        self, message: StartControlConnectionRequest, event: ControlInput, now: float
    ) -> None:
        self._reply_start(StartResult.BAD_VERSION, 0)
        self._end(ControlEnd.VERSION, StartResult.BAD_VERSION, detail=_version(message))

    def _do_establish(
        self, message: StartControlConnectionReply, event: ControlInput, now: float
    ) -> None:
        self._meet(message)

    def _do_stop_version(
        self, message: StartControlConnectionReply, event: ControlInput, now: float
    ) -> None:
        self._send(StopControlConnectionRequest(StopReason.STOP_PROTOCOL))
        self._stopped = (ControlEnd.VERSION, _version(message))

    def _do_end_refused(
        self, message: StartControlConnectionReply, event: ControlInput, now: float
    ) -> None:
        detail = name_of(StartResult, message.result)
        self._end(ControlEnd.REFUSED_PEER, message.result, message.error, detail)

    def _do_end_collision(self, message: Message, event: ControlInput, now: float) -> None:
        self._end(ControlEnd.COLLISION)

    def _do_send_stop_request(
        self, message: StopControlConnectionRequest, event: ControlInput, now: float
    ) -> None:
        self._send(message)
        self._calls.end_all(CallEnd.ENDED_LOCAL)
        self._stopped = (ControlEnd.STOPPED_LOCAL, name_of(StopReason, message.reason))

    def _do_send_stop_reply(self, message: Message, event: ControlInput, now: float) -> None:
        self._send(StopControlConnectionReply())

    def _do_end_stopped_peer(
        self, message: StopControlConnectionRequest, event: ControlInput, now: float
    ) -> None:
        self._end(ControlEnd.STOPPED_PEER, detail=name_of(StopReason, message.reason))

    def _do_end_stopped_local(
        self, message: StopControlConnectionRequest, event: ControlInput, now: float
    ) -> None:
        self._end(ControlEnd.STOPPED_LOCAL, detail=name_of(StopReason, message.reason))

    def _do_finish_stop(self, message: Message, event: ControlInput, now: float) -> None:
        """Whatever the reply says, the TCP connection is closed now."""
        end, detail = self._stopped
        self._end(end, detail=detail)

    def _do_send_echo_request(self, message: Message, event: ControlInput, now: float) -> None:
        self._echo_identifier = (self._echo_identifier + 1) & _U32
        self._send(EchoRequest(self._echo_identifier))
        self._echo_deadline = now + self.config.echo_timeout

    def _do_send_echo_reply(self, message: EchoRequest, event: ControlInput, now: float) -> None:
        self._send(EchoReply(message.identifier))

    def _do_take_echo_reply(self, message: EchoReply, event: ControlInput, now: float) -> None:
        if message.identifier == self._echo_identifier:
            self._echo_deadline = None

    def _do_end_echo(self, message: Message, event: ControlInput, now: float) -> None:
        self._end(ControlEnd.ECHO_TIMEOUT)

    def _do_end_establish(self, message: Message, event: ControlInput, now: float) -> None:
        self._end(ControlEnd.ESTABLISH_TIMEOUT)

    def _do_end_lost(self, message: Message, event: ControlInput, now: float) -> None:
        detail = "in the middle of a message" if self._reader.pending else ""
        self._end(ControlEnd.CARRIER_LOST, detail=detail)

    def _do_pass_to_calls(self, message: Message, event: ControlInput, now: float) -> None:
        self._calls.receive(message, now)

    def _do_break_off(self, message: Message, event: ControlInput, now: float) -> None:
        raise RemoteProtocolError(f"{message.LAYOUT.kind.text} in {self.state.value}")

    def _do_forbid(self, message: Message, event: ControlInput, now: float) -> None:
        raise LocalProtocolError(f"{event.value}: the connection is {self.state.value}")


def _version(message: StartControlConnectionRequest | StartControlConnectionReply) -> str:
    return f"version {message.version:#06x}"


def _text_of(address: IPv4Address | None) -> str | None:
    return None if address is None else str(address)


def _address_of(text: str | None) -> IPv4Address | None:
    return None if text is None else IPv4Address(text)
