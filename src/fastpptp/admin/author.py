"""Who asks, by the credentials of the process at the other end of the admin socket."""

from __future__ import annotations

from aiohttp import web

from fastpptp.store.history import Author, peer_of


def author(request: web.Request) -> Author:
    """The user whose process it is, and whom sudo says it runs for."""
    assert request.transport is not None
    return peer_of(request.transport.get_extra_info("socket"))


def administrator(request: web.Request) -> str:
    """The same, whichever process it is."""
    found = author(request)
    return f"{found.who}/{found.sudo_user or ''}"
