"""The Network-Layer Protocol phase of one Link: IPCP, IPv6CP and the gates for their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any

from fastpptp.ppp.config import AddressAnswer, LinkConfig, LinkRole
from fastpptp.ppp.events import (
    CloseGate,
    IpDown,
    IpUp,
    Ipv6Down,
    Ipv6Up,
    LinkEvent,
    OpenGate,
)
from fastpptp.ppp.frames import Protocol
from fastpptp.ppp.fsm import ControlProtocol, Owner
from fastpptp.ppp.fsm_table import State
from fastpptp.ppp.ipcp import AskingIpcp, AssigningIpcp, requested_address
from fastpptp.ppp.ipv6cp import Ipv6cp

_FINISHED = frozenset({State.INITIAL, State.CLOSED, State.STOPPED})


class Network:
    """The NCPs. They wait in Starting from begin() until start(): addresses come first.

    `due` is when start() is overdue although the peer's IPCP has not asked, else None.
    """

    __slots__ = (
        "_config",
        "_emit",
        "_gates",
        "_ipcp",
        "_ipv6cp",
        "_owner",
        "_rng",
        "_running",
        "due",
    )

    def __init__(
        self,
        config: LinkConfig,
        owner: Owner,
        emit: Callable[[LinkEvent], None],
        *,
        rng: Callable[[int], bytes],
    ) -> None:
        self._config = config
        self._owner = owner
        self._emit = emit
        self._rng = rng
        self.due: float | None = None
        self._running = False
        self._gates: tuple[int, ...] = ()
        self._make()

    def _make(self) -> None:
        config, timing = self._config, self._config.timing
        self._ipcp: AskingIpcp | AssigningIpcp
        if config.role is LinkRole.PEER:
            self._ipcp = AskingIpcp(timing, self._owner, config.request_address)
        else:
            self._ipcp = AssigningIpcp(timing, self._owner)
        self._ipv6cp = Ipv6cp(timing, self._owner, rng=self._rng) if config.ipv6 else None

    @property
    def layers(self) -> tuple[ControlProtocol, ...]:
        """The NCPs that we speak."""
        return (self._ipcp, self._ipv6cp) if self._ipv6cp else (self._ipcp,)

    @property
    def asked(self) -> bool:
        """Whether the peer's IPCP waits for us."""
        return bool(self._ipcp.early)

    @property
    def requested(self) -> IPv4Address | None:
        """The address that it asked for."""
        return requested_address(self._ipcp.early)

    @property
    def open(self) -> bool:
        """Whether data of any IP version may pass."""
        return bool(self._gates)

    @property
    def exhausted(self) -> bool:
        """Whether every NCP has come to its end."""
        return self._running and all(layer.state in _FINISHED for layer in self.layers)

    def begin(self, now: float) -> None:
        """The phase begins. A peer that stays silent for a Restart period is not waited for."""
        self._make()
        for layer in self.layers:
            layer.open(now)
        self.due = now + self._config.timing.restart

    def start(self, answer: AddressAnswer | None, now: float) -> None:
        """Up, for all that have an address to speak of; None: the peer will give us ours."""
        self.due = None
        self._running = True
        if answer is not None and isinstance(self._ipcp, AssigningIpcp):
            self._ipcp.assign(answer)
        self._ipcp.up(now)
        if self._ipv6cp is not None:
            self._start_ipv6cp(self._ipv6cp, answer, now)

    @staticmethod
    def _start_ipv6cp(layer: Ipv6cp, answer: AddressAnswer | None, now: float) -> None:
        if answer is not None:
            layer.identifier.assign(answer.local_identifier, answer.peer_identifier)
        if answer is None or answer.ipv6:
            layer.up(now)
        else:
            layer.close(now)

    def end(self, now: float) -> None:
        """The phase is over."""
        self.due = None
        self._running = False
        for layer in self.layers:
            layer.down(now)

    def move_gates(self, may_pass: bool) -> None:
        """Open and close what follows from the NCPs; nothing is open unless `may_pass`."""
        for version, layer in zip((4, 6), self.layers, strict=False):
            if may_pass and layer.opened and version not in self._gates:
                self._gates += (version,)
                self._emit(OpenGate(version))
            elif version in self._gates and not (may_pass and layer.opened):
                self._gates = tuple(gate for gate in self._gates if gate != version)
                self._emit(CloseGate(version))

    def up(self, layer: ControlProtocol) -> None:
        """This-Layer-Up of an NCP."""
        if isinstance(layer, Ipv6cp):
            self._emit(Ipv6Up(layer.local, layer.peer))
        else:
            ipcp = self._ipcp
            self._emit(IpUp(ipcp.local, ipcp.peer, ipcp.dns, ipcp.nbns))

    def down(self, layer: ControlProtocol) -> None:
        """This-Layer-Down of an NCP."""
        self._emit(IpDown() if layer.protocol == Protocol.IPCP else Ipv6Down())

    def snapshot(self) -> dict[str, Any]:
        return {
            "due": self.due,
            "running": self._running,
            "gates": list(self._gates),
            "layers": [layer.snapshot() for layer in self.layers],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self.due = snapshot["due"]
        self._running = snapshot["running"]
        self._gates = tuple(snapshot["gates"])
        for layer, fields in zip(self.layers, snapshot["layers"], strict=True):
            layer.restore(fields)
