"""fastpptp init and serve."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fastpptp.bootstrap import MAX_WORKERS, OUTER_BACKENDS, PROFILES, Bootstrap
from fastpptp.cli.common import Environment, checked, environment, ipv4
from fastpptp.cli.passwords import generated
from fastpptp.server import privileges
from fastpptp.settings import profiles

PROFILE = click.option(
    "--profile", type=click.Choice(PROFILES),
    help="default: MSCHAPv2, 128-bit, required. reference: the VPN 3000 walk-through's. "
    "empty: as default, without a group, a user or a pool.",
)  # fmt: skip


@click.command()
@PROFILE
@click.option("--generate-password", is_flag=True, help="Not the published one; print it.")
@environment
def init(env: Environment, profile: str | None, generate_password: bool) -> None:
    """Make the store and its key file, with a profile's group, user and pool."""
    done = _init(env.bootstrap, profile, generate_password)
    env.answer(done, lambda: _print_init(done))


def _init(settings: Bootstrap, profile: str | None, generate_password: bool) -> dict[str, str]:
    """Create the store; what was made, for people and programs. A known password is not told."""
    from fastpptp.store import Store  # half of a command's start: only where needed

    password = generated() if generate_password else profiles.PASSWORD
    chosen = profile or settings.profile
    _make_state_directory(settings)
    tree = profiles.PROFILES[chosen](password)
    with Store.create(settings.store_url, settings.key_path, tree) as store:
        done = {"store": store.url, "key_file": str(settings.key_path), "profile": chosen}
    if not tree.users:
        return done
    done |= {
        "user": profiles.USER_NAME,
        "group": profiles.GROUP_NAME,
        "pool": str(profiles.POOL),
    }
    return done | ({"password": password} if generate_password else {})


def _make_state_directory(settings: Bootstrap) -> None:
    """For the user who will run the headend: what is made in it by root is then the user's, too."""
    user = privileges.account(settings) if os.geteuid() == 0 else None
    if user is not None and not settings.state_directory.exists():
        settings.state_directory.mkdir(mode=0o700, parents=True)
        os.chown(settings.state_directory, user.uid, user.gid)


def _print_init(done: dict[str, str]) -> None:
    click.echo(f"Store {done['store']} made, with the key file {done['key_file']}.")
    click.echo("Keep both: without the key the passwords in the store cannot be read.")
    if "user" not in done:
        click.echo(f"Profile {done['profile']}: no group, no user and no pool yet.")
        return
    click.echo(
        f"Profile {done['profile']}: user {done['user']}, group {done['group']}, "
        f"pool {done['pool']}."
    )
    if "password" in done:
        click.echo(f"Password of {done['user']}: {done['password']}")
    else:
        click.echo(
            f"{done['user']} has the password of the documentation. Before you open this to a "
            f"network: fastpptp user set {done['user']} --generate-password"
        )


@click.command()
@click.option(
    "--listen",
    multiple=True,
    metavar="ADDRESS",
    callback=checked(ipv4),
    help="Listen on this address of the machine; repeatable. Default: all.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="TCP port, default 1723.")
@click.option("--tun", metavar="NAME", help="Name of the TUN device, default pptp0.")
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    help="Dataplane workers; default one a core but one.",
)
@click.option(
    "--outer",
    type=click.Choice(OUTER_BACKENDS),
    help="How GRE is sent. raw: by the raw socket; auto (default): by AF_PACKET where the next hop "
    "is known and no firewall rule or IPsec policy looks at GRE; packet: past those, too; "
    "xdp: and received, by AF_XDP.",
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append the event log to FILE.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="Started as root, become this user once the sockets are open.",
)
@click.option("--share-gre", is_flag=True, help="Start although another program uses GRE here.")
@PROFILE
@environment
def serve(env: Environment, share_gre: bool, profile: str | None, **given: Any) -> None:
    """Run the headend until SIGTERM or Ctrl-C; SIGHUP has it follow the store.

    With --profile the store is made first, if there is none.
    """
    # numpy would start threads, which would keep the rights that the headend gives up.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from fastpptp.server.serve import serve as run  # numpy and the extension: only where needed

    changes = {name: value for name, value in given.items() if value not in (None, ())}
    settings = replace(env.bootstrap, **changes)
    if profile is not None and not (settings.state_directory / "fastpptp.db").exists():
        _print_init(_init(settings, profile, generate_password=False))
    run(
        settings,
        config=env.config,
        share_gre=share_gre,
        ready=lambda listening: click.echo(f"fastpptp: listening on {listening}"),
    )
