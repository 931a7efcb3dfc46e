"""The body of a request: a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from fastpptp.admin.query import wrong


async def read_body(request: web.Request) -> Mapping[str, Any]:
    """The object; ConfigurationError where there is none."""
    try:
        found = json.loads(await request.text())
    except ValueError:
        raise wrong("body", "is not JSON", "a JSON object") from None
    if not isinstance(found, dict):
        raise wrong("body", "is not an object", "a JSON object")
    return found
