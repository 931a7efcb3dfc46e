"""Class HTTP: who asks for metrics and health over TCP."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import INFORMATION, EventType, Kinds

HTTP: Kinds = {
    100: EventType(
        INFORMATION,
        "Request {request} is refused: {reason} ({count} since this was last told)",
        "Somebody asks `metrics_listen` for what is not there. Each reason is told at once, then "
        "once a minute, with the request that came last.",
        "Correct the scraper's path: /metrics, /healthz or /readyz by GET. What has no business "
        "there is for a firewall.",
    ),
}
