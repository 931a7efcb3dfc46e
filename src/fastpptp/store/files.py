"""Files that are whole or not there, and stay so after a power failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A private file to fill, which becomes `target` when the block ends well.

    An existing `target` is never replaced: FileExistsError.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield part
        sync(part)
        os.link(part, target)
    finally:
        part.unlink()
    sync(target.parent)


def sync(path: Path) -> None:
    """Have the disk hold a file, or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(path: Path, why: str) -> Path:
    """A name for what `path` was until now."""
    now = datetime.now(UTC)
    return path.with_name(f"{path.name}.{why}.{now:%Y%m%dT%H%M%S.%fZ}")


def adopt(path: Path) -> None:
    """Give what root has just made to whom the directory around it belongs.

    A headend that is not root must open it.
    """
    if os.geteuid() == 0:
        around = path.parent.stat()
        os.chown(path, around.st_uid, around.st_gid, follow_symlinks=False)
