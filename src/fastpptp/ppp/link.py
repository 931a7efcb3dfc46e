"""One PPP link, in either role: the phases of RFC 1661 3.2.

    link = Link(LinkConfig(...), rng=rng, now=now)
    events = link.open(now)            the lower layer is up
    events = link.receive_frame(frame, now)
    link.get_timer(), link.handle_timer(now)

Every method returns LinkEvents (events.py), whose order is part of the contract. After each
call the Link reviews itself: what follows from the states of its protocols (gates, the start
of the NCPs, the end) is decided there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.auth import (
    Ask,
    AuthEndpoint,
    AuthStep,
    SendPacket,
    Succeeded,
    make_authenticator,
    make_peer,
    restore_auth,
)
from fastpptp.ppp.auth.endpoint import Authenticator
from fastpptp.ppp.auth.types import AuthMethod, AuthResult, KeySource
from fastpptp.ppp.config import AddressAnswer, LinkConfig, LinkRole, MppePolicy
from fastpptp.ppp.encryption import Encryption
from fastpptp.ppp.events import (
    AddressRequest,
    Authenticated,
    AuthRequest,
    AutomatonStep,
    FrameTrace,
    InTheClear,
    LcpClosed,
    LcpOpened,
    LinkEnd,
    LinkEnded,
    LinkEvent,
    PeerIdentified,
    PhaseChange,
    ProbeAnswered,
    ProtocolRejected,
    RequestJudged,
    SendFrame,
    TokenVoid,
)
from fastpptp.ppp.frames import Option, Packet, Protocol, decode_frame, encode_frame
from fastpptp.ppp.fsm import ControlProtocol
from fastpptp.ppp.fsm_table import Event, State, Transition
from fastpptp.ppp.lcp import Lcp
from fastpptp.ppp.network import Network
from fastpptp.ppp.options import Verdict
from fastpptp.ppp.snapshots import freeze, thaw


class Phase(Enum):
    """RFC 1661 3.2."""

    DEAD = "dead"
    ESTABLISH = "establish"
    AUTHENTICATE = "authenticate"
    NETWORK = "network"
    TERMINATE = "terminate"


# Data that gets here instead of into the dataplane came while its gate was shut.
_DATA = frozenset({Protocol.IP, Protocol.IPV6, Protocol.COMPRESSED})

# Which control protocol falls when the peer rejects a protocol.
_CONTROLS: Mapping[int, int] = MappingProxyType(
    {
        Protocol.IP: Protocol.IPCP,
        Protocol.IPV6: Protocol.IPV6CP,
        Protocol.COMPRESSED: Protocol.CCP,
    }
)

# LCP cannot bring the link up any more.
_FINISHED = frozenset({State.INITIAL, State.STARTING, State.CLOSED, State.STOPPED})

# What it means that the Link did not come up in time, by the phase it got stuck in.
_STUCK: Mapping[Phase, LinkEnd] = MappingProxyType(
    {
        Phase.ESTABLISH: LinkEnd.NEGOTIATION_FAILED,
        Phase.AUTHENTICATE: LinkEnd.AUTHENTICATION_FAILED,
        Phase.NETWORK: LinkEnd.NO_NETWORK_PROTOCOL,
    }
)


class Tokens(Iterator[int]):
    """Numbers that are unique on one Link."""

    __slots__ = ("last",)

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def __next__(self) -> int:
        self.last += 1
        return self.last


class Link:
    """See the module's docstring, and docs/architecture.md for the contract.

    `rng(n)` gives n random octets; `now` is in seconds of a monotonic clock. What a peer sends
    raises nothing. LocalProtocolError: open() twice, a policy changed too late.
    """

    __slots__ = (
        "_auth",
        "_clear_told",
        "_diverged",
        "_echo_at",
        "_encryption",
        "_end",
        "_ended",
        "_established_by",
        "_events",
        "_heard",
        "_hung_up",
        "_lcp",
        "_listen_until",
        "_network",
        "_now",
        "_pending",
        "_pending_until",
        "_reason",
        "_rng",
        "_tokens",
        "config",
        "debug",
        "phase",
        "trace",
    )

    VERSION: ClassVar[int] = 1

    # What snapshot() holds as it is.
    _FIELDS: ClassVar[tuple[str, ...]] = (
        "_pending",
        "_pending_until",
        "_established_by",
        "_listen_until",
        "_echo_at",
        "_heard",
        "_reason",
        "_hung_up",
        "_ended",
        "_clear_told",
    )

    def __init__(self, config: LinkConfig, *, rng: Callable[[int], bytes], now: float) -> None:
        self.config = config
        # May change at any time.
        self.trace = config.trace
        self.debug = config.debug
        self.phase = Phase.DEAD
        self._rng = rng
        self._now = now
        self._events: list[LinkEvent] = []
        self._tokens = Tokens()
        self._lcp = Lcp(config, self, rng=rng)
        self._encryption = Encryption(config.mppe, config.timing, self, self._events.append)
        self._network = Network(config, self, self._events.append, rng=rng)
        self._auth: AuthEndpoint | None = None
        # The token of the AuthRequest or AddressRequest that is out, and its deadline.
        self._pending: int | None = None
        self._pending_until: float | None = None
        # The deadline of a Link that is not up.
        self._established_by: float | None = None
        # Until then our first Configure-Request waits for the peer's.
        self._listen_until: float | None = None
        self._echo_at: float | None = None
        # Whether the peer ever sent LCP.
        self._heard = False
        # Why it ends, told when it has ended; with the Data of our Terminate-Request.
        self._end: LinkEnded | None = None
        self._reason = b""
        self._hung_up = False
        self._ended = False
        self._clear_told = False
        self._diverged: list[ControlProtocol] = []

    @property
    def ended(self) -> bool:
        """Whether LinkEnded was told."""
        return self._ended

    @property
    def reached(self) -> bool:
        """Whether the peer ever answered what we sent."""
        return self._lcp.reached

    @property
    def requests(self) -> int:
        """How many Configure-Requests of LCP came from the peer."""
        return self._lcp.requests

    # The owner's calls.

    def open(self, now: float) -> list[LinkEvent]:
        """The lower layer is up: start LCP."""
        if self.phase is not Phase.DEAD or self._ended:
            raise LocalProtocolError("the Link was opened before")
        self._now = now
        self._enter(Phase.ESTABLISH)
        self._established_by = now + self.config.establish_timeout
        self._lcp.open(now)
        if self.config.listen:
            self._listen_until = now + self.config.listen
        else:
            self._speak()
        return self._review()

    def _speak(self) -> None:
        """Send our first Configure-Request."""
        self._listen_until = None
        self._lcp.up(self._now)

    def receive_frame(self, frame: bytes, now: float) -> list[LinkEvent]:
        """A frame from the peer, from its protocol field on. What is malformed is discarded."""
        self._now = now
        if self.phase is Phase.DEAD:
            return []
        if self._listen_until is not None:
            self._speak()
        if self.trace:
            self._events.append(FrameTrace(False, frame))
        # What is malformed is silently discarded (RFC 1661 5).
        with suppress(RemoteProtocolError):
            self._dispatch(*decode_frame(frame))
        return self._review()

    def complete_auth(self, token: int, result: AuthResult, now: float) -> list[LinkEvent]:
        """The answer to an AuthRequest; [] when it is no longer wanted."""
        if not isinstance(self._auth, Authenticator) or not self._settle(token, now):
            return []
        # A peer that may try again has its user to ask.
        self._established_by = now + self.config.establish_timeout
        self._take(self._auth, self._auth.complete(token, result, now))
        return self._review()

    def complete_address(
        self, token: int, answer: AddressAnswer | None, now: float
    ) -> list[LinkEvent]:
        """The answer to an AddressRequest, None where there is no address; [] when not wanted."""
        if self.phase is not Phase.NETWORK or not self._settle(token, now):
            return []
        if answer is None:
            self._finish(LinkEnd.NO_NETWORK_PROTOCOL)
        else:
            self._network.start(answer, now)
        return self._review()

    def set_mppe_policy(self, policy: MppePolicy) -> None:
        """What holds for this user, before complete_auth says who it is."""
        if self.phase is Phase.NETWORK:
            raise LocalProtocolError("CCP is being negotiated by another policy")
        self._encryption.policy = policy

    def renegotiate_ccp(self, now: float) -> list[LinkEvent]:
        """MPPE is out of step for good: negotiate it anew; nothing where it is not active."""
        self._now = now
        if self.phase is Phase.NETWORK:
            self._encryption.restart(now)
        return self._review()

    def probe(self, size: int, now: float) -> list[LinkEvent]:
        """Ask for an echo of `size` octets, from 14 to the peer's MRU; see ProbeAnswered."""
        self._now = now
        if self._lcp.opened:
            self._lcp.send_probe(size)
        return self._review()

    def close(self, now: float, message: str = "") -> list[LinkEvent]:
        """End in order: Terminate-Request, then LinkEnded. The first reason to end stands."""
        self._now = now
        self._finish(LinkEnd.LOCAL, message=message)
        return self._review()

    def lower_down(self, now: float) -> list[LinkEvent]:
        """The lower layer is gone: the Link ends at once. The first reason to end stands."""
        self._now = now
        self._finish(LinkEnd.LOWER_LAYER_DOWN)
        self._hung_up = True
        return self._review()

    def get_timer(self) -> float | None:
        """When handle_timer is due."""
        timers = (
            self._lcp.timer,
            self._encryption.ccp.timer,
            *(layer.timer for layer in self._network.layers),
            self._auth.get_timer() if self._auth else None,
            self._network.due,
            self._pending_until,
            self._established_by,
            self._listen_until,
            self._echo_at,
        )
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> list[LinkEvent]:
        """Do what is due; nothing where nothing is."""
        self._now = now
        if _is_due(self._listen_until, now):
            self._speak()
        for layer in (self._lcp, self._encryption.ccp, *self._network.layers):
            layer.handle_timer(now)
        if self._auth is not None:
            self._take(self._auth, self._auth.handle_timer(now))
        if _is_due(self._pending_until, now):
            self._finish(LinkEnd.REQUEST_TIMED_OUT)
        if _is_due(self._established_by, now):
            self._finish(self._stuck())
        if _is_due(self._echo_at, now):
            self._keep_alive(now)
        return self._review()

    # Frames.

    def _dispatch(self, protocol: int, information: bytes) -> None:
        """RFC 1661 3.4 to 3.7: what a phase does not expect is silently discarded."""
        if protocol == Protocol.LCP:
            self._lcp.receive(information, self._now)
            self._heard = True
        elif self.phase is Phase.NETWORK or self.phase is Phase.AUTHENTICATE:
            if self._auth is not None and protocol == self._auth.protocol:
                self._take(self._auth, self._auth.receive(information, self._now))
            elif self.phase is Phase.NETWORK:
                self._dispatch_network(protocol, information)

    def _dispatch_network(self, protocol: int, information: bytes) -> None:
        layers = {layer.protocol: layer for layer in self._network.layers}
        if protocol == Protocol.CCP:
            self._encryption.receive(information, self._now)
        elif protocol in layers:
            layers[protocol].receive(information, self._now)
        elif protocol not in _DATA:
            self._lcp.send_protocol_reject(protocol, information)

    def _send(self, protocol: int, information: bytes) -> None:
        frame = encode_frame(protocol, information)
        if self.trace:
            self._events.append(FrameTrace(True, frame))
        self._events.append(SendFrame(frame))

    def _enter(self, phase: Phase) -> None:
        if self.debug and phase is not self.phase:
            self._events.append(PhaseChange(self.phase.value, phase.value))
        self.phase = phase

    # What the control protocols need and tell (fsm.Owner, lcp.LcpOwner).

    @property
    def peer_mru(self) -> int:
        return self._lcp.mru.peer

    def transmit(self, protocol: int, packet: Packet) -> None:
        self._send(protocol, packet.encode())

    def layer_steps(
        self, layer: ControlProtocol, event: Event, before: State, transition: Transition
    ) -> None:
        step = AutomatonStep(layer.protocol, event, before, transition.state, transition.actions)
        self._events.append(step)

    def layer_judges(
        self, layer: ControlProtocol, packet: Packet, verdict: Verdict, answer: tuple[Option, ...]
    ) -> None:
        judged = RequestJudged(layer.protocol, packet.identifier, verdict, answer)
        self._events.append(judged)

    def layer_permits(self, layer: ControlProtocol) -> None:
        if layer is self._encryption.ccp:
            self._encryption.permits()
        elif layer is not self._lcp and layer.opened:
            self._move_gates()

    def layer_up(self, layer: ControlProtocol) -> None:
        if layer is self._lcp:
            self._lcp_up()
        elif layer is self._encryption.ccp:
            self._encryption.up()
        else:
            self._move_gates()
            self._network.up(layer)

    def layer_down(self, layer: ControlProtocol) -> None:
        if layer is self._lcp:
            self._lcp_down()
        elif layer is self._encryption.ccp:
            # What passed encrypted does not go on in the clear before the review allows it.
            self._network.move_gates(False)
            self._encryption.down()
        else:
            self._move_gates()
            self._network.down(layer)

    def layer_finished(self, layer: ControlProtocol) -> None:
        if layer is self._lcp:
            self._finish(LinkEnd.NEGOTIATION_FAILED if self._heard else LinkEnd.NO_ANSWER)

    def layer_diverged(self, layer: ControlProtocol) -> None:
        if layer is not self._lcp:
            self._diverged.append(layer)
        elif self._lcp.magic.loops:
            # Whatever did not converge was our own.
            self._finish(LinkEnd.LOOPBACK)
        elif self._lcp.authentication.hopeless:
            self._finish(LinkEnd.NO_COMMON_AUTHENTICATION)
        else:
            self._finish(LinkEnd.NEGOTIATION_FAILED)

    def peer_rejects(self, protocol: int) -> None:
        """RFC 1661 5.7: we must stop speaking this protocol."""
        self._events.append(ProtocolRejected(protocol))
        rejected = _CONTROLS.get(protocol, protocol)
        self._encryption.rejected |= rejected == Protocol.CCP
        if rejected == Protocol.LCP:
            self._finish(LinkEnd.NEGOTIATION_FAILED)
        elif self._auth is not None and rejected == self._auth.protocol:
            self._finish(LinkEnd.NO_COMMON_AUTHENTICATION)
        for layer in (self._encryption.ccp, *self._network.layers):
            if layer.protocol == rejected:
                layer.protocol_rejected(self._now)

    def peer_terminates(self) -> None:
        """A call has one link: what the peer ends is not opened again."""
        self._finish(LinkEnd.PEER_TERMINATED)
        self._hung_up = True

    def peer_identifies(self, text: str) -> None:
        self._events.append(PeerIdentified(text))

    def peer_echoes(self, size: int) -> None:
        self._events.append(ProbeAnswered(size))

    # The phases.

    def _lcp_up(self) -> None:
        lcp = self._lcp
        self._events.append(
            LcpOpened(
                peer_mru=lcp.mru.peer,
                local_mru=lcp.mru.local,
                local_magic=lcp.magic.local,
                peer_magic=lcp.magic.peer,
                protocol_compression=lcp.protocol_compression.peer,
                address_compression=lcp.address_compression.peer,
            )
        )
        self._enter(Phase.AUTHENTICATE)
        lcp.unanswered = 0
        if self.config.echo_interval and not self.config.offload:
            self._echo_at = self._now + self.config.echo_interval
        method = lcp.authentication.method
        if method is None:
            self._authenticated(None, "", None)
        else:
            self._auth = self._make_auth(method)
            self._take(self._auth, self._auth.start(self._now))

    def _lcp_down(self) -> None:
        """Everything above LCP is void (RFC 1661 3.7)."""
        if self.phase is not Phase.TERMINATE:
            self._enter(Phase.ESTABLISH)
            self._established_by = self._established_by or self._now + self.config.establish_timeout
        self._void()
        self._auth = None
        self._echo_at = None
        self._move_gates()
        self._network.end(self._now)
        self._encryption.end(self._now)
        self._events.append(LcpClosed())

    def _make_auth(self, method: AuthMethod) -> AuthEndpoint:
        config = self.config
        if config.role is LinkRole.AUTHENTICATOR:
            return make_authenticator(
                method,
                name=config.name,
                rng=self._rng,
                now=self._now,
                tokens=self._tokens,
            )
        return make_peer(
            method,
            name=config.user,
            password=config.password,
            rng=self._rng,
            now=self._now,
            retry_passwords=config.retry_passwords,
            new_password=config.new_password,
        )

    def _take(self, auth: AuthEndpoint, steps: Sequence[AuthStep]) -> None:
        """Carry out what the authentication protocol says."""
        for step in steps:
            if isinstance(step, SendPacket):
                self._send(auth.protocol, step.data)
            elif isinstance(step, Ask):
                self._wait(step.token)
                request = AuthRequest(step.token, auth.method, step.name, step.credential)
                self._events.append(request)
            elif isinstance(step, Succeeded):
                self._authenticated(step.method, step.name, step.keys)
            elif step.not_allowed:
                self._finish(LinkEnd.AUTHENTICATION_NOT_ALLOWED, step.name, step.method)
            else:
                self._finish(
                    LinkEnd.AUTHENTICATION_FAILED, step.name, step.method, error=step.error
                )

    def _authenticated(self, method: AuthMethod | None, name: str, keys: KeySource | None) -> None:
        self._events.append(Authenticated(method, name))
        self._enter(Phase.NETWORK)
        self._encryption.begin(keys, self._now)
        self._network.begin(self._now)

    def _start_network(self) -> None:
        """Addresses, once the peer is ready for them: some wait for CCP before IPCP."""
        due = _is_due(self._network.due, self._now)
        if self.config.role is LinkRole.PEER:
            if due or self._network.asked or self._encryption.settled:
                self._network.start(None, self._now)
        elif due or self._network.asked:
            requested = self._network.requested
            self._network.due = None
            token = next(self._tokens)
            self._wait(token)
            self._events.append(AddressRequest(token, requested))

    def _keep_alive(self, now: float) -> None:
        if self._lcp.unanswered >= self.config.echo_failures:
            self._finish(LinkEnd.PEER_SILENT)
        elif self._lcp.echoes:
            self._lcp.send_echo_request()
            self._echo_at = now + self.config.echo_interval
        else:
            self._echo_at = None

    def _stuck(self) -> LinkEnd:
        if self.phase is Phase.NETWORK and not self._encryption.settled:
            return LinkEnd.ENCRYPTION_REQUIRED
        return _STUCK.get(self.phase, LinkEnd.NEGOTIATION_FAILED)

    # Pending requests.

    def _wait(self, token: int) -> None:
        self._void()
        self._pending = token
        self._pending_until = self._now + self.config.request_timeout

    def _void(self) -> None:
        if self._pending is not None:
            self._events.append(TokenVoid(self._pending))
        self._pending = self._pending_until = None

    def _settle(self, token: int, now: float) -> bool:
        """Whether this token is the one that is waited for; from here on it is not."""
        self._now = now
        if token != self._pending:
            return False
        self._pending = self._pending_until = None
        return True

    # The review.

    def _review(self) -> list[LinkEvent]:
        """Do what follows from the states of the protocols; return what there is to tell."""
        if self.phase is Phase.NETWORK:
            self._review_network()
        self._diverged.clear()
        if self._end is not None:
            self._conclude(self._end)
        events = self._events.copy()
        self._events.clear()
        return events

    def _review_network(self) -> None:
        if self._encryption.lopsided:
            self._diverged.append(self._encryption.ccp)
        for layer in self._diverged:
            layer.close(self._now)
        if self._encryption.failed:
            self._finish(LinkEnd.ENCRYPTION_REQUIRED)
        elif self._network.exhausted:
            self._finish(LinkEnd.NO_NETWORK_PROTOCOL)
        elif self._network.due is not None and self._end is None:
            self._start_network()
        self._encryption.review()
        self._move_gates()
        if self._network.open:
            self._established_by = None
            self._tell_absence()

    def _tell_absence(self) -> None:
        """Once, that what could be encrypted passes in the clear."""
        reason = None if self._clear_told else self._encryption.absence
        if reason is not None:
            self._clear_told = True
            self._events.append(InTheClear(reason))

    def _move_gates(self) -> None:
        may_pass = self.phase is Phase.NETWORK and self._encryption.settled
        self._network.move_gates(may_pass and self._end is None)

    def _finish(
        self,
        end: LinkEnd,
        name: str = "",
        method: AuthMethod | None = None,
        message: str = "",
        error: int = 0,
    ) -> None:
        """The Link is to end; the first reason stands."""
        if self._end is None:
            self._end = LinkEnded(end, name, method, error)
            self._reason = (message if end is LinkEnd.LOCAL else end.value).encode()

    def _conclude(self, end: LinkEnded) -> None:
        """Terminate LCP, and tell once it is down."""
        terminating = self.phase is Phase.TERMINATE
        self._enter(Phase.TERMINATE)
        self._established_by = self._listen_until = None
        if self._hung_up:
            self._lcp.down(self._now)
        elif not terminating:
            self._lcp.close(self._now, self._reason)
        if self._lcp.state in _FINISHED:
            self._enter(Phase.DEAD)
            if not self._ended:
                self._events.append(end)
            self._ended = True

    # Handing over.

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON can carry it; `version` says how to read it.

        Times are those of the clock that `now` comes from. The configuration is not in it,
        the MPPE keys are.
        """
        end = self._end
        state = {
            "phase": self.phase.value,
            "tokens": self._tokens.last,
            "end": end and (end.end.name, end.name, end.method and end.method.value, end.error),
            "lcp": self._lcp.snapshot(),
            "encryption": self._encryption.snapshot(),
            "network": self._network.snapshot(),
            "auth": self._auth and self._auth.snapshot(),
            **{name: getattr(self, name) for name in self._FIELDS},
        }
        return {"version": self.VERSION, **freeze(state)}

    @classmethod
    def restore(
        cls, snapshot: Mapping[str, Any], config: LinkConfig, *, rng: Callable[[int], bytes]
    ) -> Link:
        """A Link that goes on where `snapshot` was taken, with the same configuration."""
        if snapshot["version"] != cls.VERSION:
            raise LocalProtocolError(f"a Link snapshot of version {snapshot['version']}")
        self = cls(config, rng=rng, now=0.0)
        snapshot = thaw(snapshot)
        self.phase = Phase(snapshot["phase"])
        self._tokens.last = snapshot["tokens"]
        if snapshot["end"]:
            end, name, method, error = snapshot["end"]
            self._end = LinkEnded(LinkEnd[end], name, method and AuthMethod(method), error)
        for part in ("lcp", "encryption", "network"):
            getattr(self, f"_{part}").restore(snapshot[part])
        for field in self._FIELDS:
            setattr(self, field, snapshot[field])
        if snapshot["auth"]:
            self._auth = restore_auth(
                snapshot["auth"],
                rng=rng,
                tokens=self._tokens,
                password=config.password,
                retry_passwords=config.retry_passwords,
                new_password=config.new_password,
            )
        return self


def _is_due(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline
