"""Why sessions end, by what their Link says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fastpptp.events.causes import Cause
from fastpptp.ppp.events import LinkEnd

# Ends that the owner asked for, and knows the cause of.
OWNERS = frozenset({LinkEnd.LOCAL, LinkEnd.LOWER_LAYER_DOWN})

CAUSE_OF_END: Mapping[LinkEnd, Cause] = MappingProxyType(
    {
        LinkEnd.PEER_TERMINATED: Cause.USER_REQUEST,
        LinkEnd.NEGOTIATION_FAILED: Cause.LCP_NOT_CONVERGED,
        LinkEnd.NO_ANSWER: Cause.LCP_NO_ANSWER,
        LinkEnd.LOOPBACK: Cause.LOOPBACK,
        LinkEnd.PEER_SILENT: Cause.ECHO_TIMEOUT,
        LinkEnd.NO_COMMON_AUTHENTICATION: Cause.NO_COMMON_AUTHENTICATION,
        LinkEnd.AUTHENTICATION_FAILED: Cause.AUTHENTICATION_FAILED,
        LinkEnd.AUTHENTICATION_NOT_ALLOWED: Cause.METHOD_NOT_ALLOWED,
        LinkEnd.ENCRYPTION_REQUIRED: Cause.ENCRYPTION_REQUIRED,
        LinkEnd.NO_NETWORK_PROTOCOL: Cause.NO_NETWORK_PROTOCOL,
        LinkEnd.REQUEST_TIMED_OUT: Cause.REQUEST_TIMED_OUT,
    }
)
