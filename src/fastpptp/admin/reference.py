"""docs/metrics.md out of the declarations: `python -m fastpptp.admin.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fastpptp.admin.metrics import FAMILIES, LABELS, Family

INTRODUCTION = """\
# Metrics

Made from the declarations (src/fastpptp/admin/metrics.py) by `make docs`: edit those.

`GET /metrics` on the admin socket and, with `metrics_listen = "127.0.0.1:9723"` in
/etc/fastpptp/fastpptp.toml, on TCP: OpenMetrics 1.0, or the older text format for a scraper that
asks for it. Everything is counted since the headend's start, an administrator's Reset touches
nothing here, and no name of a user and no address of a client is told. Beside it `/healthz` says
that the headend is alive, and `/readyz` that it takes control connections (503 while it does not).

```yaml
scrape_configs:
  - job_name: fastpptp
    static_configs: [{targets: ["127.0.0.1:9723"]}]
```

| Name | Type | Labels | Unit | Meaning |
|---|---|---|---|---|
"""

QUESTIONS = """\
## Questions that are asked often

| question | query |
|---|---|
| throughput to the clients, bit/s | `8 * rate(fastpptp_payload_sent_octets_total[1m])` |
| why packets are dropped | `topk(5, rate(fastpptp_drops_total[5m]))` |
| set-up time, 99th percentile | \
`histogram_quantile(0.99, rate(fastpptp_session_setup_seconds_bucket[5m]))` |
| a pool that runs short | `fastpptp_pool_used / fastpptp_pool_size > 0.9` |
| how busy each worker is | `rate(fastpptp_worker_cpu_seconds_total[1m])` |
| failed logins | `rate(fastpptp_events_total{class="AUTH",number="5"}[5m])` |
"""


def text() -> str:
    """The whole document."""
    rows = "".join(map(_row, FAMILIES))
    return "".join((INTRODUCTION, rows, "\n", *_labels(), "\n", QUESTIONS))


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    cells = (f"`{family.sample}`", family.kind, labels, family.unit, family.help)
    return f"| {' | '.join(cells)} |\n"


def _labels() -> Iterator[str]:
    yield "| Label | Its values |\n|---|---|\n"
    for label, meaning in sorted(LABELS.items()):
        yield f"| `{label}` | {meaning} |\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
