"""A headend that is no root while it runs: what it may, what it still does, what it leaves.

Both ways of getting there: root, that becomes another user once its sockets are open, and the
systemd unit, which starts it as another user with a few capabilities (here: setpriv's).
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from fastpptp.backends.capabilities import Capability, mask
from tests.headend import INNER, Headend
from tests.hosts import Hosts

pytestmark = pytest.mark.netns

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
OUR_SIDE, BEYOND = "198.51.100.1", "198.51.100.2"
NOBODY = pwd.getpwnam("nobody")
REPOSITORY = Path(__file__).resolve().parents[2]

IN_EFFECT = mask([Capability.NET_ADMIN, Capability.NET_RAW])
PERMITTED = IN_EFFECT | mask([Capability.NET_BIND_SERVICE])

CONFIGURATION = """
[base_group]
idle_timeout = 0
[groups.second]
sep_card_assignment = ["2"]
[users.alice]
group = "second"
password = "secret12"
static_routes = ["10.77.0.0/24"]
[[pools]]
first = "172.16.1.10"
last = "172.16.1.20"
[system]
server_address = "172.16.1.1"
forwarding = true
nat = true
proxy_arp = "on"
"""

# A mount namespace in which others than root come to $1, which lies below $2, a private directory.
OPENED = """
mount --bind "$1" /mnt && mount -t tmpfs -o mode=755 tmpfs "$2" && mkdir -p "$1" &&
mount --move /mnt "$1" && shift 2 && exec "$@"
"""


def reachable(path: Path) -> list[str]:
    """What stands before a command whose user must come to `path`."""
    closed = [str(p) for p in reversed(path.parents) if not p.stat().st_mode & 1]
    return ["unshare", "-m", "sh", "-ec", OPENED, "sh", str(path), closed[0]] if closed else []


# As udev has it, whatever made this machine's.
UDEV = """
rm -f "$1" && mknod -m 666 "$1" c 10 200 && mount --bind "$1" /dev/net/tun && shift && exec "$@"
"""


def with_tun(node: Path) -> list[str]:
    """What stands before a command for which /dev/net/tun is open to everybody."""
    return ["unshare", "-m", "sh", "-ec", "umask 0; " + UDEV.strip(), "sh", str(node)]


def as_the_unit() -> list[str]:
    """The user and the capabilities that the systemd unit gives."""
    unit = resources.files("fastpptp").joinpath("systemd/fastpptp.service").read_text()
    sets = {}
    for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
        found = re.search(rf"^{name}=(.*)$", unit, re.MULTILINE)
        assert found
        words = found[1].lower().replace("cap_", "+").split()
        sets[name] = ",".join(["-all", *words])
    ambient = sets["AmbientCapabilities"]
    return [
        "setpriv", "--reuid", NOBODY.pw_name, "--regid", str(NOBODY.pw_gid), "--clear-groups",
        "--inh-caps", ambient, "--ambient-caps", ambient,
        "--bounding-set", sets["CapabilityBoundingSet"], "--no-new-privs",
    ]  # fmt: skip


class Site:
    """client - headend - a host beyond it, which has no route to the pool."""

    def __init__(self, hosts: Hosts, folder: Path, way: str, outer: str = "auto") -> None:
        self.client, self.vpn, self.beyond = (hosts.add(n) for n in ("client", "vpn", "beyond"))
        _, self.outer = hosts.join(self.client, f"{CLIENT}/24", self.vpn, f"{SERVER}/24")
        hosts.join(self.vpn, f"{OUR_SIDE}/24", self.beyond, f"{BEYOND}/24")
        self.log = folder / "log" / "events.log"
        self.log.parent.mkdir()
        os.chown(self.log.parent, NOBODY.pw_uid, NOBODY.pw_gid)
        config = folder / "fastpptp.toml"
        settings = f'log_file = "{self.log}"\nmetrics_listen = "{OUR_SIDE}:80"\n'
        config.write_text(settings + 'user = "nobody"\n' * (way == "user"))
        wrap = reachable(REPOSITORY)
        if way == "unit":
            wrap += [*with_tun(folder / "tun"), *as_the_unit()]
        self.headend = Headend(
            self.vpn, folder / "state", SERVER,
            workers=2, outer=outer, config=config, wrap=wrap,
        )  # fmt: skip
        if way == "unit":
            self.headend.state.mkdir(mode=0o700)
            os.chown(self.headend.state, NOBODY.pw_uid, NOBODY.pw_gid)

    @property
    def pid(self) -> int:
        assert self.headend.process is not None
        return self.headend.process.pid

    def dial(self) -> None:
        words = [
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", "alice",
            "--password", "secret12", "--route", f"{BEYOND}/32",
        ]  # fmt: skip
        process = self.client.start(*words)
        assert process.stdout is not None
        assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))

    def reaches(self, address: str) -> bool:
        words = ("ping", "-c", "2", "-i", "0.2", "-W", "2", address)
        return self.client.run(*words, check=False).returncode == 0

    def read(self, *words: str) -> str:
        return self.vpn.run(*words).stdout

    def forwards(self) -> bool:
        return self.read("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place that everybody can come to, unlike tmp_path."""
    made = Path(tempfile.mkdtemp(prefix="fptest-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["user", "unit"])
def site(request: pytest.FixtureRequest, hosts: Hosts, folder: Path) -> Iterator[Site]:
    made = Site(hosts, folder, request.param)
    with made.headend:
        made.headend.import_configuration(CONFIGURATION)
        made.headend.wait(made.forwards, "does not forward")
        yield made


def threads(pid: int) -> list[dict[str, str]]:
    """The status of each thread of a process (proc_pid_status(5))."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (line.partition(":") for line in (task / "status").read_text().splitlines())
        found.append({name: value.strip() for name, _, value in lines})
    return found


def children(pid: int) -> list[int]:
    found = [
        int(word)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for word in path.read_text().split()
    ]
    assert found
    return found


def files(*directories: Path) -> dict[str, str]:
    """Who owns what lies in these, by name."""
    return {path.name: path.owner() for place in directories for path in place.iterdir()}


def test_a_headend_without_rights(site: Site) -> None:
    """All of it on one headend, since each takes seconds to start."""
    site.dial()
    every_thread_has_dropped(site)
    it_still_does_everything(site)
    its_files_are_its_own(site)
    it_undoes_everything(site)


def every_thread_has_dropped(site: Site) -> None:
    found = threads(site.pid)
    assert len(found) >= 6  # the loop, two workers, next hops, networks, routes, the store
    for thread in found:
        assert set(thread["Uid"].split()) == {str(NOBODY.pw_uid)}, thread
        assert set(thread["Gid"].split()) == {str(NOBODY.pw_gid)}, thread
        assert thread["NoNewPrivs"] == "1", thread
        assert int(thread["CapEff"], 16) == IN_EFFECT, thread
        assert int(thread["CapPrm"], 16) == PERMITTED, thread
        assert int(thread["CapAmb"], 16) == 0, thread
    assert Path(f"/proc/{site.pid}/mem").owner() == "root"  # undumpable
    for child in children(site.pid):
        for thread in threads(child):
            assert set(thread["Uid"].split()) == {str(NOBODY.pw_uid)}, thread
            assert int(thread["CapPrm"], 16) == 0, thread  # the recorder needs none


def it_still_does_everything(site: Site) -> None:
    headend = site.headend
    assert site.reaches(INNER)
    assert site.reaches(BEYOND)  # forwarded, translated
    assert "masquerade" in site.read("nft", "list", "ruleset")
    assert "10.77.0.0/24" in site.read("ip", "route", "show", "dev", "pptp0")
    assert "172.16.1.10" in site.read("ip", "neigh", "show", "proxy")
    assert headend.json("ping-client", "alice", "--count", "1")["received"] == 1
    (session,) = headend.sessions()
    assert headend.json("session", str(session["id"]))["worker"] == 2
    headend.cli("snmp", "set", "--read-community-file", str(_secret(site)), "--enabled", "yes")
    headend.wait(lambda: ":00A1 " in site.read("cat", "/proc/net/udp"), "has no port 161")
    headend.cli("dhcp", "set", "--servers", "198.51.100.9")
    headend.cli("assignment", "set", "--dhcp", "yes")
    headend.wait(lambda: ":0043 " in site.read("cat", "/proc/net/udp"), "has no port 67")
    assert ":0050 " in site.read("cat", "/proc/net/tcp")  # metrics
    assert {int(t["CapEff"], 16) for t in threads(site.pid)} == {IN_EFFECT}
    headend.cli("pool", "add", "10.9.0.0", "10.9.0.255")
    headend.wait(lambda: "10.9.0.0/24" in site.read("ip", "route"), "does not route")
    seen = headend.last_event()
    os.kill(site.pid, signal.SIGHUP)
    headend.wait(lambda: "CONFIG/101" in str(headend.texts_since(seen)), "does not reload")


def its_files_are_its_own(site: Site) -> None:
    ours = {"console.log", "wanted.toml"}  # the test's own
    headend = site.headend
    headend.wait(site.log.exists, "keeps no log")
    kept = site.log.with_suffix(".1")
    site.log.rename(kept)  # as logrotate does
    headend.cli("user", "add", "carol", "--password-file", str(_secret(site)))
    headend.wait(lambda: site.log.exists() and "CONFIG/101" in site.log.read_text(), "has no log")
    found = files(headend.state, site.log.parent)
    assert {"fastpptp.db", "fastpptp.key", "admin.sock", "forwarding", "events.log"} <= found.keys()
    assert {name: owner for name, owner in found.items() if owner != "nobody"}.keys() <= ours
    assert headend.state.owner() == "nobody"


def _secret(site: Site) -> Path:
    path = site.headend.state.parent / "secret"
    path.write_text("secret78\n")
    return path


def it_undoes_everything(site: Site) -> None:
    """A killed one cannot: the next does, forwarding included."""
    os.kill(site.pid, signal.SIGKILL)
    assert site.headend.process is not None
    site.headend.process.wait(10)
    assert site.forwards()
    (site.headend.state / "admin.sock").unlink()
    site.headend.start()
    assert site.headend.stop() == 0
    assert "fastpptp" not in site.read("nft", "list", "ruleset")
    assert "pptp0" not in site.read("ip", "link")
    assert site.read("ip", "neigh", "show", "proxy") == ""
    assert not site.forwards()
    assert not (site.headend.state / "forwarding").exists()


def test_xdp_programs_come_later(hosts: Hosts, folder: Path) -> None:
    """CAP_BPF is in effect for the moment alone."""
    site = Site(hosts, folder, "user", outer="xdp")
    with site.headend as headend:
        headend.import_configuration(CONFIGURATION)
        site.dial()
        headend.wait(lambda: "xdp" in site.read("ip", "link", "show", site.outer), "no program")
        assert site.reaches(INNER)
        assert {int(thread["CapEff"], 16) for thread in threads(site.pid)} == {IN_EFFECT}
        permitted = PERMITTED | mask([Capability.BPF, Capability.IPC_LOCK])
        assert {int(thread["CapPrm"], 16) for thread in threads(site.pid)} == {permitted}


def refused(site: Site, *words: str, wrap: list[str] | None = None) -> tuple[int, str]:
    command = site.headend.command("serve", "--listen", SERVER, "--workers", "1", *words)
    done = site.vpn.run(*(wrap or []), *command, check=False, timeout=20)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_databases_that_are_closed_to_a_user(hosts: Hosts, folder: Path) -> None:
    """He is told which file, why, and who may."""
    headend = Site(hosts, folder, "user").headend
    headend.cli("init")
    state, store = headend.state, headend.state / "fastpptp.db"
    headend.host.run("chown", "-R", NOBODY.pw_name, str(state))
    owner = "\nrun as root or as the user nobody\n"

    def said(*words: str) -> str:
        """What nobody is told who reads by the bootstrap file."""
        other = ["setpriv", "--reuid", NOBODY.pw_name, "--regid", str(NOBODY.pw_gid)]
        wrap = [*reachable(REPOSITORY), *other, "--clear-groups"]
        command = [sys.executable, "-m", "fastpptp", *words, "--config", str(place)]
        done = headend.host.run(*wrap, *command, check=False)
        assert (done.returncode, done.stdout) == (3, "")
        return done.stderr

    place = folder / "place.toml"
    place.write_text(f'state_directory = "{state}"\n')
    store.chmod(0)
    assert said("user", "list") == f"fastpptp: store {store}: this user may not read it{owner}"
    store.chmod(0o400)
    assert said("user", "delete", "pptpuser") == (
        f"fastpptp: store {store}: this user may not write it{owner}"
    )
    store.chmod(0o600)
    for left in state.glob("fastpptp.db-*"):
        left.unlink()
    state.chmod(0o500)
    assert said("config", "export") == (
        f"fastpptp: store {store}: this user may not write into {state}, "
        f"as SQLite does even to read{owner}"
    )
    state.chmod(0)
    assert said("user", "list") == (
        f"fastpptp: store {store}: Permission denied\nrun as root or as its directory's owner\n"
    )
    state.chmod(0o700)
    (state / "events.db").touch(0)
    os.chown(state / "events.db", NOBODY.pw_uid, NOBODY.pw_gid)
    assert said("events") == (
        f"fastpptp: the event log {state}/events.db cannot be read: "
        f"this user may not read it{owner}"
    )


def test_what_cannot_be(hosts: Hosts, folder: Path) -> None:
    site = Site(hosts, folder, "user")
    site.headend.cli("init")
    code, said = refused(site, "--user", "no-such-user")
    assert code == 4
    assert said.startswith("fastpptp: user: this machine has no user no-such-user (useradd --")
    code, said = refused(site, "--user", "daemon", wrap=reachable(REPOSITORY))
    assert code == 3
    assert said == (
        f"fastpptp: the state directory {site.headend.state} is not the user daemon's\n"
        f"chown -R daemon: {site.headend.state}\n"
    )
    code, said = refused(site, "--user", "daemon", wrap=reachable(REPOSITORY) + as_the_unit())
    assert (code, said.splitlines()[0]) == (3, "fastpptp: only root can become the user daemon")
    site.headend.host.run("chown", "-R", NOBODY.pw_name, str(site.headend.state))
    without = ["setpriv", "--bounding-set", "-net_bind_service"]
    code, said = refused(site, wrap=reachable(REPOSITORY) + without)
    assert code == 3
    assert said.endswith(
        f"fastpptp: metrics cannot be served on {OUR_SIDE}:80: Permission denied\n"
        "Ports below 1024 need root or CAP_NET_BIND_SERVICE. "
        "Choose another address or port (metrics_listen).\n"
    )
    assert "pptp0" not in site.read("ip", "link")
