"""The body of a request: a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from fastpptp.admin.query import wrong

KINDS = {bool: "true or false", int: "a whole number", str: "a text"}


async def read_body(request: web.Request) -> Mapping[str, Any]:
    """The object; ConfigurationError where there is none."""
    try:
        found = json.loads(await request.text())
    except ValueError:
        raise wrong("body", "is not JSON", "a JSON object") from None
    if not isinstance(found, dict):
        raise wrong("body", "is not an object", "a JSON object")
    if not _is_unicode(found):
        raise wrong("body", "has half a character", "Unicode text")
    return found


def _is_unicode(found: object) -> bool:
    """JSON can escape one half of a surrogate pair, which no UTF-8 has."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_kinds(body: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    """ConfigurationError where a value is not of its word's kind: 1 is not true."""
    for word, kind in kinds.items():
        if word in body and type(body[word]) is not kind:
            value = json.dumps(body[word])
            raise wrong(word, f"{value} is not valid", f"allowed: {KINDS[kind]}")
