"""fastpptp dial: call a headend, ours or another."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from fastpptp.bootstrap import OUTER_BACKENDS, PPTP_PORT
from fastpptp.cli.common import FAILED, Environment, checked, environment, ipv4, print_fields
from fastpptp.cli.passwords import read_password
from fastpptp.errors import UnavailableError
from fastpptp.methods import AuthMethod
from fastpptp.settings.kinds import AUTHENTICATION_PROTOCOLS

if TYPE_CHECKING:
    from fastpptp.client.dial import Negotiated
    from fastpptp.ppp.config import LinkConfig

STRONGEST_FIRST = (AuthMethod.MSCHAP_V2, AuthMethod.MSCHAP_V1, AuthMethod.CHAP, AuthMethod.PAP)

# What --mppe takes: required, and the key lengths; none is no encryption at all.
MPPE: Mapping[str, tuple[bool, frozenset[int]]] = MappingProxyType(
    {
        "required": (True, frozenset({40, 56, 128})),
        "128": (True, frozenset({128})),
        "56": (True, frozenset({56})),
        "40": (True, frozenset({40})),
        "optional": (False, frozenset({40, 56, 128})),
        "none": (False, frozenset()),
    }
)
PASSWORD_VARIABLE = "FASTPPTP_PASSWORD"


def _methods(text: str) -> tuple[AuthMethod, ...]:
    wanted = AUTHENTICATION_PROTOCOLS.load(text)
    return tuple(method for method in STRONGEST_FIRST if method in wanted)


@click.command()
@click.argument("server")
@click.option("--user", required=True, help="The user to log in as.")
@click.option("--password", help="Seen by other users of this machine: prefer a file.")
@click.option(
    "--password-file",
    type=click.File(),
    metavar="FILE",
    help="Take the first line of FILE, - is standard input.",
)
@click.option(
    "--password-env",
    metavar="VARIABLE",
    default=PASSWORD_VARIABLE,
    show_default=True,
    help="Take it from this environment variable, if that is set.",
)
@click.option(
    "--mppe",
    type=click.Choice(list(MPPE)),
    default="128",
    show_default=True,
    help="Encryption: a key length to require, any length, optional, or none.",
)
@click.option("--stateful", is_flag=True, help="Ask for stateful MPPE: a key for 256 packets.")
@click.option(
    "--methods",
    callback=checked(_methods),
    default="MSCHAPv2",
    show_default=True,
    metavar="NAME,...",
    help="Authentication: " + AUTHENTICATION_PROTOCOLS.allowed + ".",
)
@click.option(
    "--route",
    "routes",
    multiple=True,
    callback=checked(ip_network),
    metavar="NETWORK",
    help="Route this into the tunnel; repeatable. 0.0.0.0/0 is everything, ::/0 all IPv6.",
)
@click.option("--ipv6", is_flag=True, help="Ask for IPv6 as well.")
@click.option(
    "--address",
    callback=checked(ipv4),
    metavar="ADDRESS",
    help="Ask for this address; without it take what is given.",
)
@click.option(
    "--new-password-file",
    type=click.File(),
    metavar="FILE",
    help="The first line of FILE is the new password if the headend wants one (expired).",
)
@click.option("--mru", type=click.IntRange(576, 1500), default=1400, show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=PPTP_PORT, show_default=True)
@click.option(
    "--tun", metavar="NAME", default="pptp%d", show_default=True, help="Name of the TUN device."
)
@click.option(
    "--outer",
    type=click.Choice(OUTER_BACKENDS),
    default="auto",
    show_default=True,
    help="How GRE goes, as for serve.",
)
@click.option("--ping", metavar="ADDRESS", help="Ping this through the tunnel, then hang up.")
@click.option(
    "--count", type=click.IntRange(1), default=5, show_default=True, help="How often to ping."
)
@click.option("--exec", "command", metavar="COMMAND", help="Run this, then hang up.")
@environment
def dial(
    env: Environment, server: str, password: str | None, password_file: Any, password_env: str,
    ping: str | None, count: int, command: str | None, **given: Any,
) -> None:  # fmt: skip
    """Dial the PPTP headend SERVER and bring up a tunnel, until Ctrl-C.

    With --ping or --exec hang up after that, with its exit code. No other route than those
    asked for is changed.
    """
    from fastpptp.client.dial import DialOptions  # numpy and the extension: only where needed
    from fastpptp.client.dial import dial as run

    if password is None and password_file is None:
        password = os.environ.get(password_env)
    secret = read_password(password, password_file)
    if secret is None:
        secret = str(click.prompt("Password", hide_input=True))
    options = DialOptions(
        _resolve(server), given["port"], link_config(secret, **given), given["tun"],
        given["routes"], outer=given["outer"],
    )  # fmt: skip
    words = _ping_words(ping, count) if ping else shlex.split(command or "")

    async def work(agreed: Negotiated) -> int:
        return await _work(env, agreed, words, pinging=ping is not None)

    status = asyncio.run(run(options, work, lambda text: click.echo(text, err=True)))
    click.get_current_context().exit(status)


def link_config(
    password: str, *, user: str, mppe: str, stateful: bool, methods: tuple[AuthMethod, ...],
    mru: int, ipv6: bool = False, address: IPv4Address | None = None,
    new_password_file: Any = None, **_others: Any,
) -> LinkConfig:  # fmt: skip
    """The Link of a dial with these options."""
    from fastpptp.ppp.config import LinkConfig, LinkRole, MppePolicy

    required, bits = MPPE[mppe]
    return LinkConfig(
        role=LinkRole.PEER,
        mru=mru,
        methods=methods,
        user=user,
        password=password,
        new_password=read_password(None, new_password_file),
        ipv6=ipv6,
        request_address=address,
        mppe=MppePolicy(
            enabled=bool(bits), required=required, bits=bits or frozenset({128}),
            ask_stateful=stateful,
        ),
        offload=True,
    )  # fmt: skip


def _resolve(server: str) -> IPv4Address:
    try:
        found = socket.getaddrinfo(server, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise UnavailableError(
            f"{server} is not known: {error.strerror}", "Give a name or an IPv4 address."
        ) from None
    return IPv4Address(found[0][4][0])


def _ping_words(address: str, count: int) -> list[str]:
    return ["ping", "-n", "-i", "0.2", "-W", "2", "-c", str(count), address]


async def _work(env: Environment, agreed: Negotiated, words: list[str], *, pinging: bool) -> int:
    """Tell what was negotiated; run what is to be run, or wait for Ctrl-C."""
    if not env.as_json:
        print_fields(_fields(agreed))
        click.echo("")
    if not words:
        env.answer(agreed.as_json(), lambda: click.echo("The tunnel is up. Ctrl-C hangs up."))
        await asyncio.Event().wait()
    status, output = await _run(words, quiet=env.as_json)
    if env.as_json:
        said = _ping_result(output) if pinging else {"status": status}
        env.answer(agreed.as_json() | {"ping" if pinging else "exec": said}, lambda: None)
    return status


def _fields(agreed: Negotiated) -> dict[str, object]:
    return {
        "Headend": agreed.server,
        "Authentication": agreed.method,
        "Encryption": agreed.encryption or "None",
        "Address": agreed.address,
        "Server address": agreed.server_address,
        "IPv6": agreed.ipv6,
        "DNS": agreed.dns,
        "WINS": agreed.wins,
        "MRU": agreed.mru,
        "MTU": agreed.mtu,
        "Device": agreed.tun,
        "Call-IDs": f"local {agreed.local_call_id}, peer {agreed.peer_call_id}",
    }


async def _run(words: list[str], *, quiet: bool) -> tuple[int, str]:
    """A command's exit status, 0 or FAILED, and what it printed if that is not to be seen."""
    output = asyncio.subprocess.PIPE if quiet else None
    try:
        process = await asyncio.create_subprocess_exec(*words, stdout=output)
    except FileNotFoundError:
        raise UnavailableError(
            f"{words[0]} is not installed", "Debian: apt-get install iputils-ping for ping."
        ) from None
    try:
        printed, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    return (FAILED if process.returncode else 0), (printed or b"").decode(errors="replace")


def _ping_result(output: str) -> dict[str, Any]:
    """What ping says in its last lines: packets, and round trips in ms."""
    packets = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", output)
    counts = {"sent": int(packets[1]), "received": int(packets[2])} if packets else {}
    return counts | ({"min": float(times[1]), "avg": float(times[2]), "max": float(times[3])}
                     if times else {})  # fmt: skip
