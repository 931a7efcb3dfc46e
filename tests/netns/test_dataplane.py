"""Two dataplanes back to back: real raw sockets, real TUNs, a veth link between two namespaces."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

import pytest

from fastpptp.dataplane import Dataplane
from fastpptp.ports import CallPolicy, CallSpec
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

HEADEND, CLIENT = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
INNER_HEADEND, INNER_CLIENT = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
CALL_IDS = {"headend": 0x1111, "client": 0x2222}
KEYS = (bytes(range(16)), bytes(range(16, 32)))
CLONE_NEWNET = 0x40000000
Result = TypeVar("Result")


def within(host: Host, action: Callable[[], Result]) -> Result:
    """Run an action in a namespace, on a thread that ends there."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            fd = os.open(f"/run/netns/{host.name}", os.O_RDONLY)
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            os.close(fd)
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def open_tun(queues: int, vnet: bool) -> list[int]:
    """A multi-queue TUN device tun0, with every offload if `vnet`."""
    found = []
    for _ in range(queues):
        found.append(os.open("/dev/net/tun", os.O_RDWR))
        flags = 0x1101 | (0x4000 * vnet)  # IFF_TUN, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR
        fcntl.ioctl(found[-1], 0x400454CA, struct.pack("16sH22x", b"tun0", flags))
        if vnet:
            fcntl.ioctl(found[-1], 0x400454D0, 0x67)  # checksums, TSO4, TSO6, USO4, USO6
    return found


def open_gre() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)


@dataclass
class End:
    """One side: its namespace, its dataplane, its call."""

    host: Host
    dataplane: Dataplane
    handle: int

    def drops(self) -> dict[str, int]:
        return self.dataplane.drop_counts()


@dataclass
class Side:
    """What is different between the two ends."""

    label: str
    local: IPv4Address
    peer: IPv4Address
    inner: IPv4Address
    inner_peer: IPv4Address
    keys: tuple[bytes, bytes]


SIDES = (
    Side("headend", HEADEND, CLIENT, INNER_HEADEND, INNER_CLIENT, KEYS),
    Side("client", CLIENT, HEADEND, INNER_CLIENT, INNER_HEADEND, KEYS[::-1]),
)


def open_packet() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)


def raise_end(
    stack: ExitStack,
    host: Host,
    side: Side,
    mode: str,
    vnet: bool,
    workers: int,
    mtu: int,
    packets: bool,
    xdp: bool,
) -> End:
    queues = within(host, lambda: open_tun(workers, vnet))
    for queue in queues:
        stack.callback(os.close, queue)
    raws = [stack.enter_context(within(host, open_gre)) for _ in range(workers)]
    count = workers if packets else 0
    senders = [stack.enter_context(within(host, open_packet)) for _ in range(count)]
    host.link("tun0", "mtu", str(mtu))
    host.address("tun0", f"{side.inner}/30")
    dataplane = stack.enter_context(
        Dataplane(
            [raw.fileno() for raw in raws],
            queues,
            vnet_header=vnet,
            udp_offload=vnet,
            packet_fds=[packet.fileno() for packet in senders],
            xdp=xdp,
        )
    )
    other = CALL_IDS["client" if side.label == "headend" else "headend"]
    handle = 1 << 16 | CALL_IDS[side.label]
    dataplane.open_call(handle, CallSpec(other, side.local, side.peer))
    policy = CallPolicy(peer_address=side.inner_peer, encryption_required=mode != "plain")
    dataplane.set_policy(handle, policy)
    if mode != "plain":
        for direction in (0, 1):
            dataplane.set_keys(handle, direction, side.keys[direction], 128, mode == "stateless")
    dataplane.own_lcp(handle, True)
    dataplane.open_gate(handle, 4)
    dataplane.start()
    return End(host, dataplane, handle)


@contextmanager
def tunnel(
    hosts: Hosts,
    mode: str,
    *,
    vnet: bool = True,
    workers: int = 1,
    mtu: int = 1396,
    packets: bool = False,
    xdp: bool = False,
    queues: int = 1,
) -> Iterator[tuple[End, End]]:
    """A call between two namespaces, up; `queues` is of the link between them."""
    left, right = hosts.add("headend"), hosts.add("client")
    hosts.join(left, f"{HEADEND}/24", right, f"{CLIENT}/24", queues=queues)
    with ExitStack() as stack:
        ends = [
            raise_end(stack, host, side, mode, vnet, workers, mtu, packets, xdp)
            for host, side in zip((left, right), SIDES, strict=True)
        ]
        yield ends[0], ends[1]


def transfer(source: Host, target: Host, address: IPv4Address, size: int, window: int = 0) -> float:
    """Send octets over TCP and compare their digest; returns Mbit/s. `window` in octets bounds what
    is on its way."""
    data = hashlib.shake_256(b"transfer").digest(1 << 20) * (size >> 20)
    listener = within(target, lambda: socket.create_server((str(address), 5001)))
    if window:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window // 2)
    found: list[str] = []

    def receive() -> None:
        connection, _ = listener.accept()
        digest = hashlib.sha256()
        with connection:
            while part := connection.recv(1 << 18):
                digest.update(part)
        found.append(digest.hexdigest())

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    sender = within(source, socket.socket)
    sender.settimeout(20)
    with sender, listener:
        began = time.monotonic()
        sender.connect((str(address), 5001))
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        thread.join(30)
        took = time.monotonic() - began
    assert found == [hashlib.sha256(data).hexdigest()]
    return len(data) * 8 / took / 1e6


@pytest.mark.parametrize("mode", ["plain", "stateless", "stateful"])
@pytest.mark.parametrize("vnet", [False, True])
def test_ping_and_transfer(hosts: Hosts, mode: str, vnet: bool) -> None:
    with tunnel(hosts, mode, vnet=vnet) as (headend, client):
        for size in ("56", "1360"):
            result = client.host.run("ping", "-c3", "-i0.01", "-s", size, str(INNER_HEADEND))
            assert " 0% packet loss" in result.stdout
        up = transfer(client.host, headend.host, INNER_HEADEND, 20 << 20)
        down = transfer(headend.host, client.host, INNER_CLIENT, 20 << 20)
        print(
            f"{mode} vnet={vnet}: up {up:.0f} down {down:.0f} Mbit/s",
            headend.drops(),
            client.drops(),
        )
        assert set(headend.drops()) <= {"inner unknown", "inner malformed", "mppe awaits flush"}


@pytest.mark.parametrize("mode", ["plain", "stateless"])
def test_two_workers(hosts: Hosts, mode: str) -> None:
    with tunnel(hosts, mode, workers=2) as (headend, client):
        assert headend.dataplane.steered
        transfer(client.host, headend.host, INNER_HEADEND, 8 << 20)
        transfer(headend.host, client.host, INNER_CLIENT, 8 << 20)


def keep_order(end: End) -> None:
    """Have one CPU receive all packets of a host's link: each has a queue of its own, and a thread
    that sends and is moved to another CPU would overtake itself."""
    for device in ("v1l", "v1r"):
        mask = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
        end.host.run("sh", "-c", f"[ ! -e {mask} ] || echo 1 > {mask}")


def test_a_call_moves_in_the_middle_of_a_transfer(hosts: Hosts) -> None:
    """Not a packet is lost or overtaken: a stateful session would have to ask for a reset.

    TCP's windows are so small that no queue of the kernel's can overflow.
    """
    with tunnel(hosts, "stateful", workers=2) as (headend, client):
        keep_order(headend)
        keep_order(client)
        threads = []
        for end, other, address in (
            (client, headend, INNER_HEADEND),
            (headend, client, INNER_CLIENT),
        ):
            arguments = (end.host, other.host, address, 8 << 20, 1 << 16)
            threads.append(threading.Thread(target=transfer, args=arguments))
            threads[-1].start()
        for turn in range(1, 6):
            for end in (headend, client):
                home = end.dataplane.worker_of(end.handle)
                assert end.dataplane.movable
                wait(lambda: received(end) > 500 * turn)  # noqa: B023
                end.dataplane.move_call(end.handle, 1 - home)
        for thread in threads:
            thread.join()
        for end in (headend, client):
            row = end.dataplane.stats[end.handle & 0xFFFF]
            assert (row["lost"], row["mppe_resets_sent"]) == (0, 0), (row, end.drops())
            assert set(end.drops()) <= {"inner unknown", "inner malformed"}, end.drops()


def received(end: End) -> int:
    return int(end.dataplane.stats[end.handle & 0xFFFF]["rx_packets"])


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


@contextmanager
def receivers(hosts: Hosts, *, bpf: bool) -> Iterator[tuple[Dataplane, socket.socket]]:
    """Two workers on raw sockets, calls 1 to 8, not started; and a peer's raw socket."""
    left, right = hosts.add("headend"), hosts.add("client")
    hosts.join(left, f"{HEADEND}/24", right, f"{CLIENT}/24")
    with ExitStack() as stack:
        raws = [stack.enter_context(within(left, open_gre)) for _ in range(2)]
        ends = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        for end in (end for pair in ends for end in pair):
            stack.enter_context(end)
        fds = [raw.fileno() for raw in raws], [end.fileno() for end, _ in ends]

        def make() -> Dataplane:
            if not bpf:
                drop_capabilities()
            return Dataplane(*fds)

        dataplane = stack.enter_context(within(left, make))
        for call_id in range(1, 9):
            dataplane.open_call(1 << 16 | call_id, CallSpec(call_id, HEADEND, CLIENT))
        dataplane.poll_once()
        yield dataplane, stack.enter_context(within(right, open_gre))


def drop_capabilities() -> None:
    """Leave this thread without any: BPF is not to be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    if libc.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def acknowledged(dataplane: Dataplane, peer: socket.socket) -> list[list[int]]:
    """Send every call an acknowledgement; which calls each worker got one for."""
    found = []
    before = dataplane.stats["rx_zlb"].copy()
    for call_id in range(1, 9):
        peer.sendto(struct.pack(">HHHHI", 0x2081, 0x880B, 0, call_id, 0), (str(HEADEND), 0))
    for worker in range(2):
        dataplane.poll_once(worker_index=worker)
        found.append([int(k) for k in (dataplane.stats["rx_zlb"] != before).nonzero()[0]])
        before = dataplane.stats["rx_zlb"].copy()
    return found


def test_raw_sockets_follow_the_owners(hosts: Hosts) -> None:
    with receivers(hosts, bpf=True) as (dataplane, peer):
        assert acknowledged(dataplane, peer) == [[2, 4, 6, 8], [1, 3, 5, 7]]
        for call_id, worker in ((1, 0), (2, 1), (3, 0)):
            dataplane.move_call(1 << 16 | call_id, worker)
        for _ in range(3):
            dataplane.poll_once()
        assert acknowledged(dataplane, peer) == [[1, 3, 4, 6, 8], [2, 5, 7]]


def test_without_bpf_calls_stay_where_they_are(hosts: Hosts) -> None:
    with receivers(hosts, bpf=False) as (dataplane, peer):
        assert not dataplane.movable
        dataplane.move_call(1 << 16 | 1, 0)
        dataplane.poll_once()
        assert acknowledged(dataplane, peer) == [[2, 4, 6, 8], [1, 3, 5, 7]]


def test_the_tun_gives_each_worker_its_own(hosts: Hosts) -> None:
    host = hosts.add("steering")
    queues = within(host, lambda: open_tun(2, False))
    host.address("tun0", "198.51.100.254/24")
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in queues]
    with ExitStack() as stack:
        for queue in queues:
            stack.callback(os.close, queue)
        for pair in pairs:
            for end in pair:
                stack.enter_context(end)
                end.setblocking(False)
        dataplane = stack.enter_context(Dataplane([pair[1].fileno() for pair in pairs], queues))
        for call_id in range(1, 9):
            handle, inner = 1 << 16 | call_id, IPv4Address("198.51.100.0") + call_id
            dataplane.open_call(handle, CallSpec(call_id, HEADEND, CLIENT))
            dataplane.set_policy(handle, CallPolicy(peer_address=inner))
            dataplane.open_gate(handle, 4)
        sender = stack.enter_context(
            within(host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        )

        def given() -> list[set[int]]:
            """Send to every call, from many ports; the calls each worker had packets of."""
            found = []
            for port in range(1000, 1020):
                for call_id in range(1, 9):
                    sender.sendto(b"x", (str(IPv4Address("198.51.100.0") + call_id), port))
            for worker, pair in enumerate(pairs):
                while dataplane.poll_once(worker_index=worker):
                    pass
                call_ids = [packet[6] << 8 | packet[7] for packet in drain(pair[0])]
                assert len(call_ids) == 20 * len(set(call_ids))
                found.append(set(call_ids))
            return found

        assert given() == [{2, 4, 6, 8}, {1, 3, 5, 7}]
        for call_id, worker in ((1, 0), (2, 1), (3, 0)):
            dataplane.move_call(1 << 16 | call_id, worker)
        for _ in range(3):
            dataplane.poll_once()
        assert given() == [{1, 3, 4, 6, 8}, {2, 5, 7}]


def drain(end: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(end.recv(2048))
        except BlockingIOError:
            return found


def test_udp_super_packets(hosts: Hosts) -> None:
    """Datagrams sent with UDP_SEGMENT arrive whole, in order."""
    with tunnel(hosts, "stateless") as (headend, client):
        receiver = within(headend.host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sender = within(client.host, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with receiver, sender:
            receiver.settimeout(5)
            receiver.bind((str(INNER_HEADEND), 7))
            sender.setsockopt(socket.IPPROTO_UDP, 103, 1000)
            data = hashlib.shake_256(b"udp").digest(30_500)
            sender.sendto(data, (str(INNER_HEADEND), 7))
            got = [receiver.recv(65536) for _ in range(31)]
            assert b"".join(got) == data
            assert [len(part) for part in got] == [1000] * 30 + [500]


def test_the_outer_packet_may_be_fragmented(hosts: Hosts) -> None:
    with tunnel(hosts, "stateless") as (headend, client):
        for end in (headend, client):
            device = next(
                name for name in ("v1l", "v1r") if name in end.host.run("ip", "link").stdout
            )
            end.host.link(device, "mtu", "1000")
        result = client.host.run("ping", "-c3", "-i0.01", "-s1360", str(INNER_HEADEND))
        assert " 0% packet loss" in result.stdout


@pytest.mark.parametrize(
    ("outer", "inner"), [("9000", 9000), ("1501", 1397), ("1111", 901), ("577", 1395)]
)
def test_jumbo_and_odd_mtus(hosts: Hosts, outer: str, inner: int) -> None:
    """Whatever the links carry, every size of packet gets through, whole or in pieces."""
    with tunnel(hosts, "stateless", mtu=inner) as (headend, client):
        for end, device in ((headend, "v1l"), (client, "v1r")):
            if device not in end.host.run("ip", "link").stdout:
                device = "v1r" if device == "v1l" else "v1l"
            end.host.link(device, "mtu", outer)
        for size in ("0", "1", str(inner - 29), str(inner - 28), "1369", "8000"):
            done = client.host.run("ping", "-c1", "-Mdont", "-s", size, str(INNER_HEADEND))
            assert " 0% packet loss" in done.stdout, size
        if inner > 1396:
            loud = client.host.run("ping", "-c1", "-Mdo", "-s", str(inner - 28),
                                   str(INNER_HEADEND), check=False)  # fmt: skip
            assert "mtu = 1396" in loud.stdout or "mtu=1396" in loud.stdout
        transfer(client.host, headend.host, INNER_HEADEND, 4 << 20)
        transfer(headend.host, client.host, INNER_CLIENT, 4 << 20)


def test_too_big_for_the_call(hosts: Hosts) -> None:
    """A TUN with a larger MTU: DF is answered, the rest is fragmented."""
    with tunnel(hosts, "stateless", mtu=1500) as (_, client):
        loud = client.host.run("ping", "-c1", "-Mdo", "-s1450", str(INNER_HEADEND), check=False)
        assert "mtu = 1396" in loud.stdout or "mtu=1396" in loud.stdout
        client.host.run("ip", "route", "flush", "cache")
        quiet = client.host.run("ping", "-c2", "-i0.01", "-Mdont", "-s1450", str(INNER_HEADEND))
        assert " 0% packet loss" in quiet.stdout


def test_an_unknown_call_is_not_answered(hosts: Hosts) -> None:
    with tunnel(hosts, "plain") as (headend, client):
        headend.dataplane.close_call(headend.handle)
        result = client.host.run("ping", "-c2", "-i0.01", "-W1", str(INNER_HEADEND), check=False)
        assert "100% packet loss" in result.stdout
        assert headend.drops().get("unknown call", 0) >= 2
        assert "Unreachable" not in result.stdout


def test_another_source_is_refused(hosts: Hosts) -> None:
    with tunnel(hosts, "plain") as (headend, client):
        spec = CallSpec(1, HEADEND, IPv4Address("192.0.2.77"))
        headend.dataplane.close_call(headend.handle)
        while not headend.dataplane.read_events():
            time.sleep(0.001)
        headend.dataplane.open_call(headend.handle + (1 << 16), spec)
        client.host.run("ping", "-c1", "-W1", str(INNER_HEADEND), check=False)
        assert headend.drops().get("wrong address", 0) >= 1
