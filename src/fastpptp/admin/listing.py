"""Long lists of sessions, made and sent batch by batch, so that others have their turn between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from aiohttp import web

from fastpptp.server.runtime import Headend
from fastpptp.session import SessionView

T = TypeVar("T")

# What one turn makes of sessions.
BATCH = 32


def batches(items: list[T]) -> Iterator[list[T]]:
    return (items[place : place + BATCH] for place in range(0, len(items), BATCH))


async def listing(
    request: web.Request,
    headend: Headend,
    row: Callable[[SessionView], Mapping[str, Any]],
    wanted: Callable[[SessionView], bool] = lambda view: True,
    head: Mapping[str, Any] | None = None,
) -> web.StreamResponse:
    """The JSON object `head`, and in it `sessions`: a row for each that is wanted, oldest first."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    await answer.prepare(request)
    await answer.write(json.dumps({**(head or {}), "sessions": []})[:-2].encode())
    parting = ""
    for ids in batches(headend.manager.session_ids()):
        views = (view for view in map(headend.manager.session, ids) if view is not None)
        if rows := [row(view) for view in views if wanted(view)]:
            await answer.write((parting + json.dumps(rows)[1:-1]).encode())
            parting = ", "
        await asyncio.sleep(0)
    await answer.write(b"]}")
    await answer.write_eof()
    return answer
