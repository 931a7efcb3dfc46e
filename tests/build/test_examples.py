"""The embedding examples are built, run, and talked to by a peer made of other people's parts."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest

from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import LinkConfig, LinkRole, MppePolicy
from fastpptp.ppp.events import Direction, IpUp, SetKeys
from fastpptp.testing import ScriptedClient
from tests.cannot import cannot
from tests.unit.crypto.reference import Reference
from tests.unit.dataplane.rig import INSIDE, Gre, gre, ipv4

EMBED = Path(__file__).resolve().parents[2] / "examples" / "embed"
pytestmark = pytest.mark.slow

LOCALHOST = IPv4Address("127.0.0.1")
CALL_ID, PEER_CALL_ID = 0x1234, 0x4321
TO_PEER, FROM_PEER = bytes(range(16)), bytes(range(100, 116))
PATIENCE = 20.0

# How an example is called: what comes before its arguments.
Command = list[str]


def environment() -> dict[str, str]:
    """The same fastpptp as here, from the tree or installed, for whatever Python is started."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def built(tmp_path: Path, name: str, command: Command) -> Path:
    """A copy of an example, built there."""
    copy = tmp_path / name
    shutil.copytree(
        EMBED / name, copy, ignore=shutil.ignore_patterns("build", "*.so", "__pycache__")
    )
    done = subprocess.run(
        command,
        cwd=copy,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def start(stack: ExitStack, command: Command, *ends: socket.socket) -> subprocess.Popen[str]:
    """Run an example with descriptors that it inherits; whatever happens, it ends with the test."""
    descriptors = [end.fileno() for end in ends]
    process = subprocess.Popen(
        command, pass_fds=descriptors, env=environment(), stdout=subprocess.PIPE, text=True
    )
    stack.callback(process.communicate)
    stack.callback(process.kill)
    for end in ends:
        end.close()
    return process


def pair(stack: ExitStack, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    stack.enter_context(ours).settimeout(PATIENCE)
    stack.enter_context(theirs)
    return ours, theirs


class Peer:
    """MPPE-128 stateless by pycryptodome, GRE and PPP by struct."""

    def __init__(self, call_id: int = 0) -> None:
        self.call_id = call_id
        self.count = -1
        self.sequence = -1
        self.received = -1

    def arm(self, send: bytes, receive: bytes) -> None:
        self.ours = Reference(send, 128, stateless=True)
        self.theirs = Reference(receive, 128, stateless=True)

    def frame(self, ppp: bytes, acknowledged: int | None = None) -> bytes:
        """A PPP frame as the socket under test delivers it."""
        self.sequence += 1
        return gre(
            ppp, self.sequence, acknowledged,
            call_id=self.call_id, source=LOCALHOST, target=LOCALHOST,
        )  # fmt: skip

    def seal(self, packet: bytes, lost: int = 0) -> bytes:
        """An IPv4 packet, encrypted, after `lost` that never came."""
        self.count += 1 + lost
        self.sequence += lost
        header = struct.pack(">H", 0x9000 | self.count & 0xFFF)
        text = self.ours.crypt(b"\x00\x21" + packet, 1 + lost)
        return self.frame(b"\xff\x03\x00\xfd" + header + text)

    def open(self, payload: bytes) -> bytes:
        """The IPv4 packet in a payload, which must be the next one."""
        payload = payload.removeprefix(b"\xff\x03")
        payload = payload.removeprefix(b"\x00\xfd") if payload[:1] == b"\0" else payload[1:]
        (header,) = struct.unpack_from(">H", payload)
        self.received += 1
        assert header == 0x9000 | self.received & 0xFFF
        text = self.theirs.crypt(payload[2:], 1)
        assert text[:2] == b"\x00\x21"
        return text[2:]


@pytest.fixture(params=["c", "cython"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Command:
    """The endpoint in one of the two languages; both are told the same."""
    if request.param == "c":
        if shutil.which("make") is None:
            cannot("building the C example needs make")
        return [str(built(tmp_path, "c", ["make", f"PYTHON={sys.executable}"]) / "endpoint")]
    made = built(tmp_path, "cython", [sys.executable, "setup.py", "-q", "build_ext", "--inplace"])
    return [sys.executable, str(made / "run.py")]


def test_endpoint(endpoint: Command, stack: ExitStack) -> None:
    outer, theirs_outer = pair(stack, socket.SOCK_SEQPACKET)
    inner, theirs_inner = pair(stack, socket.SOCK_SEQPACKET)
    words = [str(end.fileno()) for end in (theirs_outer, theirs_inner)]
    words += [str(CALL_ID), str(PEER_CALL_ID), TO_PEER.hex(), FROM_PEER.hex()]
    process = start(stack, endpoint + words, theirs_outer, theirs_inner)
    peer = Peer(CALL_ID)
    peer.arm(FROM_PEER, TO_PEER)

    random = Random(1)
    packets = [ipv4(random.randbytes(size)) for size in range(0, 1000, 5)]
    for number, packet in enumerate(packets):  # more than a batch, more than a window of keys
        inner.send(packet)
        got = Gre.parse(outer.recv(65536))
        assert (got.call_id, got.sequence, got.acknowledged) == (PEER_CALL_ID, number, None)
        assert peer.open(got.payload) == packet

    stale = peer.seal(packets[1])
    for frame in (stale, peer.seal(packets[2], lost=9), stale, b"junk", gre(b"odd", 77)):
        outer.send(frame)
    outer.send(peer.seal(packets[3]))
    assert [inner.recv(65536) for _ in range(3)] == packets[1:4]

    inner.send(packets[9])
    got = Gre.parse(outer.recv(65536))
    assert (got.sequence, got.acknowledged) == (len(packets), peer.sequence)
    inner.close()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert output == f"sent {len(packets) + 1}, received 3, dropped 3\n"


class Dialler:
    """A ScriptedClient on a TCP connection, its GRE on a datagram socket."""

    def __init__(self, tcp: socket.socket, outer: socket.socket) -> None:
        link = LinkConfig(
            role=LinkRole.PEER,
            methods=(AuthMethod.MSCHAP_V2,),
            user="pptpuser",
            password="cisco123",
            mppe=MppePolicy(required=True),
        )
        self.tcp = tcp
        self.outer = outer
        self.client = ScriptedClient(link, rng=os.urandom, now=time.monotonic())
        self.client.connect(time.monotonic())
        self.peer = Peer()
        self.data: list[Gre] = []

    def until(self, what: Callable[[], object]) -> None:
        """Carry octets both ways until it is so."""
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, "the headend did not do it in time"
            self._send()
            ready, _, _ = select.select([self.tcp, self.outer], [], [], 0.1)
            if self.tcp in ready:
                self.client.receive_data(self.tcp.recv(65536), time.monotonic())
            if self.outer in ready:
                self._received(Gre.parse(self.outer.recv(65536)))
            self.client.handle_timer(time.monotonic())
        self._send()

    def _send(self) -> None:
        if data := self.client.data_to_send():
            self.tcp.sendall(data)
        for call in self.client.calls:
            self.peer.call_id = call.call.peer_call_id
            for frame in call.outbox:
                self.outer.send(self.peer.frame(b"\xff\x03" + frame))
            call.outbox.clear()

    def _received(self, packet: Gre) -> None:
        if packet.payload[:4] == b"\xff\x03\x00\xfd" or packet.payload[:1] == b"\xfd":
            self.data.append(packet)
        elif packet.payload:
            frame = packet.payload.removeprefix(b"\xff\x03")
            self.client.receive_frame(packet.call_id, frame, time.monotonic())

    def arm(self) -> Peer:
        """The peer, with the keys that were negotiated."""
        (call,) = self.client.calls
        keys = {e.direction: e.start_key for e in call.events if isinstance(e, SetKeys)}
        self.peer.arm(keys[Direction.SEND], keys[Direction.RECEIVE])
        return self.peer


def test_headend_without_asyncio(stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    outer, theirs_outer = pair(stack, socket.SOCK_DGRAM)
    inner, theirs_inner = pair(stack, socket.SOCK_DGRAM)
    address = listener.getsockname()
    ends = (listener, theirs_outer, theirs_inner)
    command = [sys.executable, str(EMBED / "python" / "headend.py")]
    command += [str(end.fileno()) for end in ends]
    process = start(stack, command, *ends)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    tcp = stack.enter_context(socket.create_connection(address, PATIENCE))
    dialler = Dialler(tcp, outer)
    dialler.until(lambda: any(call.is_up for call in dialler.client.calls))
    (call,) = dialler.client.calls
    up = call.last(IpUp)
    assert up is not None
    assert up.local == IPv4Address("172.16.1.10")

    peer = dialler.arm()
    packet = ipv4(b"to the inside", source=up.local, target=INSIDE)
    outer.send(peer.seal(packet))
    assert inner.recv(65536) == packet
    answer = ipv4(b"to the peer", source=INSIDE, target=up.local)
    inner.send(answer)
    dialler.until(lambda: dialler.data)
    assert peer.open(dialler.data[0].payload) == answer

    dialler.client.hang_up(call, time.monotonic())
    dialler.until(lambda: call.ended)
    process.send_signal(signal.SIGTERM)
    dialler.until(lambda: dialler.client.ended)
    tcp.close()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert output.endswith("stopped\n")
    for told in ("AUTH/22", "PPP/112", "PPP/120", "PPTP/35", "AUTH/28"):
        assert told in output, output
    assert "SYSTEM/123" not in output
