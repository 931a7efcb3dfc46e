"""Metrics, health and readiness, as a strict OpenMetrics parser and a scraper see them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fastpptp.admin import drops, metrics, reference
from fastpptp.admin.monitor import MonitorServer
from fastpptp.dataplane import DROP_TEXTS
from fastpptp.errors import UnavailableError
from fastpptp.manager.statistics import SetupTimes
from fastpptp.session import Cause
from tests.unit.server.support import LOOPBACK, Rig, link_config, running, until

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def get(port: int, path: str, accept: str = OPENMETRICS) -> tuple[int, str, str]:
    """Status, content type and body."""
    request = Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        return error.code, "", error.read().decode()


class Scraped:
    """Samples by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in self.families:
            for sample in family.samples:
                self.values[sample.name, frozenset(sample.labels.items())] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[f"fastpptp_{name}", frozenset(labels.items())]


async def scrape(rig: Rig) -> Scraped:
    server = MonitorServer(rig.headend, LOOPBACK, 0)
    listener = await server.start()
    try:
        port = listener.getsockname()[1]
        status, content_type, text = await asyncio.to_thread(get, port, "/metrics")
    finally:
        await server.stop()
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    return Scraped(text)


def test_a_session_comes_and_goes() -> None:
    async def run() -> None:
        async with running() as rig:
            before = await scrape(rig)
            assert before("sessions_total") == before("sessions_active") == 0
            await rig.dial_up()
            during = await scrape(rig)
            assert (during("sessions_total"), during("sessions_active")) == (1, 1)
            assert during("session_setup_seconds_count") == 1
            assert during("session_setup_seconds_bucket", le="+Inf") == 1
            assert during("events_total", **{"class": "PPTP", "number": "42"}) == 1
            assert during("pool_used", pool="172.16.1.10-172.16.1.20") == 1
            (view,) = rig.headend.manager.sessions()
            row = rig.dataplane.stats[view.local_call_id]
            row["rx_octets"], row["tx_packets"] = 1000, 7
            assert (await scrape(rig))("payload_received_octets_total") == 1000
            rig.headend.logout(lambda view: True)
            await until(lambda: rig.headend.manager.statistics().payload_received_octets == 1000)
            after = await scrape(rig)
            assert after("sessions_active") == 0
            assert after("payload_received_octets_total") == 1000
            assert after("payload_sent_packets_total") == 7
            assert after("sessions_ended_total", cause="admin-logout") == 1

    asyncio.run(run())


def test_every_failure_is_counted_by_its_cause() -> None:
    async def run() -> None:
        async with running() as rig:
            client = await rig.dial(link_config(password="wrong"))
            await until(lambda: bool(client.client.calls) and bool(client.client.calls[0].ended))
            await rig.dial_up()
            rig.headend.logout(lambda view: True, Cause.ACCOUNT_CHANGED)
            await until(lambda: rig.headend.manager.statistics().active_sessions == 0)
            found = await scrape(rig)
            assert found("logins_failed_total", cause="wrong-password") == 1
            assert found("sessions_ended_total", cause="wrong-password") == 1
            assert found("sessions_ended_total", cause="account-changed") == 1

    asyncio.run(run())


def test_the_older_format_and_health() -> None:
    async def run() -> None:
        async with running() as rig:
            server = MonitorServer(rig.headend, LOOPBACK, 0)
            port = (await server.start()).getsockname()[1]
            _, kind, text = await asyncio.to_thread(get, port, "/metrics", "text/plain")
            assert kind.startswith("text/plain")
            assert "# TYPE fastpptp_sessions_active gauge" in text
            assert await asyncio.to_thread(get, port, "/healthz") == (
                200, "text/plain; charset=utf-8", "ok\n",
            )  # fmt: skip
            assert (await asyncio.to_thread(get, port, "/readyz"))[0] == 200
            for path in ("/v1/sessions", "/a%0Ab"):
                assert (await asyncio.to_thread(get, port, path))[0] == 404
            told = rig.event("HTTP", 100)  # the second is counted, and told in a minute
            assert told.peer == LOOPBACK
            assert told.text() == (
                "Request GET /v1/sessions is refused: Not Found (1 since this was last told)"
            )
            rig.headend._idle = asyncio.Event()  # it is stopping
            assert await asyncio.to_thread(get, port, "/readyz") == (
                503, "", "not taking control connections\n",
            )  # fmt: skip
            rig.headend._idle = None
            await server.stop()

    asyncio.run(run())


def test_a_port_that_is_taken() -> None:
    async def run() -> None:
        async with running() as rig:
            first = MonitorServer(rig.headend, LOOPBACK, 0)
            port = (await first.start()).getsockname()[1]
            second = MonitorServer(rig.headend, LOOPBACK, port)
            with pytest.raises(UnavailableError, match="metrics cannot be served"):
                await second.start()
            await first.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.05, 0), (0.051, 1), (30.0, 8), (31.0, 9)]
)
def test_setup_times(seconds: float, bucket: int) -> None:
    times = SetupTimes()
    times.observe(seconds)
    assert times.counts.index(1) == bucket
    assert times.seconds == seconds


def test_the_reference_is_not_stale() -> None:
    assert DOCUMENT.read_text() == reference.text(), "run `make docs`"
    assert DOCUMENT.with_name("drops.md").read_text() == drops.text(), "run `make docs`"


def test_every_reason_of_a_drop_is_explained() -> None:
    assert tuple(drops.REASONS) == DROP_TEXTS


def documented() -> dict[str, tuple[str, set[str], str]]:
    """Type, labels and unit of what docs/metrics.md lists, by the samples' names."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (\w*) ?\| .+ \|$", re.MULTILINE)
    rows = row.findall(DOCUMENT.read_text())
    return {
        name: (kind, set(re.findall(r"\w+", labels)), unit) for name, kind, labels, unit in rows
    }


def test_everything_that_is_exposed_is_documented_as_it_is() -> None:
    """Held against what a parser of another's reads, not against the declarations."""

    async def run() -> None:
        async with running() as rig:
            await rig.dial_up()
            rows, found = documented(), await scrape(rig)
            for family in found.families:
                ending = {"counter": "_total", "histogram": "_bucket", "info": "_info", "gauge": ""}
                kind, labels, unit = rows.pop(family.name + ending[family.type])
                assert (family.type, family.unit) == (kind, unit), family.name
                for sample in family.samples:
                    assert set(sample.labels) - {"le"} == labels, sample
            assert not rows, "documented, and not exposed"

    asyncio.run(run())


def test_every_label_is_explained() -> None:
    used = {label for family in metrics.FAMILIES for label in family.labels}
    assert used == set(metrics.LABELS)
