"""Where passwords lie in a frame, so that what shows the frame can leave them out.

Hidden are the password of a PAP Authenticate-Request, MS-CHAP's new password and the hashes that
go with it (RFC 2433 9, RFC 2759 7), what answers an EAP method that is not known to be safe, and
all of these inside a Protocol-Reject. Where lengths lie, all that may be a password is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.auth.packets import ChapCode, PapCode
from fastpptp.ppp.frames import HEADER, Code, Protocol, decode_frame

# Octets behind the header that tell of a password, and the length of all of them.
_CHANGES: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        ChapCode.CHANGE_PASSWORD_1: (64, 68),
        ChapCode.CHANGE_PASSWORD_2: (1064, 1114),
        ChapCode.CHANGE_PASSWORD_3: (532, 582),
    }
)
EAP_RESPONSE = 2
# Identity, Notification, Nak and MD5-Challenge (RFC 3748 5).
_EAP_SAFE = frozenset({1, 2, 3, 4})


def hidden(frame: bytes) -> list[range]:
    """The places of octets that must not show, in a frame from its protocol field on."""
    try:
        protocol, information = decode_frame(frame)
    except RemoteProtocolError:
        return []
    start = len(frame) - len(information)
    return [range(start + first, start + last) for first, last in _places(protocol, information)]


def _places(protocol: int, information: bytes) -> list[tuple[int, int]]:
    if protocol == Protocol.LCP and information[:1] == bytes((Code.PROTOCOL_REJECT,)):
        rejected = int.from_bytes(information[HEADER : HEADER + 2], "big")
        inner = HEADER + 2
        found = _one(rejected, information[inner:])
        return [(inner + first, inner + last) for first, last in found]
    return _one(protocol, information)


def _one(protocol: int, information: bytes) -> list[tuple[int, int]]:
    find, size = _FINDERS.get(protocol), len(information)
    if find is None or size <= HEADER:
        return []
    first, last = find(information)
    # Behind the packet there is padding, which may be anything.
    end = max(int.from_bytes(information[2:4], "big"), HEADER)
    return [(first, min(last, size)), (min(end, size), size)]


def _pap(information: bytes) -> tuple[int, int]:
    code, size = information[0], len(information)
    if code in (PapCode.AUTHENTICATE_ACK, PapCode.AUTHENTICATE_NAK):
        return HEADER, HEADER
    password = HEADER + 1 + information[HEADER] + 1
    known = code == PapCode.AUTHENTICATE_REQUEST and password <= size
    if not known or password + information[password - 1] > size:
        return HEADER, size
    return password, size


def _chap(information: bytes) -> tuple[int, int]:
    code, size = information[0], len(information)
    if code in (ChapCode.CHALLENGE, ChapCode.RESPONSE, ChapCode.SUCCESS, ChapCode.FAILURE):
        return HEADER, HEADER
    secret, length = _CHANGES.get(code, (size, 0))
    right = int.from_bytes(information[2:4], "big") == HEADER + length <= size
    return HEADER, HEADER + secret if right else size


def _eap(information: bytes) -> tuple[int, int]:
    if information[0] != EAP_RESPONSE or information[HEADER] in _EAP_SAFE:
        return HEADER, HEADER
    return HEADER + 1, len(information)


_FINDERS: Mapping[int, Callable[[bytes], tuple[int, int]]] = MappingProxyType(
    {Protocol.PAP: _pap, Protocol.CHAP: _chap, Protocol.EAP: _eap}
)
