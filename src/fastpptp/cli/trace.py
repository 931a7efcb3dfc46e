"""fastpptp trace: the packets of a session, for Wireshark."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from fastpptp.cli.common import Environment, checked, environment, ipv4, writing
from fastpptp.errors import ConfigurationError, FastpptpError, Problem, UnavailableError

if TYPE_CHECKING:
    from fastpptp.admin.client import AdminClient, TraceStream
    from fastpptp.trace.pcapng import BlockReader

STANDARD_OUTPUT = Path("-")
MODE = 0o600
MEGABYTE = 1_000_000


@click.command()
@click.option("--session", type=click.IntRange(1), metavar="ID", help="One session, to its end.")
@click.option("--user", metavar="NAME", help="All sessions of a user, now and to come.")
@click.option(
    "--address", metavar="IP", callback=checked(ipv4),
    help="All sessions of whoever has this address, assigned or public, now and to come.",
)  # fmt: skip
@click.option(
    "--pcap", "path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    required=True, help="Write this file, for its owner's eyes alone; - is standard output.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--inner", is_flag=True, help="The packets in the tunnel too, decrypted.")
@click.option(
    "--snap", type=click.IntRange(64, 2048), default=2048, show_default=True,
    help="Octets to keep of each packet.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@click.option(
    "--seconds", type=click.FloatRange(0.001, 2_592_000), metavar="N", help="End after N seconds."
)
@click.option(
    "--size", type=click.FloatRange(0.01, 1e9), metavar="MB", help="End before FILE is larger."
)
@environment
def trace(
    env: Environment, path: Path, force: bool, inner: bool, size: float | None,
    session: int | None, user: str | None, address: IPv4Address | None, **bounds: Any,
) -> None:  # fmt: skip
    """Write the packets of sessions to FILE, in the form that Wireshark and tshark read, until
    Ctrl-C. To look on:

    fastpptp trace --user alice --inner --pcap - | wireshark -k -i -

    The file holds the outer packets as they come and go, with the messages of the control
    connection, and with --inner what went through the tunnel. Passwords may be in it.
    """
    whom = {"session": session, "user": user, "address": address}
    if sum(value is not None for value in whom.values()) != 1:
        raise click.UsageError("Say whose packets: --session, --user or --address.")
    check(path, force)
    octets = None if size is None else int(size * MEGABYTE)
    headend = env.headend()
    stream = headend.trace(**whom, inner=int(inner), size=octets, **bounds)
    try:
        with opened(path, force) as file, ends_on_interrupt(headend, stream):
            told = copy(stream, file, path)
    finally:
        stream.close()
    if path == STANDARD_OUTPUT or not env.as_json:
        click.echo(summary(told, path), err=path == STANDARD_OUTPUT)
    else:
        env.answer({"file": str(path), **counts(told)}, lambda: None)


def check(path: Path, force: bool) -> None:
    """Refuse what cannot be written before anybody's packets are copied."""
    if path == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise click.UsageError("This would fill the terminal: pipe it, or name a file.")
    elif path.is_symlink() or path.exists():
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _wrong(path, "is no plain file", "name a file, or - for standard output")
        if not force:
            raise _wrong(path, "exists", "name another file, or replace it with --force")


def _wrong(path: Path, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Problem(str(path), what, remedy))


@contextmanager
def opened(path: Path, force: bool) -> Iterator[BinaryIO]:
    """The new file, which nobody else may read."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    with writing(path):
        if force:
            path.unlink(missing_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    with os.fdopen(file, "wb", buffering=0) as made:
        yield made


@contextmanager
def ends_on_interrupt(headend: AdminClient, stream: TraceStream) -> Iterator[None]:
    """The first Ctrl-C has the trace come to its end, a second one breaks it off."""

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not for it
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        with suppress(FastpptpError):  # else it has ended by itself: reading will tell
            headend.end_trace(stream.number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def copy(stream: TraceStream, file: BinaryIO, path: Path) -> BlockReader:
    """Write whole blocks as they come, so that what there is can be read at any moment."""
    from fastpptp.trace.pcapng import BlockReader

    reader = BlockReader()
    began = False
    size, held = 0, in_words(reader)
    while data := stream.read():
        blocks = reader.feed(data)
        if blocks and not began:
            began = True
            announce(reader.comment, stream.sessions, path)
        try:
            write(file, blocks)
        except BrokenPipeError:  # whoever looked on has closed the window
            break
        except OSError as error:
            if path != STANDARD_OUTPUT:
                file.truncate(size)
            raise UnavailableError(f"{path}: {error.strerror}", f"it holds {held}") from None
        size, held = size + len(blocks), in_words(reader)
    return reader


def write(file: BinaryIO, blocks: bytes) -> None:
    """All of them: a disk that is nearly full takes some at first."""
    left = memoryview(blocks)
    while left:
        left = left[file.write(left) :]
    file.flush()


def announce(warning: str, sessions: int, path: Path) -> None:
    """The loud note, and what happens now."""
    click.secho(warning, err=True, bold=True, fg="red")
    plural = "" if sessions == 1 else "s"
    now = f"{sessions} session{plural} traced" if sessions else "No such session yet: waiting"
    click.echo(f"{now}. Ctrl-C ends.", err=True)


def counts(reader: BlockReader) -> dict[str, int]:
    outer, inner = (reader.packets.get(number, 0) for number in (0, 1))
    return {"outer": outer, "inner": inner, "lost": sum(reader.dropped.values())}


def in_words(reader: BlockReader) -> str:
    told = counts(reader)
    return f"{told['outer']} outer and {told['inner']} inner packets, {told['lost']} lost"


def summary(reader: BlockReader, path: Path) -> str:
    where = "" if path == STANDARD_OUTPUT else f"{path}: "
    return where + in_words(reader)
