"""The rights of the headend's process: few while it runs, and those of no root.

Sockets, TUN and BPF programs are opened first. Then `drop` is called, before there is a thread
that parses what peers send, and before a file is made. What is left in effect is CAP_NET_ADMIN
(routes, neighbour proxies, nftables, forwarding) and CAP_NET_RAW (next hops' packet sockets,
pings). CAP_NET_BIND_SERVICE stays permitted and is raised for the moment in which port 67 or 161 is
bound, since DHCP and SNMP may be switched on at any time, or that of the metrics; it is nothing
that CAP_NET_ADMIN could not get (net.ipv4.ip_unprivileged_port_start). Where interfaces get XDP
programs later, CAP_BPF stays permitted and, for the frames that AF_XDP locks in memory,
CAP_IPC_LOCK.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from fastpptp.backends import capabilities
from fastpptp.backends.capabilities import Capability, Sets, mask
from fastpptp.bootstrap import Bootstrap
from fastpptp.errors import ConfigurationError, Problem, UnavailableError

IN_EFFECT = (Capability.NET_ADMIN, Capability.NET_RAW)
FOR_A_MOMENT = (Capability.NET_BIND_SERVICE,)
FOR_XDP = (Capability.BPF, Capability.IPC_LOCK)
FOR_PROGRAMS = (Capability.NET_ADMIN,)  # nft

PROGRAM = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine, with its groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def account(bootstrap: Bootstrap) -> Account | None:
    """Who the headend is to be after set-up; None: who it is already.

    ConfigurationError for a user whom this machine does not know, UnavailableError when this
    process cannot become that user.
    """
    if bootstrap.user is None:
        return None
    try:
        found = pwd.getpwnam(bootstrap.user)
    except KeyError:
        raise ConfigurationError(
            Problem(
                "user",
                f"this machine has no user {bootstrap.user}",
                f"useradd --system --home-dir {bootstrap.state_directory} --shell "
                f"/usr/sbin/nologin {bootstrap.user}, or name another user",
            )
        ) from None
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise UnavailableError(
            f"only root can become the user {bootstrap.user}",
            f"Start it as root or as {bootstrap.user}, or take `user` out of the bootstrap file.",
        )
    groups = os.getgrouplist(found.pw_name, found.pw_gid)
    return Account(found.pw_name, found.pw_uid, found.pw_gid, tuple(groups))


def drop(bootstrap: Bootstrap, become: Account | None) -> None:
    """Become that user, keep what the head of this file tells, and get nothing back.

    For the thread that makes all others. Root without a user to become stays as it is.
    UnavailableError when it cannot be done, or when that user could not go on with what there is.
    """
    if become is None and os.geteuid() == 0:
        return
    try:
        if become is not None:
            _become(become)
        _limit(IN_EFFECT, FOR_A_MOMENT + (FOR_XDP if bootstrap.outer == "xdp" else ()))
        capabilities.prctl(capabilities.PR_SET_NO_NEW_PRIVS, 1)
        capabilities.prctl(capabilities.PR_SET_DUMPABLE, 0)
    except OSError as error:
        raise UnavailableError(
            f"the rights of this process cannot be given up: {error.strerror}",
            "It takes CAP_SETUID and CAP_SETGID to become another user.",
        ) from None
    if become is not None:
        _check_reach(bootstrap, become)


def _become(account: Account) -> None:
    """The C library has every thread follow; capabilities are kept by this one alone."""
    capabilities.prctl(capabilities.PR_SET_KEEPCAPS, 1)
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    capabilities.prctl(capabilities.PR_SET_KEEPCAPS, 0)


def _limit(effective: tuple[Capability, ...], more: tuple[Capability, ...]) -> None:
    permitted = capabilities.current().permitted
    capabilities.prctl(capabilities.PR_CAP_AMBIENT, capabilities.PR_CAP_AMBIENT_CLEAR_ALL)
    capabilities.change(
        Sets(
            permitted & mask(effective),
            permitted & mask(effective + more),
            permitted & mask(FOR_PROGRAMS),
        )
    )


def _check_reach(bootstrap: Bootstrap, account: Account) -> None:
    """What is opened later: the program's own files, and the state directory."""
    for path in (Path(sys.executable), PROGRAM):
        if not os.access(path, os.R_OK | os.X_OK):
            raise UnavailableError(
                f"the user {account.name} may not read {path}, where this program is",
                "Install it outside of private directories (make install).",
            )
    directory = bootstrap.state_directory
    if directory.exists() and not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise UnavailableError(
            f"the state directory {directory} is not the user {account.name}'s",
            f"chown -R {account.name}: {directory}",
        )
