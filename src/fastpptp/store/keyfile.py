"""The key file: what passwords in the store are sealed with. Whoever reads it can read them all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.store.files import adopt, new_file

KEY_OCTETS = 32  # AES-256
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_key(path: Path) -> bytes:
    """Make a key file with a new random key."""
    key = secrets.token_bytes(KEY_OCTETS)
    write_key(path, key)
    adopt(path)
    return key


def write_key(path: Path, key: bytes) -> None:
    """Make a key file of mode 0600. An existing file is never overwritten: UnavailableError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with new_file(path) as part:
            part.write_text(key.hex() + "\n", encoding="ascii")
    except OSError as error:
        raise UnavailableError(
            f"key file {path}: {error.strerror}", "choose another path or its owner's account"
        ) from None


def load_key(path: Path) -> bytes:
    """The key in `path`.

    UnavailableError when it cannot be read, ConfigurationError when others may read it or
    it holds no key.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4 * KEY_OCTETS).strip()
    except FileNotFoundError:
        raise UnavailableError(
            f"key file {path} does not exist",
            "restore it from a backup: passwords cannot be read without it. "
            "For a new installation run `fastpptp init`",
        ) from None
    except UnicodeDecodeError:
        mode, text = 0, ""
    except OSError as error:
        raise UnavailableError(
            f"key file {path}: {error.strerror}", "run as root or as the file's owner"
        ) from None
    if mode & OTHERS:
        raise ConfigurationError(
            Problem(str(path), f"mode {mode:04o} lets others read the key", f"chmod 600 {path}")
        )
    return _decoded(text, path)


def _decoded(text: str, path: Path) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_OCTETS:
        raise ConfigurationError(
            Problem(str(path), "is not a key file", f"a key is {2 * KEY_OCTETS} hexadecimal digits")
        )
    return key
