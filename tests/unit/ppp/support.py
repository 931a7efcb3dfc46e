"""Two Links tied together, and the owner's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import md5
from ipaddress import IPv4Address
from random import Random
from typing import TypeVar

from fastpptp.ppp import AddressAnswer, Link, LinkConfig, LinkRole
from fastpptp.ppp.auth import MsChapV1Keys, MsChapV2Keys, mschap
from fastpptp.ppp.auth.types import (
    Accept,
    AuthMethod,
    AuthResult,
    ChapCredential,
    MsChapV1Credential,
    MsChapV2Credential,
    PapCredential,
    Reject,
)
from fastpptp.ppp.events import (
    AddressRequest,
    AuthRequest,
    ClearKeys,
    CloseGate,
    Direction,
    LinkEnded,
    LinkEvent,
    OpenGate,
    SendFrame,
    SetKeys,
)
from fastpptp.ppp.frames import Code, Option, Packet, Protocol, encode_frame, encode_options
from fastpptp.testing import MemoryLink

E = TypeVar("E")

PAP, CHAP = AuthMethod.PAP, AuthMethod.CHAP
V1, V2 = AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2
USER, PASSWORD = "pptpuser", "cisco123"

LOCAL, REMOTE = IPv4Address("172.16.1.1"), IPv4Address("172.16.1.10")
ANSWER = AddressAnswer(
    LOCAL, REMOTE, dns=(IPv4Address("172.16.1.2"),), nbns=(IPv4Address("172.16.1.3"),)
)

SERVER = LinkConfig(methods=(V2, V1, CHAP, PAP))
CLIENT = LinkConfig(role=LinkRole.PEER, methods=(V2, V1, CHAP, PAP), user=USER, password=PASSWORD)


def seeded(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def judge(request: AuthRequest, password: str = PASSWORD) -> AuthResult:
    """What a policy that knows one password answers."""
    credential = request.credential
    if isinstance(credential, PapCredential):
        good = credential.password == password.encode()
        return Accept(b"welcome") if good else Reject(message=b"no")
    if isinstance(credential, ChapCredential):
        secret = bytes((credential.identifier,)) + password.encode() + credential.challenge
        good = md5(secret).digest() == credential.response
        return Accept() if good else Reject()
    if isinstance(credential, MsChapV1Credential):
        wanted = mschap.challenge_response(credential.challenge, mschap.nt_password_hash(password))
        keys = MsChapV1Keys.derive(password, credential.challenge)
        return Accept(keys=keys) if credential.nt_response == wanted else Reject()
    assert isinstance(credential, MsChapV2Credential)
    name = request.name.encode()
    challenges = (credential.authenticator_challenge, credential.peer_challenge)
    response = mschap.generate_nt_response(*challenges, name, password)
    if response != credential.nt_response:
        return Reject()
    proof = mschap.generate_authenticator_response(
        password, response, challenges[1], challenges[0], name
    )
    return Accept(proof, MsChapV2Keys.derive(password, response, is_server=True))


def frames(events: Iterable[LinkEvent]) -> list[bytes]:
    return [event.frame for event in events if isinstance(event, SendFrame)]


def packets(events: Iterable[LinkEvent], protocol: int) -> list[Packet]:
    """The control packets of this protocol among the frames sent."""
    head = protocol.to_bytes(2, "big")
    return [
        Packet(f[2], f[3], f[6 : 2 + int.from_bytes(f[4:6], "big")])
        for f in frames(events)
        if f.startswith(head)
    ]


def kinds(events: Iterable[LinkEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def last(events: Iterable[LinkEvent], kind: type[E]) -> E | None:
    return next((e for e in reversed(list(events)) if isinstance(e, kind)), None)


def frame(protocol: int, code: int, identifier: int, data: bytes = b"") -> bytes:
    return encode_frame(protocol, Packet(code, identifier, data).encode())


def configure(protocol: int, code: int, identifier: int, *options: Option) -> bytes:
    return frame(protocol, code, identifier, encode_options(options))


class Dataplane:
    """Holds a Link to the order of its events: keys before gates, none of either left behind."""

    def __init__(self) -> None:
        self.keys: dict[Direction, SetKeys] = {}
        self.gates: set[int] = set()

    def take(self, event: LinkEvent) -> None:
        if isinstance(event, SetKeys):
            self.keys[event.direction] = event
        elif isinstance(event, ClearKeys):
            assert self.keys
            assert not self.gates
            self.keys.clear()
        elif isinstance(event, OpenGate):
            assert event.version not in self.gates
            assert len(self.keys) in (0, 2)
            self.gates.add(event.version)
        elif isinstance(event, CloseGate):
            self.gates.remove(event.version)
        elif isinstance(event, LinkEnded):
            assert not self.gates
            assert not self.keys


class Side:
    """A Link, its owner, and the direction away from it."""

    def __init__(self, link: Link, wire: MemoryLink[bytes]) -> None:
        self.link = link
        self.wire = wire
        self.events: list[LinkEvent] = []
        self.dataplane = Dataplane()
        self.address: AddressAnswer | None = ANSWER
        self.judge: Callable[[AuthRequest], AuthResult] = judge
        self.mute = False

    def take(self, events: Iterable[LinkEvent], now: float) -> None:
        for event in events:
            assert last(self.events, LinkEnded) is None, "nothing follows LinkEnded"
            self.events.append(event)
            self.dataplane.take(event)
            if isinstance(event, SendFrame):
                self.wire.send(event.frame, now)
        if self.mute:
            return
        for event in list(events):
            if isinstance(event, AuthRequest):
                answer = self.judge(event)
                self.take(self.link.complete_auth(event.token, answer, now), now)
            elif isinstance(event, AddressRequest):
                self.take(self.link.complete_address(event.token, self.address, now), now)

    @property
    def is_up(self) -> bool:
        return 4 in self.dataplane.gates

    def last(self, kind: type[E]) -> E | None:
        return last(self.events, kind)


class Pair:
    """An authenticator and a peer, with loss and reordering between them as the seed has it."""

    def __init__(
        self,
        server: LinkConfig = SERVER,
        client: LinkConfig = CLIENT,
        *,
        seed: int = 1,
        loss: float = 0.0,
        jitter: float = 0.0,
        duplicate: float = 0.0,
    ) -> None:
        self.now = 100.0
        wires = [
            MemoryLink[bytes](seed + n, loss=loss, jitter=jitter, delay=0.01, duplicate=duplicate)
            for n in range(2)
        ]
        self.server = Side(Link(server, rng=seeded(seed), now=self.now), wires[0])
        self.client = Side(Link(client, rng=seeded(seed + 50), now=self.now), wires[1])
        self.sides = (self.server, self.client)

    def open(self) -> Pair:
        for side in self.sides:
            side.take(side.link.open(self.now), self.now)
        return self

    def run(self, seconds: float = 120.0, until: Callable[[], bool] | None = None) -> Pair:
        """Let time pass from event to event, until nothing is due or the time is up."""
        end = self.now + seconds
        while until is None or not until():
            due = [s.wire.get_timer() for s in self.sides] + [
                s.link.get_timer() for s in self.sides
            ]
            moment = min((t for t in due if t is not None), default=None)
            if moment is None or moment > end:
                break
            self.now = max(self.now, moment)
            self.step()
        return self

    def step(self) -> None:
        now = self.now
        for here, there in (self.sides, self.sides[::-1]):
            for item in list(here.wire.receive(now)):
                there.take(there.link.receive_frame(item, now), now)
            timer = here.link.get_timer()
            if timer is not None and timer <= now:
                here.take(here.link.handle_timer(now), now)
                again = here.link.get_timer()
                assert again is None or again > now, "a timer that stays due"

    def until_up(self) -> Pair:
        return self.run(until=lambda: all(side.is_up for side in self.sides))


def mppe(config: LinkConfig, **changes: object) -> LinkConfig:
    return replace(config, mppe=replace(config.mppe, **changes))


def answer(protocol: int, events: Iterable[LinkEvent], code: int = Code.CONFIGURE_ACK) -> bytes:
    """The answer to the last Configure-Request among `events`, its options unchanged."""
    request = [p for p in packets(events, protocol) if p.code == Code.CONFIGURE_REQUEST][-1]
    return frame(protocol, code, request.identifier, request.data)


def open_lcp(link: Link, now: float, *options: Option) -> list[LinkEvent]:
    """Open LCP as a peer that asks for `options`."""
    events = link.open(now)
    events += link.receive_frame(answer(Protocol.LCP, events), now)
    request = configure(Protocol.LCP, Code.CONFIGURE_REQUEST, 1, *options)
    return events + link.receive_frame(request, now)


def anonymous(now: float = 0.0, **changes: object) -> tuple[Link, list[LinkEvent]]:
    """A Link in the Network phase where nobody authenticated, with what it told at that."""
    link = Link(replace(SERVER, methods=(), **changes), rng=seeded(3), now=now)
    return link, open_lcp(link, now)


def open_ipcp(link: Link, now: float) -> list[LinkEvent]:
    """Bring IPCP up as a peer that asks for what it will be given."""
    option = Option(3, REMOTE.packed)
    request = configure(Protocol.IPCP, Code.CONFIGURE_REQUEST, 1, option)
    events = link.receive_frame(request, now)
    asked = last(events, AddressRequest)
    assert asked is not None
    events = link.complete_address(asked.token, ANSWER, now)
    return events + link.receive_frame(answer(Protocol.IPCP, events), now)


class Keys:
    """A KeySource whose keys say what they are for."""

    def allows(self, bits: int) -> bool:
        return bits in (40, 56, 128)

    def start_keys(self, bits: int) -> tuple[bytes, bytes]:
        size = 16 if bits == 128 else 8
        return b"S" * size, b"R" * size


def keyed(now: float = 0.0, **policy: object) -> tuple[Link, list[LinkEvent]]:
    """A Link in the Network phase whose peer authenticated by MS-CHAPv2, and what it told then."""
    link = Link(mppe(replace(SERVER, methods=(V2,)), **policy), rng=seeded(3), now=now)
    events = open_lcp(link, now)
    challenge = packets(events, Protocol.CHAP)[0]
    response = bytes((49,)) + bytes(49) + b"user"
    events = link.receive_frame(frame(Protocol.CHAP, 2, challenge.identifier, response), now)
    request = last(events, AuthRequest)
    assert request is not None
    return link, link.complete_auth(request.token, Accept(b"S=0", Keys()), now)


def mppe_option(value: int) -> Option:
    return Option(18, value.to_bytes(4, "big"))
