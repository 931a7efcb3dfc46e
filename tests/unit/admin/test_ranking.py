"""Which sessions have most of something, page by page, and what they carry a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastpptp.admin import ranking
from fastpptp.admin.meter import Meter
from fastpptp.admin.query import top_query
from fastpptp.admin.ranking import Ranking, Sample, rates
from fastpptp.errors import ConfigurationError

from .test_api import Served, run


def sample(at: float, *rows: tuple[int, int, int]) -> Sample:
    """Rows of (handle, rx, tx)."""
    columns = np.array(rows, np.uint64).T
    return Sample(at, columns[0].astype(np.uint32), columns[1], columns[2])


def test_rates() -> None:
    before = sample(10.0, (0x10001, 1000, 0), (0x10002, 9000, 9000), (0, 0, 0))
    after = sample(12.0, (0x10001, 2000, 0), (0x20002, 0, 500), (0, 0, 0))
    found = rates(before, after)
    assert found.rx.tolist() == [4000, 0, 0]
    assert found.tx.tolist() == [0, 2000, 0]  # of another life: all that it counts is new
    assert found.data.tolist() == [2000, 500, 0]
    assert rates(None, after).rx.tolist() == [0, 0, 0]


async def three(made: Served) -> None:
    """Sessions 1 to 3; the second has carried most, the third nothing."""
    for octets in (1000, 5000, 0):
        await made.rig.dial_up()
        *_, view = made.rig.headend.manager.sessions()
        made.rig.dataplane.stats[view.local_call_id]["rx_octets"] = octets


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"by": "data"}, [2, 1, 3]),
        ({"by": "data", "first": 1, "limit": 1}, [1]),
        ({"by": "data", "first": 9}, []),
        ({"by": "duration"}, [1, 2, 3]),
        ({"by": "user"}, [1, 2, 3]),
        ({"by": "address", "address": "172.16.1.11"}, [2]),
        ({"by": "address"}, [1, 2, 3]),
        ({"user": "nobody"}, []),
    ],
)
def test_pages(tmp_path: Path, query: dict[str, Any], ids: list[int]) -> None:
    async def test(made: Served) -> None:
        await three(made)
        page = await made.ask(made.client.top, **query)
        assert [row["id"] for row in page["sessions"]] == ids
        assert page["total"] == (3 if not {"user", "address"} & query.keys() else len(ids))

    run(tmp_path, test)


def test_whoever_asks_again_is_told_of_the_time_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(made: Served) -> None:
        await three(made)
        monkeypatch.setattr(ranking, "LEAST", 0)
        first = await made.ask(made.client.top, watcher="one")
        assert {row["throughput"] for row in first["sessions"]} == {0}
        third = list(made.rig.headend.manager.sessions())[2]
        made.rig.dataplane.stats[third.local_call_id]["tx_octets"] += 1000
        monkeypatch.setattr(ranking, "LEAST", 60)
        soon = await made.ask(made.client.top, watcher="one")
        assert soon["tx_rate"] == 0
        monkeypatch.setattr(ranking, "LEAST", 0)
        later = await made.ask(made.client.top, watcher="one", limit=1)
        (row,) = later["sessions"]
        assert row["id"] == 3
        assert row["tx_rate"] == row["throughput"] == later["tx_rate"] > 0
        other = await made.ask(made.client.top, watcher="two")
        assert other["tx_rate"] == 0

    run(tmp_path, test)


def test_a_reset_counts_from_there(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await three(made)
        await made.ask(made.client.reset)
        first = next(made.rig.headend.manager.sessions())
        made.rig.dataplane.stats[first.local_call_id]["rx_octets"] += 7
        page = await made.ask(made.client.top, by="data")
        assert (page["sessions"][0]["id"], page["sessions"][0]["data"]) == (1, 7)

    run(tmp_path, test)


@pytest.mark.parametrize(
    "query", [{"by": "size"}, {"first": -1}, {"limit": "many"}, {"colour": "red"}]
)
def test_wrong_words_are_named(tmp_path: Path, query: dict[str, Any]) -> None:
    async def test(made: Served) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(query))):
            await made.ask(made.client.top, **query)

    run(tmp_path, test)


def test_watchers_are_forgotten(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        ours = Ranking(made.rig.headend, Meter(made.rig.headend))
        for number in range(ranking.WATCHERS + 5):
            _, query = top_query({"watcher": str(number)})
            ours.page("root", lambda view: True, query, 100.0)
        assert len(ours._samples) == ranking.WATCHERS
        assert "root 4" not in ours._samples

    run(tmp_path, test)
