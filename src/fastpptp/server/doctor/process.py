"""Checks of what the headend's process needs: rights, sockets, files, the time."""

from __future__ import annotations

import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from fastpptp.backends import dhcp as dhcp_port
from fastpptp.dhcp.message import NOWHERE
from fastpptp.errors import UnavailableError
from fastpptp.events.routing import TrapDestination
from fastpptp.recorder.usm import engine_id
from fastpptp.server import preflight
from fastpptp.server.doctor.facts import Facts
from fastpptp.server.doctor.finding import Finding, failure, ok, warning
from fastpptp.settings.effect import nowhere

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def _preflight(name: str, well: str, check: Callable[[], object]) -> Iterator[Finding]:
    try:
        check()
    except UnavailableError as error:
        yield failure(name, error.what, error.remedy)
    else:
        yield ok(name, well)


def capabilities(facts: Facts) -> Iterator[Finding]:
    if facts.running:
        yield ok("capabilities", "the running headend has them")
        return
    yield from _preflight(
        "capabilities",
        "CAP_NET_ADMIN and CAP_NET_RAW are held",
        lambda: preflight.check_capabilities(facts.proc),
    )


def tun_device(facts: Facts) -> Iterator[Finding]:
    yield from _preflight(
        "tun", "/dev/net/tun is there", lambda: preflight.check_tun_device(modprobe=("true",))
    )


def port(facts: Facts) -> Iterator[Finding]:
    """Nobody else has PPTP's port."""
    bootstrap = facts.bootstrap
    if facts.running:
        yield ok("port", f"the running headend has TCP port {bootstrap.port}")
        return

    def try_it() -> None:
        for listener in preflight.listen(bootstrap.listen, bootstrap.port, facts.proc):
            listener.close()

    yield from _preflight("port", f"TCP port {bootstrap.port} is free", try_it)


def dhcp(facts: Facts) -> Iterator[Finding]:
    """Nobody else has the port that DHCP servers answer to."""
    if facts.policy is None or not facts.policy.assignment.dhcp:
        return
    if facts.running:
        yield ok("dhcp", f"the running headend has UDP port {dhcp_port.PORT}, or has said DHCP/108")
        return
    address = facts.policy.dhcp.relay_address or NOWHERE
    yield from _preflight(
        "dhcp", f"UDP port {dhcp_port.PORT} is free", lambda: dhcp_port.open_port(address).close()
    )


def gre(facts: Facts) -> Iterator[Finding]:
    """No other PPTP server answers for GRE."""
    if facts.running:
        yield ok("gre", "the running headend has GRE")
        return
    yield from _preflight(
        "gre", "no other program takes GRE", lambda: preflight.check_gre_free(facts.proc, facts.sys)
    )


def store(facts: Facts) -> Iterator[Finding]:
    if facts.policy is None:
        what, _, remedy = facts.store_problem.partition("\n")
        yield failure("store", what, remedy)
    else:
        yield ok("store", f"opened, revision {facts.policy.revision}")


def events(facts: Facts) -> Iterator[Finding]:
    """Events that are to be sent have somebody to go to."""
    if facts.policy is None:
        return
    lost = list(nowhere(facts.policy.tree))
    for problem in lost:
        yield warning("events", f"{problem.where} {problem.what}", problem.remedy)
    if facts.policy.events.sinks and not lost:
        told = ", ".join(map(str, facts.policy.events.sinks))
        yield ok("events", f"are sent to {told}")
        if any(
            isinstance(sink, TrapDestination) and sink.user for sink in facts.policy.events.sinks
        ):
            yield ok("events", f"SNMPv3 managers know this machine as engine 0x{engine_id().hex()}")


def files(facts: Facts) -> Iterator[Finding]:
    """The key and the store are for their owner alone, who has the state directory too."""
    bootstrap = facts.bootstrap
    url = bootstrap.store_url
    paths = [bootstrap.key_path, *([Path(url.split("///", 1)[1])] if "sqlite:///" in url else [])]
    found = [path for path in paths if path.exists()]
    open_ones = [path for path in found if path.stat().st_mode & OTHERS]
    for path in open_ones:
        mode = stat.S_IMODE(path.stat().st_mode)
        yield warning(
            "files", f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}"
        )
    state = bootstrap.state_directory
    owner = state.stat().st_uid if state.exists() else 0
    foreign = [path for path in found if path.stat().st_uid != owner]
    for path in foreign:
        yield warning(
            "files",
            f"{path} belongs to {_user(path.stat().st_uid)}, the state directory to {_user(owner)}",
            f"chown {_user(owner)}: {path}",
        )
    if found and not open_ones and not foreign:
        yield ok("files", f"{' and '.join(map(str, found))}: for their owner alone")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def clock(facts: Facts) -> Iterator[Finding]:
    if facts.clock_synchronized:
        yield ok("clock", "the clock is synchronized")
    else:
        yield warning(
            "clock",
            "the kernel says that nothing keeps the clock right; access hours and the log need it",
            "apt-get install systemd-timesyncd (or chrony)",
        )
