"""A whole headend in memory: real policy, authentication and leases, scripted clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import IPv4Address
from random import Random
from typing import Any

from fastpptp.manager import Limits, SessionManager, Workers
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole, MppePolicy
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry
from fastpptp.testing import LocalAnswers, ScriptedClient
from fastpptp.testing.headend import CALM, MemoryHeadend, Weather

PEER = IPv4Address("171.69.89.129")
POOL = PoolRange(IPv4Address("172.16.1.10"), IPv4Address("172.16.1.20"))
WORDS = {
    AuthMethod.PAP: "PAP",
    AuthMethod.CHAP: "CHAP",
    AuthMethod.MSCHAP_V1: "MSCHAPv1",
    AuthMethod.MSCHAP_V2: "MSCHAPv2",
}
OPEN_BOXES = ("40-bit", "56-bit", "128-bit")


def configuration(
    *,
    methods: Iterable[AuthMethod] = (AuthMethod.MSCHAP_V2,),
    encryption: Iterable[str] = ("Required", "Require Stateless", "128-bit"),
    users: Mapping[str, UserEntry] | None = None,
    pool: PoolRange = POOL,
    pptp: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    events: Mapping[str, Any] | None = None,
    **base: Any,
) -> Configuration:
    attributes = {
        "pptp_authentication_protocols": [WORDS[method] for method in methods],
        "pptp_encryption": list(encryption),
        **base,
    }
    return Configuration(
        sections={"pptp": pptp or {}, "system": system or {}, "events": events or {}},
        base=attributes,
        groups={"pptpgroup": GroupEntry()},
        users={"pptpuser": UserEntry("cisco123", "pptpgroup")} if users is None else users,
        pools=(pool,),
    )


def policy(**kwargs: Any) -> PolicySnapshot:
    return PolicySnapshot(configuration(**kwargs))


def world(
    snapshot: PolicySnapshot | None = None,
    *,
    seed: int = 1,
    gre: Weather = CALM,
    answering: Weather = CALM,
    limits: Limits | None = None,
    workers: int = 1,
) -> MemoryHeadend:
    snapshot = snapshot or policy()
    manager = SessionManager(
        snapshot,
        rng=Random(seed).randbytes,
        limits=limits,
        workers=Workers(workers, movable=workers > 1),
    )
    return MemoryHeadend(
        manager,
        LocalAnswers(snapshot),
        seed=seed,
        gre=gre,
        answering=answering,
        workers=workers,
    )


def client(
    *,
    user: str = "pptpuser",
    password: str = "cisco123",
    methods: Iterable[AuthMethod] = tuple(WORDS),
    bits: Iterable[int] = (40, 56, 128),
    required: bool = False,
    stateless: bool = True,
    calls: int = 1,
    **link: Any,
) -> Callable[..., ScriptedClient]:
    """A maker of clients for MemoryHeadend.dial()."""
    config = LinkConfig(
        role=LinkRole.PEER,
        methods=tuple(methods),
        user=user,
        password=password,
        mppe=MppePolicy(required=required, ask_stateful=not stateless, bits=frozenset(bits)),
        **link,
    )
    return partial(ScriptedClient, config, calls=calls)


def only_session(memory: MemoryHeadend) -> Any:
    """The view of the only session."""
    (view,) = memory.manager.sessions()
    return view


def assert_clean(memory: MemoryHeadend) -> None:
    """Nothing is left: no call, lease, claim, Call-ID, timer or request."""
    manager = memory.manager
    assert manager.idle
    assert manager.get_timer() is None
    assert manager._ids.in_use == 0
    assert not memory.dataplane.calls
    assert not memory.dataplane.closing
    statistics = manager.statistics()
    assert (statistics.active_tunnels, statistics.active_sessions) == (0, 0)
    assert (statistics.handshakes, statistics.half_open) == (0, 0)
    assert len(manager._admission.handshakes) == len(manager._admission.half_open) == 0
    assert manager._admission.tunnels == 0
    assert isinstance(memory.answers, LocalAnswers)
    assert (memory.answers.claims, memory.answers.leases) == (0, 0)
    assert memory.answers.assignment.in_use == 0
