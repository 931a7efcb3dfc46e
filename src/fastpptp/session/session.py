"""A Session: a Call, its Link, and the life of a Call-ID in the dataplane (its handle).

The Session turns what the Link says into effects, one to one and in order, and keeps the
call's policy. It serves both ends: the headend's adds logins and leases (manager/headend.py),
the dialling client drives it as it is, beside its ControlConnection:

    session = Session(1, handle, call, link_config, CallPolicy(), rng=rng, now=now)
    session.attach(spec)         when the call is connected: opens it in the dataplane
    session.start(now)           LCP starts; then frame_received(), handle_timer()
    session.terminate(cause, now), session.carrier_lost(cause, now), session.detach()

All of these return effects. When `ended` turns true the owner ends the call and detaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from fastpptp.effects import (
    ArmKeys,
    CloseCall,
    ControlDone,
    DropKeys,
    Effect,
    Gate,
    Inject,
    OpenCall,
    OwnLcp,
    SetPolicy,
)
from fastpptp.errors import LocalProtocolError
from fastpptp.events.causes import Cause
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig
from fastpptp.ppp.events import (
    Authenticated,
    ClearKeys,
    CloseGate,
    EncryptionUp,
    IpDown,
    IpUp,
    Ipv6Down,
    Ipv6Up,
    LcpClosed,
    LcpOpened,
    LinkEnded,
    LinkEvent,
    OpenGate,
    SendFrame,
    SetKeys,
)
from fastpptp.ppp.link import Link
from fastpptp.pptp import Call
from fastpptp.session.cause import CAUSE_OF_END, OWNERS
from fastpptp.session.plain import plain, revive
from fastpptp.session.view import Encryption, SessionState


class Session:
    """One session. See the module's docstring for its life."""

    __slots__ = (
        "_gates",
        "_mru",
        "_now",
        "_told",
        "attached",
        "call",
        "cause",
        "encryption",
        "end",
        "handle",
        "id",
        "ip",
        "link",
        "method",
        "policy",
        "spec",
        "started_at",
        "state",
        "user",
    )

    VERSION: ClassVar[int] = 1

    # The method that carries out each event of the Link.
    _HANDLERS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            SendFrame: "_send_frame",
            LcpOpened: "_lcp_opened",
            LcpClosed: "_lcp_closed",
            Authenticated: "_authenticated",
            SetKeys: "_set_keys",
            ClearKeys: "_clear_keys",
            EncryptionUp: "_encryption_up",
            OpenGate: "_open_gate",
            CloseGate: "_close_gate",
            IpUp: "_ip_up",
            IpDown: "_ip_down",
            Ipv6Up: "_ipv6_up",
            Ipv6Down: "_ipv6_down",
            LinkEnded: "_link_ended",
        }
    )

    def __init__(
        self,
        session_id: int,
        handle: int,
        call: Call,
        link_config: LinkConfig,
        policy: CallPolicy,
        *,
        rng: Callable[[int], bytes],
        now: float,
    ) -> None:
        self.id = session_id
        self.handle = handle
        self.call = call
        self.link = Link(link_config, rng=rng, now=now)
        self.policy = policy
        self.started_at = now
        self._now = now
        self.state = SessionState.CONNECTING
        self.cause: Cause | None = None
        self.end: LinkEnded | None = None
        self.spec: CallSpec | None = None
        self.method: AuthMethod | None = None
        self.user = ""
        self.encryption: Encryption | None = None
        self.ip: IpUp | None = None
        self._gates: tuple[int, ...] = ()
        self.attached = False
        # The largest frame we would send whatever the peer takes.
        self._mru = policy.mru
        self._told: CallPolicy | None = None

    @property
    def ended(self) -> bool:
        """Whether the Link is dead."""
        return self.end is not None

    @property
    def gates(self) -> frozenset[int]:
        """The IP versions whose data may pass."""
        return frozenset(self._gates)

    @property
    def why(self) -> Cause:
        """Why it ended; LocalProtocolError while it has not."""
        if self.cause is None:
            raise LocalProtocolError("the session has not ended")
        return self.cause

    # The owner's calls.

    def attach(self, spec: CallSpec) -> list[Effect]:
        """The call is connected: open it in the dataplane, gates closed."""
        if self.spec is not None:
            raise LocalProtocolError("the session is attached already")
        self.spec = spec
        self.attached = True
        return [OpenCall(self.handle, spec), *self._tell_policy()]

    def start(self, now: float) -> list[Effect]:
        """The lower layer is up."""
        self.state = SessionState.ESTABLISHING
        return self._apply(self.link.open(now), now)

    def frame_received(self, frame: bytes, now: float) -> list[Effect]:
        """A punted control frame, two-octet protocol first."""
        return [*self._apply(self.link.receive_frame(frame, now), now), ControlDone(self.handle)]

    def handle_timer(self, now: float) -> list[Effect]:
        return self._apply(self.link.handle_timer(now), now)

    def get_timer(self) -> float | None:
        return None if self.ended else self.link.get_timer()

    def renegotiate_ccp(self, now: float) -> list[Effect]:
        """MPPE cannot be brought back in step: new keys."""
        return self._apply(self.link.renegotiate_ccp(now), now)

    def terminate(self, cause: Cause, now: float) -> list[Effect]:
        """End it in order: LCP Terminate-Request, which tells the cause, then `ended`.

        The first cause stands.
        """
        if self.ended:
            return []
        self.cause = self.cause or cause
        self.state = SessionState.CLOSING
        return self._apply(self.link.close(now, cause.text), now)

    def carrier_lost(self, cause: Cause, now: float) -> list[Effect]:
        """The call is gone: the Link ends at once. The first cause stands."""
        if self.ended:
            return []
        self.cause = self.cause or cause
        return self._apply(self.link.lower_down(now), now)

    def detach(self) -> list[Effect]:
        """Close the call in the dataplane; the handle is dead from here on."""
        if not self.attached:
            return []
        self.attached = False
        return [CloseCall(self.handle)]

    # The Link's events.

    def _apply(self, events: Sequence[LinkEvent], now: float) -> list[Effect]:
        self._now = now
        effects: list[Effect] = []
        for place, event in enumerate(events):
            if isinstance(event, OpenGate):
                self._learn(events[place:])
            name = self._HANDLERS.get(type(event))
            if name is not None:
                effects += getattr(self, name)(event)
        return effects + self._tell_policy()

    def _learn(self, events: Sequence[LinkEvent]) -> None:
        """Put into the policy what a gate needs, which the Link may say right after it."""
        for event in events:
            if isinstance(event, IpUp):
                self._change_policy(peer_address=event.peer)
            elif isinstance(event, Ipv6Up):
                self._know_interfaces(event)

    def _know_interfaces(self, event: Ipv6Up) -> None:
        """Both ends' identifiers: whom to route to, and whom advertisements come from."""
        self._change_policy(
            peer_identifier=event.peer_identifier, local_identifier=event.local_identifier
        )

    def _change_policy(self, **changes: Any) -> None:
        changed = replace(self.policy, **changes)
        if changed != self.policy:  # else one object serves as what holds and what was told
            self.policy = changed

    def _tell_policy(self) -> list[Effect]:
        """SetPolicy, if the dataplane does not have this policy yet."""
        if not self.attached or self.policy == self._told:
            return []
        self._told = self.policy
        return [SetPolicy(self.handle, self.policy)]

    def _send_frame(self, event: SendFrame) -> list[Effect]:
        return [Inject(self.handle, event.frame)]

    def _lcp_opened(self, event: LcpOpened) -> list[Effect]:
        self._change_policy(
            mru=min(event.peer_mru, self._mru),
            local_magic=event.local_magic,
            protocol_compression=event.protocol_compression,
            address_compression=event.address_compression,
        )
        return [*self._tell_policy(), OwnLcp(self.handle, True)]

    def _lcp_closed(self, event: LcpClosed) -> list[Effect]:
        """Gates, keys and the address are void until the Link is up again."""
        effects: list[Effect] = []
        for version in self._gates:
            effects += self._close_gate(CloseGate(version))
        if self.encryption is not None:
            effects += self._clear_keys(ClearKeys())
        effects.append(OwnLcp(self.handle, False))
        self.ip = None
        self._change_policy(
            peer_address=None,
            peer_prefix=None,
            peer_identifier=b"",
            local_identifier=b"",
            routes=(),
        )
        if self.state is not SessionState.CLOSING:
            self.state = SessionState.ESTABLISHING
        return [*effects, *self._tell_policy()]

    def _authenticated(self, event: Authenticated) -> list[Effect]:
        self.method = event.method
        self.user = event.name
        self.state = SessionState.AUTHENTICATED
        return []

    def _set_keys(self, event: SetKeys) -> list[Effect]:
        arm = ArmKeys(self.handle, event.direction, event.start_key, event.bits, event.stateless)
        return [arm]

    def _clear_keys(self, event: ClearKeys) -> list[Effect]:
        self.encryption = None
        return [DropKeys(self.handle)]

    def _encryption_up(self, event: EncryptionUp) -> list[Effect]:
        self.encryption = Encryption(event.bits, event.receive_stateless, event.send_stateless)
        return []

    def _open_gate(self, event: OpenGate) -> list[Effect]:
        self._gates = tuple(sorted({*self._gates, event.version}))
        return [*self._tell_policy(), Gate(self.handle, event.version, True)]

    def _close_gate(self, event: CloseGate) -> list[Effect]:
        self._gates = tuple(version for version in self._gates if version != event.version)
        return [Gate(self.handle, event.version, False)]

    def _ip_up(self, event: IpUp) -> list[Effect]:
        self.ip = event
        self.state = SessionState.UP
        self._change_policy(peer_address=event.peer)
        return []

    def _ip_down(self, event: IpDown) -> list[Effect]:
        self.ip = None
        return []

    def _ipv6_up(self, event: Ipv6Up) -> list[Effect]:
        self.state = SessionState.UP
        self._know_interfaces(event)
        return []

    def _ipv6_down(self, event: Ipv6Down) -> list[Effect]:
        return []

    def _link_ended(self, event: LinkEnded) -> list[Effect]:
        self.end = event
        # What the Link itself ended for stands before what its owner saw of it, such as the
        # call that the peer cleared upon its Terminate-Request.
        if event.end not in OWNERS:
            self.cause = self._cause_of(event)
        self.state = SessionState.ENDED
        return []

    def _cause_of(self, event: LinkEnded) -> Cause:
        return CAUSE_OF_END[event.end]

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        """The state as plain data (numbers, text, octets, lists); `version` says how to read it.

        Not in it: the Call, which is in its ControlConnection's, and the Link's configuration.
        """
        return {
            "version": self.VERSION,
            "id": self.id,
            "handle": self.handle,
            "started_at": self.started_at,
            "now": self._now,
            "state": self.state.name,
            "cause": self.cause.name if self.cause else None,
            "end": plain(self.end),
            "spec": plain(self.spec),
            "policy": plain(self.policy),
            "told": plain(self._told),
            "mru": self._mru,
            "method": self.method.name if self.method else None,
            "user": self.user,
            "encryption": plain(self.encryption),
            "ip": plain(self.ip),
            "gates": list(self._gates),
            "attached": self.attached,
            "link": self.link.snapshot(),
        }

    def load(
        self,
        snapshot: Mapping[str, Any],
        link_config: LinkConfig,
        rng: Callable[[int], bytes],
    ) -> None:
        """Go on where `snapshot` was taken; times are those of the clock that `now` comes from.

        LocalProtocolError: the snapshot is of another version.
        """
        if snapshot.get("version") != self.VERSION:
            raise LocalProtocolError(
                f"Session snapshot of version {snapshot.get('version')}, not {self.VERSION}"
            )
        cause, method = snapshot["cause"], snapshot["method"]
        self.started_at = snapshot["started_at"]
        self._now = snapshot["now"]
        self.state = SessionState[snapshot["state"]]
        self.cause = Cause[cause] if cause else None
        self.end = revive(LinkEnded, snapshot["end"])
        self.spec = revive(CallSpec, snapshot["spec"])
        self._told = revive(CallPolicy, snapshot["told"])
        self._mru = snapshot["mru"]
        self.method = AuthMethod[method] if method else None
        self.user = snapshot["user"]
        self.encryption = revive(Encryption, snapshot["encryption"])
        self.ip = revive(IpUp, snapshot["ip"])
        self._gates = tuple(snapshot["gates"])
        self.attached = snapshot["attached"]
        self.link = Link.restore(snapshot["link"], link_config, rng=rng)

    @classmethod
    def restore(
        cls,
        snapshot: Mapping[str, Any],
        call: Call,
        link_config: LinkConfig,
        *,
        rng: Callable[[int], bytes],
        **context: Any,
    ) -> Self:
        """The session that snapshot() told of, with its Call as its ControlConnection restored it.

        `context` is what the constructor of the class takes beyond that of Session.
        """
        policy = revive(CallPolicy, snapshot["policy"]) or CallPolicy()
        now = snapshot["now"]
        session = cls(
            snapshot["id"],
            snapshot["handle"],
            call,
            link_config,
            policy,
            rng=rng,
            now=now,
            **context,
        )
        session.load(snapshot, link_config, rng)
        return session
