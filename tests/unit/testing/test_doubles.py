"""The shipped doubles keep their word: the clock, the link, and the dataplane's rules."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from fastpptp.dataplane import STATS_DTYPE
from fastpptp.errors import LocalProtocolError
from fastpptp.ports import CallEvent, CallPolicy, CallSpec, Dataplane
from fastpptp.testing import FakeDataplane, ManualClock, MemoryLink

PEER = IPv4Address("171.69.89.129")
SPEC = CallSpec(7, IPv4Address("161.44.17.1"), PEER)
HANDLE = 1 << 16 | 42
OPEN = CallPolicy(peer_address=IPv4Address("172.16.1.10"))
LCP_FRAME = b"\xc0\x21\x01\x01\x00\x04"
IPV4_FRAME = b"\x00\x21" + bytes(20)


def opened(**kwargs: bool) -> FakeDataplane:
    dataplane = FakeDataplane(**kwargs)
    dataplane.open_call(HANDLE, SPEC)
    return dataplane


def test_it_is_a_dataplane() -> None:
    dataplane: Dataplane = FakeDataplane()
    assert dataplane.fileno() == -1
    assert len(dataplane.stats) == 65536
    assert dataplane.stats.dtype == STATS_DTYPE


def test_a_call_moves_to_a_worker_that_is_there_before_its_gate_opens() -> None:
    dataplane = FakeDataplane(workers=2)
    dataplane.open_call(HANDLE, SPEC)
    assert dataplane.calls[HANDLE].worker == 0
    dataplane.move_call(HANDLE, 1)
    assert dataplane.calls[HANDLE].worker == 1
    with pytest.raises(LocalProtocolError, match="no worker 2"):
        dataplane.move_call(HANDLE, 2)
    dataplane.set_policy(HANDLE, OPEN)
    dataplane.open_gate(HANDLE, 4)
    with pytest.raises(LocalProtocolError, match="before its gate"):
        dataplane.move_call(HANDLE, 0)


class TestClock:
    def test_it_moves_only_when_told(self) -> None:
        clock = ManualClock(5.0)
        assert clock() == 5.0
        assert clock.advance(1.5) == 6.5
        assert clock.advance_to(6.0) == 6.5
        assert clock.advance_to(7.0) == 7.0 == clock()

    def test_it_never_goes_back(self) -> None:
        with pytest.raises(ValueError, match="backwards"):
            ManualClock().advance(-1)


class TestLink:
    def test_a_calm_link_keeps_order(self) -> None:
        link: MemoryLink[int] = MemoryLink()
        for item in range(10):
            link.send(item, 0.0)
        assert list(link.receive(0.0)) == list(range(10))
        assert link.get_timer() is None

    def test_delay(self) -> None:
        link: MemoryLink[str] = MemoryLink(delay=0.5)
        link.send("a", 1.0)
        assert link.get_timer() == 1.5
        assert list(link.receive(1.4)) == []
        assert len(link) == 1
        assert list(link.receive(1.5)) == ["a"]

    def test_loss_doubling_and_reorder_follow_the_seed(self) -> None:
        def carried(seed: int) -> tuple[list[bool], list[int]]:
            link: MemoryLink[int] = MemoryLink(seed, loss=0.3, duplicate=0.3, jitter=1.0)
            sent = [link.send(item, 0.0) for item in range(100)]
            assert link.lost == sent.count(False)
            return sent, list(link.receive(2.0))

        sent, arrived = carried(3)
        assert (sent, arrived) == carried(3) != carried(4)
        assert 0 < sent.count(False) < 100
        assert set(arrived) == {item for item, kept in enumerate(sent) if kept}
        assert len(arrived) > len(set(arrived))
        assert arrived != sorted(arrived)


class TestRules:
    """Each rule that a caller can break breaks loudly."""

    def test_an_unknown_handle(self) -> None:
        dataplane = FakeDataplane()
        for command in (
            lambda: dataplane.close_call(HANDLE),
            lambda: dataplane.set_policy(HANDLE, OPEN),
            lambda: dataplane.inject(HANDLE, LCP_FRAME),
            lambda: dataplane.control_done(HANDLE),
        ):
            with pytest.raises(LocalProtocolError):
                command()

    @pytest.mark.parametrize("handle", [42, 1 << 16])
    def test_a_malformed_handle(self, handle: int) -> None:
        with pytest.raises(LocalProtocolError, match="malformed"):
            FakeDataplane().open_call(handle, SPEC)

    def test_a_call_id_in_use(self) -> None:
        with pytest.raises(LocalProtocolError, match="not free"):
            opened().open_call(2 << 16 | 42, SPEC)

    def test_a_call_id_that_is_being_closed(self) -> None:
        dataplane = opened(instant_close=False)
        dataplane.close_call(HANDLE)
        with pytest.raises(LocalProtocolError, match="not free"):
            dataplane.open_call(2 << 16 | 42, SPEC)
        dataplane.finish_closing(HANDLE)
        dataplane.open_call(2 << 16 | 42, SPEC)

    def test_the_same_generation_again(self) -> None:
        dataplane = opened()
        dataplane.close_call(HANDLE)
        with pytest.raises(LocalProtocolError, match="generation"):
            dataplane.open_call(HANDLE, SPEC)

    def test_a_gate_without_an_address_or_identifier(self) -> None:
        dataplane = opened()
        with pytest.raises(LocalProtocolError, match="address"):
            dataplane.open_gate(HANDLE, 4)
        with pytest.raises(LocalProtocolError, match="identifier"):
            dataplane.open_gate(HANDLE, 6)

    def test_a_gate_before_the_keys_of_both_directions(self) -> None:
        dataplane = opened()
        policy = CallPolicy(peer_address=OPEN.peer_address, encryption_required=True)
        dataplane.set_policy(HANDLE, policy)
        for direction in (0, 1):
            with pytest.raises(LocalProtocolError, match="keys"):
                dataplane.open_gate(HANDLE, 4)
            dataplane.set_keys(HANDLE, direction, bytes(16), 128, True)
        dataplane.open_gate(HANDLE, 4)
        dataplane.clear_keys(HANDLE)
        with pytest.raises(LocalProtocolError, match="keys"):
            dataplane.open_gate(HANDLE, 4)

    def test_a_start_key_of_the_wrong_length(self) -> None:
        with pytest.raises(LocalProtocolError, match="start key"):
            opened().set_keys(HANDLE, 0, bytes(8), 128, True)

    def test_an_answer_to_nothing(self) -> None:
        with pytest.raises(LocalProtocolError, match="without a punt"):
            opened().control_done(HANDLE)

    def test_a_frame_that_is_none(self) -> None:
        with pytest.raises(LocalProtocolError, match="control frame"):
            opened().inject(HANDLE, b"\xc0\x21")


class TestTraffic:
    def test_control_frames_are_punted_and_data_waits_for_the_gate(self) -> None:
        dataplane = opened()
        dataplane.receive_frame(HANDLE, IPV4_FRAME)
        dataplane.receive_frame(HANDLE, LCP_FRAME)
        dataplane.receive_frame(HANDLE, IPV4_FRAME)
        call = dataplane.calls[HANDLE]
        assert dataplane.read_punts() == [(HANDLE, LCP_FRAME)]
        assert (call.dropped, len(call.parked)) == (1, 1)
        dataplane.set_policy(HANDLE, OPEN)
        dataplane.open_gate(HANDLE, 4)
        dataplane.control_done(HANDLE)
        assert call.delivered == [IPV4_FRAME]
        assert call.parked == []
        assert dataplane.stats["rx_octets"][42] == 20

    def test_parked_data_is_dropped_when_the_answer_opens_nothing(self) -> None:
        dataplane = opened()
        dataplane.receive_frame(HANDLE, LCP_FRAME)
        for _ in range(20):
            dataplane.receive_frame(HANDLE, IPV4_FRAME)
        dataplane.control_done(HANDLE)
        call = dataplane.calls[HANDLE]
        assert (call.dropped, call.parked, call.delivered) == (20, [], [])

    def test_a_closed_gate_stops_data(self) -> None:
        dataplane = opened()
        dataplane.set_policy(HANDLE, OPEN)
        dataplane.open_gate(HANDLE, 4)
        dataplane.close_gate(HANDLE, 4)
        dataplane.receive_frame(HANDLE, IPV4_FRAME)
        assert dataplane.calls[HANDLE].dropped == 1

    def test_frames_for_no_call_vanish(self) -> None:
        dataplane = FakeDataplane()
        dataplane.receive_frame(HANDLE, LCP_FRAME)
        assert dataplane.read_punts() == []

    def test_injected_frames_come_out_and_everything_is_recorded(self) -> None:
        sent: list[tuple[int, bytes]] = []
        dataplane = FakeDataplane(lambda handle, frame: sent.append((handle, frame)))
        dataplane.open_call(HANDLE, SPEC)
        dataplane.own_lcp(HANDLE, True)
        dataplane.inject(HANDLE, LCP_FRAME)
        assert sent == [(HANDLE, LCP_FRAME)]
        assert [command[0] for command in dataplane.commands] == ["open_call", "own_lcp", "inject"]
        assert dataplane.calls[HANDLE].lcp_owned

    def test_events_are_sticky_and_closing_ends_them(self) -> None:
        dataplane = opened()
        dataplane.raise_event(HANDLE, CallEvent.IDLE)
        dataplane.raise_event(HANDLE, CallEvent.FIRST_GRE)
        assert dataplane.read_events() == [(HANDLE, CallEvent.IDLE | CallEvent.FIRST_GRE)]
        assert dataplane.read_events() == []
        dataplane.receive_frame(HANDLE, LCP_FRAME)
        dataplane.raise_event(HANDLE, CallEvent.IDLE)
        dataplane.close_call(HANDLE)
        assert dataplane.read_punts() == []
        assert dataplane.read_events() == [(HANDLE, CallEvent.CLOSED)]

    def test_counters_can_be_set(self) -> None:
        dataplane = opened()
        dataplane.count(HANDLE, rx_octets=10, tx_octets=20)
        assert dataplane.stats["rx_octets"][42] == 10
        assert dataplane.stats["tx_octets"][42] == 20
