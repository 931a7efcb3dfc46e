"""Restoring a store from a backup: nothing is touched before the backup has proved good."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastpptp.errors import FastpptpError, UnavailableError
from fastpptp.settings.tree import Configuration
from fastpptp.store import backup
from fastpptp.store.files import adopt, beside, sync
from fastpptp.store.keyfile import load_key, write_key
from fastpptp.store.store import Store, file_of


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: the Configuration now, and where the former store and key are kept."""

    tree: Configuration
    kept: tuple[Path, ...]


def key_of(file: Path) -> Path:
    """Where the key of a backup is, if it was included."""
    return file.with_name(f"{file.name}.key")


def back_up(store: Store, file: Path, key_file: Path | None) -> None:
    """Copy `store` to `file`, and `key_file`, if given, to the file beside it."""
    store.backup(file)
    if key_file is not None:
        try:
            write_key(key_of(file), load_key(key_file))
        except BaseException:
            file.unlink()
            raise


def restore(url: str, key_file: Path, file: Path, key: Path, *, replace: bool = False) -> Restored:
    """Restore the store `url` from the backup `file`, whose passwords open with `key`.

    The backup is copied, its integrity, schema, key and whole Configuration are checked, and
    only then it takes effect, at once or not at all. A store that works takes the Configuration
    over, sealed with its own key, and keeps its history. Where there is none, or with `replace`,
    the backup itself becomes the store, and `key` its key; no headend may be running then.
    UnavailableError or ConfigurationError: nothing has changed.
    """
    path = file_of(url)
    with _staged(file, path) as stage:
        with Store.open(f"sqlite:///{stage}", key) as backed_up:
            tree = backed_up.tree()
            backed_up.replace(tree, f"restored from {file}")
        if replace or not path.exists():
            return Restored(tree, _put(stage, path, key, key_file))
    with _living(url, key_file) as store:
        kept = beside(path, "before-restore")
        store.backup(kept)
        store.replace(tree, f"restored from {file}")
    return Restored(tree, (kept,))


def _living(url: str, key_file: Path) -> Store:
    try:
        return Store.open(url, key_file)
    except FastpptpError as error:
        raise UnavailableError(
            f"the present store cannot take it over: {error}",
            "to put the backup in its place, stop the headend and restore with --replace",
        ) from None


@contextmanager
def _staged(file: Path, path: Path) -> Iterator[Path]:
    """A copy of the backup in the directory of the store, gone afterwards."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stage = beside(path, "restoring")
    backup.copy(file, stage)
    try:
        yield stage
    finally:
        stage.unlink(missing_ok=True)


def _put(stage: Path, path: Path, key: Path, key_file: Path) -> tuple[Path, ...]:
    """The staged store in the place of `path`, the key of the backup in that of `key_file`."""
    kept: list[Path] = []
    wanted = load_key(key)
    if not key_file.exists():
        write_key(key_file, wanted)
        adopt(key_file)
    elif load_key(key_file) != wanted:
        kept.append(_moved_away(key_file))
        write_key(key_file, wanted)
        adopt(key_file)
    if path.exists():
        kept.append(_moved_away(path))
    os.rename(stage, path)
    adopt(path)
    sync(path.parent)
    return tuple(kept)


def _moved_away(path: Path) -> Path:
    """Rename a file, and with a database what it has not taken in yet."""
    kept = beside(path, "before-restore")
    for suffix in ("-wal", "-shm", ""):
        if (part := Path(f"{path}{suffix}")).exists():
            os.rename(part, f"{kept}{suffix}")
    return kept
