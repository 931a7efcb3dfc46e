"""A store of the test's own, in its own directory."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpptp.store import Store


class Place:
    """Where a store of this test is."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "state" / "fastpptp.db"
        self.key = folder / "state" / "fastpptp.key"
        self.url = f"sqlite:///{self.file}"

    def open(self) -> Store:
        return Store.open(self.url, self.key)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.file)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def store(place: Place, new_state: Path) -> Iterator[Store]:
    shutil.copytree(new_state, place.file.parent)
    with place.open() as opened:
        yield opened
