"""What tells CHAP's algorithms apart: MD5 (RFC 1994), MS-CHAPv1 (RFC 2433), v2 (RFC 2759)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.auth import mschap
from fastpptp.ppp.auth.mppe_keys import MsChapV1Keys, MsChapV2Keys
from fastpptp.ppp.auth.packets import ChapCode, octets_of
from fastpptp.ppp.auth.types import (
    AuthMethod,
    ChangePasswordV1Credential,
    ChangePasswordV2Credential,
    ChapCredential,
    Credential,
    KeySource,
    MsChapV1Credential,
    MsChapV2Credential,
    Reject,
)

Random: TypeAlias = Callable[[int], bytes]

# RFC 2759 section 6: the words for the codes, unless the policy has its own.
_MESSAGES = MappingProxyType(
    {
        646: b"Access is not allowed at this time",
        647: b"The account is disabled",
        648: b"The password has expired",
        649: b"No permission to dial in",
        691: b"Authentication failure",
        709: b"The password could not be changed",
    }
)

_FIELD = re.compile(
    rb"(?:^|\s)(?:E=(\d{1,10})|R=([01])|C=([0-9A-Fa-f]{16,32})|V=(\d{1,10}))(?=\s|$)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer sends, and what it must hold the Success against."""

    code: int
    data: bytes = field(repr=False)
    proof: bytes = b""
    keys: KeySource | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Failure's message as MS-CHAP reads it. `challenge` is None where none was sent."""

    error: int = 691
    retry: bool = False
    challenge: bytes | None = None
    version: int = 1


class ChapMd5:
    """RFC 1994, algorithm 5."""

    method: ClassVar[AuthMethod] = AuthMethod.CHAP
    algorithm: ClassVar[int] = 5
    challenge_octets: ClassVar[int] = 16
    # Change-Password codes, and the length of what follows their header.
    changes: ClassVar[Mapping[int, int]] = MappingProxyType({})
    # Whether the words of a Failure steer the protocol.
    coded: ClassVar[bool] = False
    # Whether the password is changed against a challenge of its own.
    fresh_for_change: ClassVar[bool] = False

    def credential(self, identifier: int, challenge: bytes, value: bytes) -> Credential:
        """A Response's value as a credential; RemoteProtocolError for a wrong length."""
        if len(value) != 16:
            raise RemoteProtocolError(f"a CHAP response of {len(value)} octets")
        return ChapCredential(identifier, challenge, value)

    def change(self, code: int, challenge: bytes, data: bytes) -> Credential:
        """A Change-Password packet as a credential; RemoteProtocolError for a wrong length."""
        raise RemoteProtocolError("CHAP has no Change-Password packet")

    def failure(self, reject: Reject, retry: bool, challenge: bytes) -> bytes:
        """A Failure's message."""
        return reject.message

    def check_challenge(self, challenge: bytes) -> None:
        """RemoteProtocolError for a challenge that the algorithm cannot take."""

    def answer(
        self, identifier: int, challenge: bytes, name: bytes, password: str, rng: Random
    ) -> Answer:
        """The Response to a Challenge."""
        secret = octets_of(password)[0]
        value = md5(bytes((identifier,)) + secret + challenge).digest()
        return Answer(ChapCode.RESPONSE, _value(value, name))

    def refusal(self, message: bytes) -> Refusal:
        """A Failure's message, read."""
        return Refusal()

    def change_answer(
        self, refusal: Refusal, challenge: bytes, name: bytes, old: str, new: str, rng: Random
    ) -> Answer | None:
        """The Change-Password packet that this Failure asks for, or None."""
        return None


class _MsChap(ChapMd5):
    """What both versions of MS-CHAP share."""

    coded = True

    def failure(self, reject: Reject, retry: bool, challenge: bytes) -> bytes:
        # V=3 from both versions, as Windows does: for v1 anything from 2 on means code 6.
        message = reject.message or _MESSAGES.get(reject.error, _MESSAGES[691])
        head = f"E={reject.error} R={int(retry)} C={challenge.hex().upper()} V=3 M="
        return head.encode() + message

    def check_challenge(self, challenge: bytes) -> None:
        if len(challenge) != self.challenge_octets:
            raise RemoteProtocolError(f"an MS-CHAP challenge of {len(challenge)} octets")

    def refusal(self, message: bytes) -> Refusal:
        found: dict[int, bytes] = {}
        for match in _FIELD.finditer(message.partition(b"M=")[0]):
            found.setdefault(match.lastindex or 0, match[match.lastindex or 0])
        challenge = bytes.fromhex(found[3].decode()) if len(found.get(3, b"")) in (16, 32) else None
        if challenge is not None and len(challenge) != self.challenge_octets:
            challenge = None
        return Refusal(
            int(found.get(1, b"691")), found.get(2) == b"1", challenge, int(found.get(4, b"1"))
        )

    @staticmethod
    def _fields(value: bytes) -> bytes:
        if len(value) != 49:
            raise RemoteProtocolError(f"an MS-CHAP response of {len(value)} octets")
        return value


class MsChapV1(_MsChap):
    """RFC 2433."""

    method = AuthMethod.MSCHAP_V1
    algorithm = 0x80
    challenge_octets = 8
    changes = MappingProxyType({ChapCode.CHANGE_PASSWORD_1: 68, ChapCode.CHANGE_PASSWORD_2: 1114})

    def credential(self, identifier: int, challenge: bytes, value: bytes) -> Credential:
        value = self._fields(value)
        return MsChapV1Credential(challenge, value[:24], value[24:48], bool(value[48] & 1))

    def change(self, code: int, challenge: bytes, data: bytes) -> Credential:
        """Code 5 holds hashes alone: the old ones go into `encrypted_hash_*`, the new ones
        into `encrypted_password_*` (section 9); code 6 is section 10's.
        """
        if len(data) != self.changes[code]:
            raise RemoteProtocolError(f"a Change-Password packet of {len(data)} octets")
        flags = int.from_bytes(data[-2:], "big")
        if code == ChapCode.CHANGE_PASSWORD_1:
            old_lm, new_lm, old_nt, new_nt = (data[i : i + 16] for i in range(0, 64, 16))
            return ChangePasswordV1Credential(
                challenge, 1, b"", b"", new_nt, new_lm, old_nt, old_lm, bool(flags & 1)
            )
        return ChangePasswordV1Credential(
            challenge,
            2,
            lm_response=data[1064:1088],
            nt_response=data[1088:1112],
            encrypted_password_nt=data[:516],
            encrypted_password_lm=data[532:1048],
            encrypted_hash_nt=data[516:532],
            encrypted_hash_lm=data[1048:1064],
            use_nt=bool(flags & 1),
        )

    def answer(
        self, identifier: int, challenge: bytes, name: bytes, password: str, rng: Random
    ) -> Answer:
        # Section 6: the LAN Manager response is deprecated and filled with zeros.
        response = self._response(challenge, password)
        keys = MsChapV1Keys.derive(password, challenge)
        return Answer(ChapCode.RESPONSE, _value(bytes(24) + response + b"\1", name), keys=keys)

    def change_answer(
        self, refusal: Refusal, challenge: bytes, name: bytes, old: str, new: str, rng: Random
    ) -> Answer | None:
        # Section 9: version 1 of the packet must not be sent where it can be overheard.
        if refusal.version < 2:
            return None
        block = mschap.new_password_encrypted_with_old_nt_password_hash(new, old, rng)
        proof = mschap.old_nt_password_hash_encrypted_with_new_nt_password_hash(new, old)
        tail = bytes(516 + 16 + 24) + self._response(challenge, new) + b"\0\1"
        keys = MsChapV1Keys.derive(new, challenge)
        return Answer(ChapCode.CHANGE_PASSWORD_2, block + proof + tail, keys=keys)

    @staticmethod
    def _response(challenge: bytes, password: str) -> bytes:
        return mschap.challenge_response(challenge, mschap.nt_password_hash(password))


class MsChapV2(_MsChap):
    """RFC 2759."""

    method = AuthMethod.MSCHAP_V2
    algorithm = 0x81
    challenge_octets = 16
    changes = MappingProxyType({ChapCode.CHANGE_PASSWORD_3: 582})
    fresh_for_change = True

    def credential(self, identifier: int, challenge: bytes, value: bytes) -> Credential:
        value = self._fields(value)
        return MsChapV2Credential(challenge, value[:16], value[24:48])

    def change(self, code: int, challenge: bytes, data: bytes) -> Credential:
        if len(data) != self.changes[code]:
            raise RemoteProtocolError(f"a Change-Password packet of {len(data)} octets")
        return ChangePasswordV2Credential(
            challenge,
            peer_challenge=data[532:548],
            nt_response=data[556:580],
            encrypted_password=data[:516],
            encrypted_hash=data[516:532],
        )

    def answer(
        self, identifier: int, challenge: bytes, name: bytes, password: str, rng: Random
    ) -> Answer:
        peer = rng(16)
        response, proof, keys = self._response(challenge, peer, name, password)
        data = _value(peer + bytes(8) + response + b"\0", name)
        return Answer(ChapCode.RESPONSE, data, proof, keys)

    def change_answer(
        self, refusal: Refusal, challenge: bytes, name: bytes, old: str, new: str, rng: Random
    ) -> Answer | None:
        peer = rng(16)
        block = mschap.new_password_encrypted_with_old_nt_password_hash(new, old, rng)
        crossed = mschap.old_nt_password_hash_encrypted_with_new_nt_password_hash(new, old)
        response, proof, keys = self._response(challenge, peer, name, new)
        data = block + crossed + peer + bytes(8) + response + b"\0\0"
        return Answer(ChapCode.CHANGE_PASSWORD_3, data, proof, keys)

    @staticmethod
    def _response(
        challenge: bytes, peer: bytes, name: bytes, password: str
    ) -> tuple[bytes, bytes, KeySource]:
        response = mschap.generate_nt_response(challenge, peer, name, password)
        proof = mschap.generate_authenticator_response(password, response, peer, challenge, name)
        return response, proof, MsChapV2Keys.derive(password, response, is_server=False)


def _value(value: bytes, name: bytes) -> bytes:
    return bytes((len(value),)) + value + name


SCHEMES: Mapping[AuthMethod, ChapMd5] = MappingProxyType(
    {scheme.method: scheme for scheme in (ChapMd5(), MsChapV1(), MsChapV2())}
)


def scheme_of(method: AuthMethod) -> ChapMd5:
    """The scheme of a CHAP method; LocalProtocolError where there is none."""
    if method not in SCHEMES:
        raise LocalProtocolError(f"{method.value} is no CHAP algorithm")
    return SCHEMES[method]
