"""What a headend takes from this machine: sockets, TUN, routes, firewall rule, dataplane.

What takes rights is opened first: sockets, TUN, BPF programs. The rest is done with the few that
are kept (privileges.py). Everything is opened, or nothing is, and everything is given back.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from fastpptp.backends import attached, netdev
from fastpptp.backends.firewall import Firewall
from fastpptp.backends.forwarding import Forwarding
from fastpptp.backends.nftables import OwnTable
from fastpptp.bootstrap import Bootstrap
from fastpptp.dataplane import Dataplane
from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.server import preflight
from fastpptp.server.net import Offload, Tun, open_gre, open_receiver_of_last_resort, open_tun
from fastpptp.server.passage import Passage
from fastpptp.server.reach import NeighbourProxies, Reach
from fastpptp.server.routes import DeviceThread, server_addresses
from fastpptp.server.sending import PacketDataplane, XdpDataplane
from fastpptp.settings.resolve import PolicySnapshot

# Every inner packet fits: the largest MRU that LCP may agree on.
INNER_MTU = 1500

# In the state directory: which of the kernel's switches are on because of us.
FORWARDING_NOTE = "forwarding"


class Machine:
    """A context manager, in which `start` is called once: after it the dataplane runs.

    UnavailableError says what this machine or process lacks. `notices` are events about what
    is missing and was done without.
    """

    listeners: Sequence[socket.socket]
    dataplane: Dataplane
    reach: Reach
    receive_buffer: int
    tun: Tun

    def __init__(
        self,
        bootstrap: Bootstrap,
        *,
        share_gre: bool = False,
    ) -> None:
        self._bootstrap = bootstrap
        self._share_gre = share_gre
        self._record: Callable[[Occurrence], object] | None = None
        self._stack = ExitStack()
        self.notices: list[Occurrence] = []

    def __enter__(self) -> Machine:
        with self._stack as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start(self, policy: PolicySnapshot, record: Callable[[Occurrence], object]) -> None:
        """Configure the TUN and run. `record` is told, on any thread, what is refused later."""
        stack = self._stack
        netdev.bring_up(self.tun.name, server_addresses(policy), mtu=INNER_MTU)
        forwarding = Forwarding(note=self._bootstrap.state_directory / FORWARDING_NOTE)
        stack.callback(_quietly, forwarding.restore)
        thread = DeviceThread(self.tun.name, self._change_failed)
        stack.callback(thread.close)
        self.reach = self._reach(stack, thread)
        self._passage = Passage(thread, self._table, forwarding)
        self.dataplane.start()
        self._record = record

    def follow(self, policy: PolicySnapshot) -> None:
        """Have routes, forwarding and NAT be as this policy wants them, on a thread of theirs."""
        self.reach.follow(policy)
        self._passage.follow(policy)

    def _open(self, stack: ExitStack) -> None:
        bootstrap = self._bootstrap
        preflight.check_capabilities()
        preflight.check_tun_device()
        self.listeners = preflight.listen(bootstrap.listen, bootstrap.port)
        for listener in self.listeners:
            stack.callback(listener.close)
        if not self._share_gre:
            preflight.check_gre_free()
        self._table = self._guard(stack)
        outer = [open_gre() for _ in range(bootstrap.worker_count)]
        for gre in outer:
            stack.callback(gre.close)
        self.tun = open_tun(bootstrap.tun, bootstrap.worker_count)
        stack.callback(self.tun.close)
        self.dataplane = open_dataplane(
            stack, bootstrap.outer, outer, self.tun,
            refused=self._xdp_refused, restored=self._xdp_restored,
        )  # fmt: skip
        stack.callback(self.dataplane.close)
        self.receive_buffer = min(
            gre.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for gre in outer
        )
        self._see_whether_calls_move()

    def _guard(self, stack: ExitStack) -> OwnTable:
        """Keep the kernel from answering GRE with ICMP protocol-unreachable."""
        table = OwnTable(self._bootstrap.tun)
        stack.callback(_quietly, table.remove)
        try:
            table.install()
        except UnavailableError as error:
            stack.callback(open_receiver_of_last_resort().close)
            problem = f"{error.what}; a second raw socket does its work"
            self.notices.append(occur("SYSTEM", 122, feature="nftables", problem=problem))
        return table

    def _xdp_refused(self, where: str, problem: str) -> None:
        text = f"{problem}; the other sockets do its work"
        refusal = occur("SYSTEM", 122, feature=f"AF_XDP {where}", problem=text)
        self._tell(refusal)

    def _xdp_restored(self, where: str) -> None:
        self._tell(occur("SYSTEM", 125, feature=f"AF_XDP {where}"))

    def _tell(self, occurrence: Occurrence) -> None:
        if self._record is None:
            self.notices.append(occurrence)
        else:
            self._record(occurrence)

    def _see_whether_calls_move(self) -> None:
        if self.dataplane.workers > 1 and not self.dataplane.movable:
            problem = "without CAP_BPF sessions stay with the worker that their Call ID gives them"
            self.notices.append(
                occur("SYSTEM", 122, feature="SEP Card Assignment", problem=problem)
            )

    def _reach(self, stack: ExitStack, thread: DeviceThread) -> Reach:
        attached.sweep()
        surroundings = attached.Surroundings()
        stack.callback(surroundings.close)
        proxies = NeighbourProxies(thread, surroundings, self._tell)
        return Reach(thread, proxies, surroundings)

    def _change_failed(self, error: Exception) -> None:
        if isinstance(error, UnavailableError):
            self._tell(occur("SYSTEM", 124, problem=error.what))
        else:
            self._tell(occur("SYSTEM", 123, problem=str(error)))


def open_dataplane(
    stack: ExitStack,
    kind: str,
    outer: Sequence[socket.socket],
    tun: Tun,
    *,
    refused: Callable[[str, str], object] = lambda where, problem: None,
    restored: Callable[[str], object] = lambda where: None,
) -> Dataplane:
    """A dataplane with one worker for each raw socket and queue; not started.

    `kind` is one of bootstrap.OUTER_BACKENDS. `refused` is told where AF_XDP was wanted and
    why it cannot be, `restored` where it can after all.
    """
    fds = [gre.fileno() for gre in outer]
    options: dict[str, Any] = {
        "vnet_header": tun.offload is not Offload.NONE,
        "udp_offload": tun.offload is Offload.TCP_AND_UDP,
        "inner_mtu": INNER_MTU,
    }
    if kind == "raw":
        return Dataplane(fds, tun.fds, **options)
    if kind == "xdp":
        try:
            return XdpDataplane(fds, tun.fds, refused=refused, restored=restored, **options)
        except OSError as error:
            refused("here", error.strerror or str(error))
    allowed = _nothing_in_the_way
    if kind == "auto":
        firewall = Firewall()
        stack.callback(firewall.close)
        allowed = firewall.leaves_gre_alone
    return PacketDataplane(fds, tun.fds, allowed=allowed, **options)


def _nothing_in_the_way() -> bool:
    return True


def _quietly(remove: Callable[[], None]) -> None:
    """At the end there is nobody left to tell."""
    with suppress(UnavailableError):
        remove()
