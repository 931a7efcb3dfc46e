"""fastpptp install-unit, uninstall-unit: the headend as a service of systemd."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click

from fastpptp.cli.common import Environment, environment
from fastpptp.errors import UnavailableError

UNIT = Path("/etc/systemd/system/fastpptp.service")
FILES = {
    UNIT: "fastpptp.service",
    Path("/etc/sysusers.d/fastpptp.conf"): "fastpptp.sysusers",
    Path("/etc/tmpfiles.d/fastpptp.conf"): "fastpptp.tmpfiles",
    Path("/etc/logrotate.d/fastpptp"): "fastpptp.logrotate",
}
MARK = "# Written by `fastpptp install-unit`"
RUNNING = Path("/run/systemd/system")  # sd_booted(3)
TOOLS = ("systemd-sysusers", "systemd-tmpfiles")
HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))  # by ProtectHome=

ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Only write the files, below DIR.",
)


@click.command("install-unit")
@ROOT
@environment
def install_unit(env: Environment, root: Path | None) -> None:
    """Install the systemd service fastpptp, its user, its directories and log rotation."""
    if root is None:
        _check_tools()
    made = write(root)
    if root is None:
        _run("systemd-sysusers", "/etc/sysusers.d/fastpptp.conf")
        _run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/fastpptp.conf")
        _reload_systemd()
    env.answer({"installed": list(map(str, made))}, lambda: _print_installed(made))


@click.command("uninstall-unit")
@ROOT
@environment
def uninstall_unit(env: Environment, root: Path | None) -> None:
    """Stop the systemd service fastpptp and take away what install-unit has written.

    The user, /var/lib/fastpptp, /var/log/fastpptp and /etc/fastpptp stay.
    """
    if root is None and RUNNING.exists() and UNIT.exists():
        _run("systemctl", "disable", "--now", UNIT.name)
    gone = [_below(root, place) for place in FILES if _below(root, place).exists()]
    for path in gone:
        path.unlink()
    if root is None:
        _reload_systemd()
    env.answer({"removed": list(map(str, gone))}, lambda: _print_removed(gone))


def executable() -> Sequence[str]:
    """How this installation's command line is called."""
    script = Path(sysconfig.get_path("scripts")) / "fastpptp"
    return [str(script)] if script.exists() else [sys.executable, "-m", "fastpptp"]


def check_reachable(program: str) -> None:
    """UnavailableError where the service's user could not execute it."""
    path = Path(program)
    remedy = "Install it elsewhere first: make install puts it into /opt/fastpptp."
    for hidden in HIDDEN:
        if hidden in path.parents:
            raise UnavailableError(f"the service may not look into {hidden}: {program}", remedy)
    for around in path.parents:
        if not around.stat().st_mode & stat.S_IXOTH:
            raise UnavailableError(f"{around} is closed to the service's user: {program}", remedy)


def _below(root: Path | None, place: Path) -> Path:
    return place if root is None else root / place.relative_to("/")


def write(root: Path | None) -> list[Path]:
    """Write all files, for this installation; where they are."""
    program = executable()
    check_reachable(program[0])
    return [_write(place, name, program, root) for place, name in FILES.items()]


def _write(place: Path, name: str, program: Sequence[str], root: Path | None) -> Path:
    target = _below(root, place)
    text = resources.files("fastpptp").joinpath("systemd", name).read_text(encoding="utf-8")
    if place == UNIT and target.exists() and not target.read_text().startswith(MARK):
        raise UnavailableError(
            f"{target} is not from install-unit", "Move it away, then run this again."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text.replace("@EXECUTABLE@", " ".join(map(quoted, program))))
    target.chmod(0o644)
    return target


def quoted(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), Command lines)."""
    word = word.replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if " " in word else word


def _check_tools() -> None:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise UnavailableError(
                f"this machine has no {tool}", "It is systemd's (Debian: apt-get install systemd)."
            )


def _reload_systemd() -> None:
    if RUNNING.exists():
        _run("systemctl", "daemon-reload")


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{' '.join(words)}: {error.stderr.strip()}") from None


def _print_installed(made: Sequence[Path]) -> None:
    for path in made:
        click.echo(f"Written: {path}")
    click.echo(
        "Next, unless there is a store already: fastpptp init --generate-password\n"
        "Then: systemctl enable --now fastpptp"
    )


def _print_removed(gone: Sequence[Path]) -> None:
    for path in gone:
        click.echo(f"Removed: {path}")
    if not gone:
        click.echo("Nothing was installed.")
