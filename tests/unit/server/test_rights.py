"""Capabilities of one thread, and who the headend may become (the rest: tests/netns)."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fastpptp.backends import capabilities
from fastpptp.backends.capabilities import Capability, current, mask
from fastpptp.bootstrap import Bootstrap
from fastpptp.errors import ConfigurationError, UnavailableError
from fastpptp.server import privileges
from fastpptp.store.files import adopt

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root's capabilities")


def in_a_thread(body: Callable[[], object]) -> None:
    """Its capabilities end with it."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            body()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def status(name: str) -> int:
    """What the kernel says of this thread."""
    text = Path("/proc/thread-self/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1], 16)


def test_what_is_read_is_what_the_kernel_says() -> None:
    sets = current()
    assert (sets.effective, sets.permitted, sets.inheritable) == (
        status("CapEff"),
        status("CapPrm"),
        status("CapInh"),
    )


@root
def test_raised_for_a_moment() -> None:
    def body() -> None:
        low = mask([Capability.NET_ADMIN])
        some = low | mask([Capability.NET_BIND_SERVICE])
        capabilities.change(replace(current(), effective=low, permitted=some))
        with capabilities.raised(Capability.NET_BIND_SERVICE, Capability.NET_RAW):
            assert status("CapEff") == some  # CAP_NET_RAW is not permitted
        assert status("CapEff") == low
        with pytest.raises(PermissionError):
            capabilities.change(replace(current(), permitted=some | mask([Capability.BPF])))

    before = status("CapEff")
    in_a_thread(body)
    assert status("CapEff") == before


def test_no_user_is_nobody_to_become() -> None:
    assert privileges.account(Bootstrap()) is None
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert privileges.account(Bootstrap(user=own)) is None


def test_a_user_that_the_machine_does_not_have() -> None:
    with pytest.raises(ConfigurationError, match="this machine has no user no-such-user"):
        privileges.account(Bootstrap(user="no-such-user"))


def test_only_root_becomes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UnavailableError, match="only root can become the user nobody"):
        privileges.account(Bootstrap(user="nobody"))


def test_the_user_and_its_groups() -> None:
    if os.geteuid() == 0:
        found = privileges.account(Bootstrap(user="nobody"))
        assert found is not None
        assert found.uid == pwd.getpwnam("nobody").pw_uid
        assert found.gid in found.groups


@root
def test_what_root_makes_is_the_directory_owners(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    made = tmp_path / "made"
    made.touch(mode=0o600)
    adopt(made)
    assert (made.owner(), made.stat().st_gid) == ("nobody", nobody.pw_gid)
