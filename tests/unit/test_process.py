"""The process's limits and its garbage collector."""

from __future__ import annotations

import gc
import resource

import pytest

from fastpptp import process


def test_the_descriptor_limit_is_lifted_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_NOFILE: (1024, 20000)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    process.lift_descriptor_limit()
    assert limits[resource.RLIMIT_NOFILE] == (20000, 20000)


def test_the_collector_passes_over_what_is_loaded() -> None:
    before = gc.get_threshold()
    try:
        process.calm_collector()
        assert gc.get_threshold() == (process.YOUNG, process.MIDDLE, process.OLD)
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
