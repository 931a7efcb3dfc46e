"""The dataplane: every packet, in an extension of its own. This is its only importer."""

from __future__ import annotations

from fastpptp.errors import UnavailableError

try:
    from fastpptp._core import DROP_TEXTS, STATS_DTYPE, Dataplane, DropReason, XdpDevice
except ImportError as error:
    raise UnavailableError(
        f"the extension fastpptp._core cannot be loaded: {error}",
        "build it with `make build`, or install a wheel for this Python and platform",
    ) from error

__all__ = ["DROP_TEXTS", "STATS_DTYPE", "Dataplane", "DropReason", "XdpDevice"]
