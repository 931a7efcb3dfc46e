"""The load generator's clients against a real SessionManager, dataplanes in memory between them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random

import pytest

from fastpptp.addresses.grant import AddressGrant
from fastpptp.client.population import News, Population, Stage, What
from fastpptp.effects import Authenticate, Lease
from fastpptp.events.catalogue import Occurrence
from fastpptp.manager import CallCounters, SessionManager
from fastpptp.ports import CallEvent, CallPolicy
from fastpptp.ppp.auth.types import AuthMethod, AuthResult
from fastpptp.ppp.config import LinkConfig, LinkRole
from fastpptp.server.executor import Executor
from fastpptp.session import Cause
from fastpptp.settings.tree import PoolRange
from fastpptp.testing import FakeDataplane, LocalAnswers
from tests.unit.manager.world import policy

HEADEND, CLIENTS = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.11")
POOL = PoolRange(IPv4Address("172.16.1.10"), IPv4Address("172.16.1.250"))
LINK = LinkConfig(
    role=LinkRole.PEER,
    methods=(AuthMethod.MSCHAP_V2,),
    user="pptpuser",
    password="cisco123",
    offload=True,
)
WRONG = LinkConfig(
    role=LinkRole.PEER, methods=LINK.methods, user="pptpuser", password="wrong", offload=True
)


@dataclass
class Told:
    """executor.Answers of the headend, or of clients that are asked nothing."""

    answers: LocalAnswers | None = None
    events: list[Occurrence] = field(default_factory=list)

    def authenticate(self, request: Authenticate, now: float) -> AuthResult:
        assert self.answers is not None
        return self.answers.authenticate(request, now)[0]

    def lease(self, request: Lease, now: float) -> AddressGrant | None:
        assert self.answers is not None
        return self.answers.lease(request, now)[0]

    def logout(self, identity: object) -> None:
        assert self.answers is not None
        self.answers.logout(identity)

    def release(self, grant: AddressGrant) -> None:
        assert self.answers is not None
        self.answers.release(grant)

    def announce(self, grant: AddressGrant, address: object) -> None:
        assert self.answers is not None

    def record(self, occurrence: Occurrence) -> None:
        self.events.append(occurrence)


class Wire:
    """ControlTransport: what is sent waits in `queue` with all else that is under way."""

    def __init__(self, queue: deque[Callable[[], None]], arrive: Callable[[bytes], None]) -> None:
        self._queue = queue
        self._arrive = arrive

    def send(self, data: bytes) -> None:
        self._queue.append(lambda: self._arrive(data))

    def close(self) -> None:
        """The other end finds out by its own means."""


class World:
    """A headend and a population; `now` moves only by run()."""

    def __init__(self, **settings: object) -> None:
        snapshot = policy(pool=POOL, simultaneous_logins=1000, **settings)
        self.now = 0.0
        self.answers = LocalAnswers(snapshot)
        self.manager = SessionManager(snapshot, rng=Random(1).randbytes)
        self.population = Population(HEADEND, CallPolicy(), rng=Random(2).randbytes)
        self.headend_plane = FakeDataplane(self._to_clients)
        self.client_plane = FakeDataplane(self._to_headend)
        self.news: list[News] = []
        self._queue: deque[Callable[[], None]] = deque()
        self._headend_wires: dict[int, Wire] = {}
        self._client_wires: dict[int, Wire] = {}
        self.told = Told(self.answers)
        self.complaints = Told()
        self._headend = Executor(
            self.headend_plane, self._headend_wires, self.told, self.manager.complete
        )
        self._clients = Executor(
            self.client_plane, self._client_wires, self.complaints, self.population.complete
        )

    def connect(self, number: int) -> None:
        def to_clients(data: bytes) -> None:
            self._clients.run(self.population.data_received(number, data, self.now), self.now)

        def to_headend(data: bytes) -> None:
            self._headend.run(self.manager.data_received(number, data, self.now), self.now)

        self._headend_wires[number] = Wire(self._queue, to_clients)
        self._client_wires[number] = Wire(self._queue, to_headend)
        made = self.manager.connection_made(number, HEADEND, CLIENTS, self.now)
        self._headend.run(made, self.now)
        self._clients.run(self.population.connection_made(number, CLIENTS, self.now), self.now)
        self.run()

    def place(self, number: int, link: LinkConfig = LINK, stage: Stage = Stage.UP) -> int:
        handle, effects = self.population.place_call(number, link, self.now, stage)
        assert handle is not None
        self._clients.run(effects, self.now)
        self.run()
        return handle

    def leave(self, number: int) -> None:
        self._clients.run(self.population.leave(number, self.now), self.now)
        self.run(5)

    def cut(self, number: int) -> None:
        """Both ends find the TCP connection gone."""
        self._clients.run(self.population.connection_lost(number, self.now), self.now)
        self._headend.run(self.manager.connection_lost(number, self.now), self.now)
        self.run()

    def terminate_all(self) -> None:
        ended = self.manager.terminate_all(Cause.ADMIN_LOGOUT, self.now)
        self._headend.run(ended, self.now)
        self.run(5)

    def raise_event(self, handle: int, bits: CallEvent) -> None:
        self._clients.run(self.population.call_event(handle, bits, self.now), self.now)
        self.run()

    def run(self, seconds: float = 0.0) -> None:
        end = self.now + seconds
        while True:
            self._settle()
            timers = (self.manager.get_timer(), self.population.get_timer())
            due = min((timer for timer in timers if timer is not None), default=end + 1)
            if due > end:
                break
            self.now = max(due, self.now)
            self._headend.run(self.manager.handle_timer(self.now), self.now)
            self._clients.run(self.population.handle_timer(self.now), self.now)
        self.now = end
        assert self.complaints.events == []

    def _settle(self) -> None:
        while self._queue:
            self._queue.popleft()()
            self._read_dataplanes()
        self._read_dataplanes()
        self.news += self.population.news
        self.population.news.clear()

    def _read_dataplanes(self) -> None:
        for handle, frame in self.headend_plane.read_punts():
            self._headend.run(self.manager.frame_received(handle, frame, self.now), self.now)
        for handle, bits in self.headend_plane.read_events():
            if bits & CallEvent.CLOSED:
                closed = self.manager.call_closed(handle, CallCounters(), self.now)
                self._headend.run(closed, self.now)
        for handle, frame in self.client_plane.read_punts():
            self._clients.run(self.population.frame_received(handle, frame, self.now), self.now)
        for handle, bits in self.client_plane.read_events():
            self._clients.run(self.population.call_event(handle, bits, self.now), self.now)

    def _to_clients(self, handle: int, frame: bytes) -> None:
        call_id = self.headend_plane.calls[handle].spec.peer_call_id
        self._queue.append(lambda: self._arrive(self.client_plane, call_id, frame))

    def _to_headend(self, handle: int, frame: bytes) -> None:
        call_id = self.client_plane.calls[handle].spec.peer_call_id
        self._queue.append(lambda: self._arrive(self.headend_plane, call_id, frame))

    @staticmethod
    def _arrive(plane: FakeDataplane, call_id: int, frame: bytes) -> None:
        handle = next((known for known in plane.calls if known & 0xFFFF == call_id), None)
        if handle is not None:
            plane.receive_frame(handle, frame)

    def counts(self) -> Counter[What]:
        return Counter(news.what for news in self.news)

    def whys(self, what: What) -> set[str]:
        return {news.why for news in self.news if news.what is what}

    def assert_clean(self) -> None:
        """Nothing is left on either side."""
        assert self.population.handles() == []
        assert self.population.connections() == []
        assert self.population.get_timer() is None
        assert self.client_plane.calls == self.headend_plane.calls == {}
        assert (self.answers.claims, self.answers.leases) == (0, 0)
        assert not any(self.manager.holdings().values())


def test_many_clients_share_a_connection_and_leave_in_order() -> None:
    world = World()
    for number in (1, 2):
        world.connect(number)
        handles = [world.place(number) for _ in range(5)]
        assert len(set(handles)) == 5
    assert world.counts() == {What.ESTABLISHED: 2, What.REACHED: 10}
    assert world.manager.statistics().active_sessions == 10
    for number in (1, 2):
        world.leave(number)
    assert world.counts()[What.ENDED] == 10
    assert world.whys(What.CLOSED) == {""}
    world.assert_clean()


def test_one_client_leaves_the_others_stay() -> None:
    world = World()
    world.connect(1)
    first, second = world.place(1), world.place(1)
    world._clients.run(world.population.hang_up(first, world.now), world.now)
    world.run(5)
    assert world.counts()[What.ENDED] == 1
    assert world.population.handles() == [second]
    assert world.population.hang_up(first, world.now) == []


@pytest.mark.parametrize("stage", [Stage.CALL, Stage.LINK])
def test_a_client_stops_at_its_stage_and_says_nothing_more(stage: Stage) -> None:
    world = World()
    world.connect(1)
    world.place(1, stage=stage)
    assert world.counts()[What.REACHED] == 1
    assert [view.user for view in world.manager.sessions()] == [""]
    assert len(world.client_plane.calls) == (stage is Stage.LINK)
    world.population.renounce(1)
    world.cut(1)
    assert world.counts()[What.ENDED] == 1
    world.assert_clean()


def test_a_wrong_password_is_told() -> None:
    world = World()
    world.connect(1)
    world.place(1, WRONG)
    world.run(5)
    assert world.whys(What.FAILED) == {"authentication failed"}
    world.leave(1)
    world.assert_clean()


def test_a_refused_call_is_told_with_the_headends_reason() -> None:
    world = World(pptp={"max_sessions_per_tunnel": 1})
    world.connect(1)
    world.place(1)
    world.place(1)
    (why,) = world.whys(What.FAILED)
    assert why.startswith("the peer refused the call: ")
    assert world.counts()[What.REACHED] == 1


def test_what_the_headend_ends_is_dropped() -> None:
    world = World()
    world.connect(1)
    world.place(1)
    world.terminate_all()
    assert world.counts()[What.DROPPED] == 1
    assert world.whys(What.DROPPED) == {"terminated by the peer"}


def test_a_connection_that_is_cut_drops_its_clients() -> None:
    world = World()
    world.connect(1)
    world.place(1)
    world.cut(1)
    assert world.counts()[What.DROPPED] == 1
    assert world.counts()[What.CLOSED] == 1
    world.assert_clean()
    assert world.population.place_call(1, LINK, world.now) == (None, [])


def test_encryption_out_of_step_is_renegotiated() -> None:
    world = World()
    world.connect(1)
    handle = world.place(1)
    keys = dict(world.client_plane.calls[handle].keys)
    world.raise_event(handle, CallEvent.RESYNC_FAILED)
    world.run(10)
    assert world.counts()[What.DROPPED] == 0
    assert world.client_plane.calls[handle].keys.keys() == keys.keys()
    world.leave(1)
    world.assert_clean()


def test_what_concerns_nobody_is_passed_over() -> None:
    world = World()
    population = world.population
    assert population.data_received(7, b"x", 0.0) == []
    assert population.connection_lost(7, 0.0) == []
    assert population.frame_received(7, b"\xc0\x21", 0.0) == []
    assert population.leave(7, 0.0) == []
    assert population.complete(7, None, 0.0) == []
    population.renounce(7)
    assert not population.news
