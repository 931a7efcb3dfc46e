"""Key files and what they seal."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import ConfigurationError, UnavailableError
from fastpptp.store.keyfile import create_key, load_key
from fastpptp.store.sealing import Sealer

SEALER = Sealer(bytes(32))


def test_made_private_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    key = create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert len(key) == 32
    assert create_key(tmp_path / "other") != key


def test_never_overwritten(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    with pytest.raises(UnavailableError, match="File exists"):
        create_key(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_too_open(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    create_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        load_key(path)
    assert str(caught.value) == (
        f"{path}: mode {mode:04o} lets others read the key (chmod 600 {path})"
    )


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"xyz", b"\xff\xfe", b"0" * 200])
def test_not_a_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not a key file"):
        load_key(path)


def test_missing_or_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="restore it from a backup"):
        load_key(tmp_path / "none")
    with pytest.raises(UnavailableError, match="Is a directory"):
        load_key(tmp_path)


@given(st.text(), st.text(max_size=20))
def test_sealing(text: str, whose: str) -> None:
    text, whose = (s.encode("utf-8", "replace").decode() for s in (text, whose))
    sealed = SEALER.seal(text, whose)
    assert SEALER.unseal(sealed, whose) == text
    assert SEALER.seal(text, whose) != sealed


def test_what_does_not_open() -> None:
    sealed = SEALER.seal("cisco123", "user:a")
    assert b"cisco123" not in sealed
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for sealer, blob, whose in (
        (Sealer(b"\1" * 32), sealed, "user:a"),
        (SEALER, sealed, "user:b"),
        (SEALER, damaged, "user:a"),
        (SEALER, b"", "user:a"),
    ):
        with pytest.raises(ValueError, match="does not open"):
            sealer.unseal(blob, whose)
