"""When a test cannot run here."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def cannot(reason: str) -> NoReturn:
    """A skip; in CI, which must have all that tests need, a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI that is a failure")
    pytest.skip(reason)
