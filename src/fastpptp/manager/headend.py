"""The headend's Session: logins, leases, and the log's words for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, ClassVar

from fastpptp.aaa import Identity
from fastpptp.addresses.grant import AddressGrant
from fastpptp.effects import (
    Announce,
    Authenticate,
    Effect,
    Emit,
    Lease,
    Logout,
    MoveCall,
    Release,
)
from fastpptp.errors import LocalProtocolError
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.causes import Of
from fastpptp.manager.accounting import Departure
from fastpptp.manager.debugging import Debugging, Ears
from fastpptp.manager.decoding import Told, frame_decoded, link_stepped
from fastpptp.manager.diagnosis import Diagnosis
from fastpptp.manager.faults import Fault, Faults
from fastpptp.manager.requests import Requests, link_token_of
from fastpptp.manager.translate import address_answer, destinations, mppe_policy, user_policy
from fastpptp.manager.workers import Workers
from fastpptp.ports import CallPolicy
from fastpptp.ppp.auth.types import Accept, AuthMethod, AuthResult, Reject
from fastpptp.ppp.config import LinkConfig
from fastpptp.ppp.events import (
    AddressRequest,
    Authenticated,
    AuthRequest,
    AutomatonStep,
    EncryptionUp,
    FrameTrace,
    InTheClear,
    IpUp,
    Ipv6Up,
    LcpClosed,
    LinkEnd,
    LinkEnded,
    PeerIdentified,
    PhaseChange,
    ProbeAnswered,
    ProtocolRejected,
    RequestJudged,
    TokenVoid,
)
from fastpptp.ppp.frames import Protocol
from fastpptp.pptp import Call
from fastpptp.session import Cause, Session, SessionState, SessionView
from fastpptp.session.plain import plain
from fastpptp.session.view import Encryption
from fastpptp.settings.resolve import Effective

_PROTOCOLS = frozenset(Protocol)

# Ends that have no event of their own, or one with fields of its own.
_SELF_EVIDENT = frozenset(
    {
        LinkEnd.LOCAL,
        LinkEnd.PEER_TERMINATED,
        LinkEnd.LOWER_LAYER_DOWN,
        LinkEnd.AUTHENTICATION_FAILED,
    }
)

# The event that names the end, for those whose only field is the user.
_END_EVENTS: Mapping[LinkEnd, int] = MappingProxyType(
    {
        LinkEnd.AUTHENTICATION_NOT_ALLOWED: 12,
        LinkEnd.NO_COMMON_AUTHENTICATION: 12,
        LinkEnd.ENCRYPTION_REQUIRED: 6,
        LinkEnd.PEER_SILENT: 102,
        LinkEnd.LOOPBACK: 103,
    }
)


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Who asks for an address when nobody had to say who they are (addresses' Claimant)."""

    effective: Effective
    user: str = ""
    address: IPv4Address | None = None


class HeadendSession(Session):
    """A session that lets a peer in. `peer` and `local` are the control connection's addresses."""

    __slots__ = (
        "_failures",
        "_frame",
        "_last_encryption",
        "_last_ip",
        "_no_address",
        "_workers",
        "account",
        "client_type",
        "connection",
        "debugging",
        "diagnosis",
        "ears",
        "effective",
        "grant",
        "group",
        "handshaking",
        "identity",
        "local",
        "login_at",
        "login_failure",
        "peer",
        "requests",
        "worker",
    )

    _HANDLERS: ClassVar[Mapping[type, str]] = MappingProxyType(
        {
            **Session._HANDLERS,
            AuthRequest: "_auth_request",
            AddressRequest: "_address_request",
            TokenVoid: "_token_void",
            PeerIdentified: "_peer_identified",
            InTheClear: "_in_the_clear",
            ProtocolRejected: "_protocol_rejected",
            ProbeAnswered: "_probe_answered",
            FrameTrace: "_frame_trace",
            PhaseChange: "_link_stepped",
            AutomatonStep: "_link_stepped",
            RequestJudged: "_link_stepped",
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
        connection: int,
        local: IPv4Address,
        peer: IPv4Address,
        base: Effective,
        rng: Callable[[int], bytes],
        now: float,
        workers: Workers,
        failures: Counter[str],
        debugging: Debugging,
        faults: Faults,
        identity: Identity | None = None,
        grant: AddressGrant | None = None,
        client_type: str = "",
    ) -> None:
        super().__init__(session_id, handle, call, link_config, policy, rng=rng, now=now)
        self.connection = connection
        self.local = local
        self.peer = peer
        # A restored session brings its claim and its lease.
        self.effective = identity.effective if identity else base
        self.identity = identity
        self.grant = grant
        self.client_type = client_type
        self._workers = workers
        self.worker = self._workers.begin(handle & 0xFFFF)
        self.group: str | None = None
        self.login_at: float | None = None
        # Who logged in first; a renegotiated link may not become somebody else.
        self.account: str | None = None
        # Why its last login failed.
        self.login_failure: Cause | None = None
        self.handshaking = True
        # What it last had, for when it has ended.
        self._last_ip: IpUp | None = None
        self._last_encryption: Encryption | None = None
        # Whether no method of address assignment had an address.
        self._no_address = False
        # The frame that is being received.
        self._frame = b""
        self._failures = failures
        self.debugging = debugging
        self.ears = self.listen()
        self.requests = Requests(session_id)
        self.diagnosis = Diagnosis(self, faults)

    def listen(self) -> Ears:
        """Make those debug and decode events that somebody wants to hear now, and no others."""
        self.ears = heard = self.debugging.ears(self.peer, self.user)
        self.link.trace = heard.hears("PPPDECODE", "AUTHDECODE")
        self.link.debug = heard.hears("PPPDBG")
        return heard

    def frame_received(self, frame: bytes, now: float) -> list[Effect]:
        self._frame = frame
        effects = super().frame_received(frame, now)
        self._frame = b""
        return effects

    def complete(self, token: int, result: object, now: float) -> list[Effect]:
        """The answer to a pending token: an AuthResult, or an AddressGrant or None."""
        link_token = link_token_of(token)
        if self.requests.take(token) == "auth":
            if not isinstance(result, AuthResult):
                raise LocalProtocolError(f"not an AuthResult: {type(result).__name__}")
            return self._complete_auth(link_token, result, now)
        if not isinstance(result, AddressGrant | None):
            raise LocalProtocolError(f"not an AddressGrant: {type(result).__name__}")
        return self._complete_address(link_token, result, now)

    def give_back(self) -> list[Effect]:
        """The login claim and the lease, for good; requests that are out are given up."""
        self.requests.give_up_all()
        return self._release()

    @property
    def connect_deadline(self) -> float | None:
        """When Maximum Connect Time is over."""
        minutes = self.effective.maximum_connect_time
        if self.login_at is None or not minutes or self.state is SessionState.CLOSING:
            return None
        return self.login_at + 60 * minutes

    @property
    def hours_deadline(self) -> float | None:
        """When the Access Hours end in which the user logged in."""
        if self.identity is None or self.state is SessionState.CLOSING:
            return None
        return self.identity.until

    def follow(self, effective: Effective) -> list[Effect]:
        """The configuration has changed: take over what holds at once."""
        self.effective = replace(self.effective, filter=effective.filter)
        self._change_policy(filter=effective.filter)
        return self._tell_policy()

    def departure(self, now: float) -> Departure:
        """What accounting needs once this session is gone."""
        return Departure(
            view=replace(
                self.view(),
                assigned=self._last_ip.peer if self._last_ip else None,
                server_address=self._last_ip.local if self._last_ip else None,
                encryption=self._last_encryption,
            ),
            ended_at=now,
            cause=self.why,
        )

    def closed(self) -> Occurrence:
        """PPTP/35."""
        return occur(
            "PPTP",
            35,
            peer=self.peer,
            peer_call_id=self.call.peer_call_id,
            local_call_id=self.handle & 0xFFFF,
            serial=self.call.serial,
            reason=self.why.text,
            info=self.why.addition,
            user=self.user,
            code=self.why,
        )

    def view(self) -> SessionView:
        spec = self.spec
        return SessionView(
            id=self.id,
            handle=self.handle,
            state=self.state,
            user=self.user,
            account=self.account,
            group=self.group,
            peer=self.peer,
            client_type=self.client_type,
            local=self.local,
            assigned=self.ip.peer if self.ip else None,
            server_address=self.ip.local if self.ip else None,
            prefix=self.policy.peer_prefix,
            assigned_by=self.grant.method if self.grant else "",
            networks=self.grant.networks if self.grant else (),
            method=self.method,
            encryption=self.encryption,
            started_at=self.started_at,
            login_at=self.login_at,
            local_call_id=self.handle & 0xFFFF,
            peer_call_id=self.call.peer_call_id,
            serial=self.call.serial,
            local_window=spec.receive_window if spec else 0,
            peer_window=spec.peer_window if spec else 0,
            local_delay=self.call.processing_delay,
            peer_delay=self.call.peer_processing_delay,
            connection=self.connection,
            filter=self.policy.filter,
            worker=self.worker + 1,
            minimum_speed=self.call.minimum_bps,
            maximum_speed=self.call.maximum_bps,
            connect_speed=self.call.connect_speed,
            bearer_type=self.call.bearer_type,
            framing_type=self.call.framing_type,
            physical_channel=self.call.physical_channel,
        )

    # Snapshots.

    def snapshot(self) -> dict[str, Any]:
        """As Session's. The claim and the lease are their givers' objects: `logged_in`, `account`
        and `grant` say what they were, `restore(..., identity=, grant=)` brings them anew.
        """
        return {
            **super().snapshot(),
            "account": self.account,
            "client_type": self.client_type,
            "worker": self.worker,
            "logged_in": self.identity is not None,
            "group": self.group,
            "login_at": self.login_at,
            "grant": plain(self.grant),
            "login_failure": self.login_failure.name if self.login_failure else None,
            "handshaking": self.handshaking,
            **self.requests.snapshot(),
            **self.diagnosis.snapshot(),
        }

    def load(
        self,
        snapshot: Mapping[str, Any],
        link_config: LinkConfig,
        rng: Callable[[int], bytes],
    ) -> None:
        super().load(snapshot, link_config, rng)
        self._last_ip, self._last_encryption = self.ip, self.encryption
        self.account = snapshot["account"]
        self.client_type = snapshot["client_type"]
        self.worker = self._workers.assign(self.worker, {snapshot["worker"] + 1})
        self.group = snapshot["group"]
        self.login_at = snapshot["login_at"]
        failure = snapshot["login_failure"]
        self.login_failure = Cause[failure] if failure else None
        self.handshaking = snapshot["handshaking"]
        self.requests.load(snapshot)
        self.diagnosis.load(snapshot)

    # Answers.

    def _complete_auth(self, link_token: int, result: AuthResult, now: float) -> list[Effect]:
        effects: list[Effect] = []
        identity = result.identity if isinstance(result, Accept) else None
        if isinstance(identity, Identity):
            if self.account in (None, identity.user):
                effects += self._adopt(identity)
            else:
                effects += [Logout(identity), self._tell_another(identity)]
                result = Reject(cause=Cause.ANOTHER_USER)
        if isinstance(result, Reject) and isinstance(result.cause, Cause):
            self._login_failed(result.cause)
        return effects + self._apply(self.link.complete_auth(link_token, result, now), now)

    def _tell_another(self, identity: Identity) -> Emit:
        words = {"user": identity.name, "account": self.account}
        return self.tell("AUTH", 103, **words, code=Cause.ANOTHER_USER)

    def _login_failed(self, cause: Cause) -> None:
        self.login_failure = cause
        self._failures[cause.code] += 1

    def _adopt(self, identity: Identity) -> list[Effect]:
        """Make the Link and the call obey what holds for this user, before Success goes out."""
        self.login_failure = None
        self.identity = identity
        self.account = identity.user
        self.group = identity.group
        self.effective = identity.effective
        self.link.set_mppe_policy(mppe_policy(identity.effective))
        self.policy = user_policy(self.policy, identity.effective)
        return [*self._place(), *self._tell_policy()]

    def _place(self) -> list[Effect]:
        """Have the call carried by a worker that SEP Card Assignment allows."""
        worker = self._workers.assign(self.worker, self.effective.sep_card_assignment)
        if worker == self.worker:
            return []
        self.worker = worker
        return [MoveCall(self.handle, worker)]

    def _complete_address(
        self, link_token: int, grant: AddressGrant | None, now: float
    ) -> list[Effect]:
        if grant is None:
            self._no_address = True
            return self._apply(self.link.complete_address(link_token, None, now), now)
        self.grant = grant
        self._change_policy(peer_prefix=grant.prefix, routes=destinations(grant.networks))
        answer = address_answer(grant)
        return self._apply(self.link.complete_address(link_token, answer, now), now)

    def _release(self) -> list[Effect]:
        effects: list[Effect] = []
        if self.grant is not None:
            told = self.tell("ADDRESS", 102, address=self.grant.address)
            effects += [Release(self.grant), told]
            self.grant = None
        if self.identity is not None:
            effects.append(Logout(self.identity))
            self.identity = None
        return effects

    # The Link's events.

    def _auth_request(self, event: AuthRequest) -> list[Effect]:
        token = self.requests.open(event.token, "auth")
        self.user = event.name
        traced = self.link.trace
        wanted = self.listen().wanted["AUTHDBG"]
        said: list[Effect] = []
        if self.link.trace and not traced:  # the frame that says who it is
            said += frame_decoded(self.about("rcvd "), FrameTrace(False, self._frame))
        return [
            *said,
            Authenticate(
                token, self.id, self.peer, event.method, event.name, event.credential, wanted
            ),
        ]

    def _address_request(self, event: AddressRequest) -> list[Effect]:
        token = self.requests.open(event.token, "address")
        claimant = self.identity or Anonymous(self.effective)
        return [*self._place(), Lease(token, self.id, claimant, event.requested, self.peer)]

    def _token_void(self, event: TokenVoid) -> list[Effect]:
        self.requests.give_up(event.token)
        return []

    def _authenticated(self, event: Authenticated) -> list[Effect]:
        effects = super()._authenticated(event)
        if event.method is not None:
            effects.append(self.tell("PPP", 8, method=event.method.value))
        if self.login_at is None:
            self.login_at = self._now
            effects.append(self.tell("AUTH", 22, group=self.group))
        return effects

    def _lcp_closed(self, event: LcpClosed) -> list[Effect]:
        return [*super()._lcp_closed(event), *self._release()]

    def _encryption_up(self, event: EncryptionUp) -> list[Effect]:
        effects = super()._encryption_up(event)
        self._last_encryption = self.encryption
        mode = "stateless" if self.encryption and self.encryption.stateless else "stateful"
        effects.append(self.tell("PPP", 112, bits=event.bits, mode=mode))
        if self.method is AuthMethod.MSCHAP_V1:
            effects.append(self.tell("PPP", 111))
        return effects

    def _ip_up(self, event: IpUp) -> list[Effect]:
        self._last_ip = event
        up = self.tell("PPP", 120, address=event.peer, server=event.local)
        return [*super()._ip_up(event), up, *self._announce(event.peer)]

    def _ipv6_up(self, event: Ipv6Up) -> list[Effect]:
        up = self.tell("PPP", 121, prefix=self.policy.peer_prefix or "none")
        effects = [*super()._ipv6_up(event), up]
        if (prefix := self.policy.peer_prefix) is not None:
            effects += self._announce(prefix[int.from_bytes(event.peer_identifier, "big")])
        return effects

    def _announce(self, address: IPv4Address | IPv6Address) -> list[Effect]:
        return [] if self.grant is None else [Announce(self.grant, address)]

    def _peer_identified(self, event: PeerIdentified) -> list[Effect]:
        return [self.tell("PPP", 114, text=event.text)]

    # Faults of the field.

    def echo(self, size: int, now: float) -> list[Effect]:
        """Ask the peer for an answer of that size."""
        return self._apply(self.link.probe(size, now), now)

    def _probe_answered(self, event: ProbeAnswered) -> list[Effect]:
        return self.diagnosis.answered(event.size, self._now)

    def _in_the_clear(self, event: InTheClear) -> list[Effect]:
        return self.diagnosis.tell(Fault.IN_THE_CLEAR, self._now, reason=event.reason.value)

    def _protocol_rejected(self, event: ProtocolRejected) -> list[Effect]:
        if self.encryption is None or event.protocol in _PROTOCOLS:
            return []
        return self.diagnosis.rejected()

    # Debug and decode events.

    def _frame_trace(self, event: FrameTrace) -> list[Effect]:
        return [*frame_decoded(self.about("sent " if event.sent else "rcvd "), event)]

    def _link_stepped(self, event: PhaseChange | AutomatonStep | RequestJudged) -> list[Effect]:
        return [*link_stepped(self.about(), event)]

    def about(self, direction: str = "") -> Told:
        """How a debug or decode event of this session begins."""
        where = f"[{self.user}@{self.peer} call {self.handle & 0xFFFF:#x}] {direction}"
        return Told(self.ears, self.peer, self.user, where)

    def _cause_of(self, event: LinkEnded) -> Cause:
        if event.end is LinkEnd.AUTHENTICATION_FAILED and self.login_failure is not None:
            return self.login_failure
        if event.end is LinkEnd.NO_NETWORK_PROTOCOL and self._no_address:
            return Cause.NO_ADDRESS
        return super()._cause_of(event)

    def _link_ended(self, event: LinkEnded) -> list[Effect]:
        effects = super()._link_ended(event)
        end, cause = event.end, self.why
        never = self.login_at is None and self.login_failure is None
        if never and Of.LOGIN_FAILED in cause.of:
            self._login_failed(cause)
        if end is LinkEnd.AUTHENTICATION_FAILED:
            method = event.method.value if event.method else "none"
            told = self.tell("PPP", 9, user=event.name, method=method, code=cause)
            return [*effects, told]
        if end is LinkEnd.NO_COMMON_AUTHENTICATION:
            return [*effects, self.tell("PPP", 12, user="", code=cause)]
        if end in _END_EVENTS:
            return [*effects, self.tell("PPP", _END_EVENTS[end], code=cause)]
        if end not in _SELF_EVIDENT:
            return [*effects, self.tell("PPP", 104, reason=cause.words, code=cause)]
        return effects

    def tell(self, cls: str, number: int, **fields: object) -> Emit:
        return Emit(occur(cls, number, peer=self.peer, **{"user": self.user, **fields}))
