"""The bootstrap file: defaults, values, errors."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fastpptp import bootstrap
from fastpptp.bootstrap import Bootstrap
from fastpptp.errors import ConfigurationError, UnavailableError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fastpptp.toml"


def test_defaults(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(bootstrap, "DEFAULT_PATH", file)
    found = bootstrap.load()
    assert found == Bootstrap()
    assert found.store_url == "sqlite:////var/lib/fastpptp/fastpptp.db"
    assert found.key_path == Path("/var/lib/fastpptp/fastpptp.key")
    assert found.admin_path == Path("/var/lib/fastpptp/admin.sock")
    file.write_text("workers = 3")
    assert bootstrap.load().worker_count == 3


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (2, 1), (8, 7), (256, 64)])
def test_one_worker_a_core_but_one(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert Bootstrap().worker_count == workers


def test_every_setting(file: Path) -> None:
    file.write_text(
        """
        listen = ["127.0.0.1", "10.0.0.1"]
        port = 1724
        state_directory = "/tmp/state"
        store = "sqlite:////tmp/x.db"
        key_file = "/tmp/key"
        admin_socket = "/tmp/admin.sock"
        log_file = "/tmp/log"
        tun = "tun7"
        workers = 2
        outer = "raw"
        profile = "reference"
        """
    )
    assert bootstrap.load(file) == Bootstrap(
        listen=(IPv4Address("127.0.0.1"), IPv4Address("10.0.0.1")),
        port=1724,
        state_directory=Path("/tmp/state"),
        store="sqlite:////tmp/x.db",
        key_file=Path("/tmp/key"),
        admin_socket=Path("/tmp/admin.sock"),
        log_file=Path("/tmp/log"),
        tun="tun7",
        workers=2,
        outer="raw",
        profile="reference",
    )
    assert bootstrap.load(file).admin_path == Path("/tmp/admin.sock")
    assert bootstrap.load(file).key_path == Path("/tmp/key")
    assert bootstrap.load(file).store_url == "sqlite:////tmp/x.db"


def test_one_address_needs_no_list(file: Path) -> None:
    file.write_text('listen = "127.0.0.1"')
    assert bootstrap.load(file).listen == (IPv4Address("127.0.0.1"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = 0", "port: 0 is not valid (allowed: 1 to 65535)"),
        ("port = true", "port: True is not valid"),
        ("prot = 1", "prot: unknown key (did you mean port?)"),
        ("zzzzzz = 1", "zzzzzz: unknown key (allowed: admin_socket, key_file,"),
        ("listen = []", "listen: [] is not valid (allowed: a list of IPv4 addresses"),
        ('listen = ["::1"]', "listen: ['::1'] is not valid"),
        ("listen = [7]", "listen: [7] is not valid"),
        ('tun = "a b"', "tun: 'a b' is not valid"),
        ('tun = ".."', "tun: '..' is not valid"),
        ('tun = "sixteen-letters-"', "at most 15 characters"),
        ('store = "x"', "store: 'x' is not valid"),
        ('outer = "fast"', "outer: 'fast' is not valid (allowed: auto | raw | packet | xdp)"),
        ('profile = ""', "profile: '' is not valid (allowed: default | reference | empty)"),
        ('key_file = ""', "key_file: '' is not valid (allowed: a path)"),
        ("port = ", ":1:8: Invalid value"),
        ("port = 1\nport = 2", ":2:9: Cannot overwrite a value"),
    ],
)
def test_errors(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        bootstrap.load(file)
    assert says in str(caught.value)


def test_all_errors_at_once(file: Path) -> None:
    file.write_text('port = 0\ntun = ""\nx = 1')
    with pytest.raises(ConfigurationError) as caught:
        bootstrap.load(file)
    assert len(caught.value.problems) == 3


def test_files_that_cannot_be_read(file: Path) -> None:
    with pytest.raises(UnavailableError, match="does not exist"):
        bootstrap.load(file)
    with pytest.raises(UnavailableError, match="Is a directory"):
        bootstrap.load(file.parent)
    file.write_bytes(b"port = \xff")
    with pytest.raises(ConfigurationError, match="octet 7 is not UTF-8"):
        bootstrap.load(file)
