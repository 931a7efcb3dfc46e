"""What takes long to make, and is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpptp.bootstrap import Bootstrap
from fastpptp.settings import profiles
from fastpptp.store import Store


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory as `init` leaves it, to copy: all migrations run for each new store."""
    place = Bootstrap(state_directory=tmp_path_factory.mktemp("new") / "state")
    Store.create(place.store_url, place.key_path, profiles.default()).close()
    return place.state_directory
