"""What all tests share: test hosts, the place of the captures, seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import hosts as test_hosts
from tests.cannot import cannot

SHARED = Path(__file__).resolve().parents[2] / "shared"

settings.register_profile(
    "test", max_examples=60, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
settings.register_profile("soak", settings.get_profile("test"), max_examples=2000)
settings.load_profile("soak" if os.environ.get("FASTPPTP_SOAK") else "test")


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether full counts are asked for (make soak)."""
    return bool(os.environ.get("FASTPPTP_SOAK"))


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures, or a skip."""
    folder = SHARED / "pcaps"
    if not folder.is_dir():
        pytest.skip(f"no captures: {folder} is absent")
    return folder


def _hosts() -> Iterator[test_hosts.Hosts]:
    reason = test_hosts.missing()
    if reason:
        cannot(reason)
    with test_hosts.Hosts() as made:
        yield made


@pytest.fixture
def hosts() -> Iterator[test_hosts.Hosts]:
    """Network namespaces of this test's own."""
    yield from _hosts()


@pytest.fixture(scope="module")
def module_hosts() -> Iterator[test_hosts.Hosts]:
    """Network namespaces that the tests of a module share."""
    yield from _hosts()
