"""The functions of MS-CHAP: RFC 2759 section 8 and RFC 2433 appendix A, under the RFCs' names.

Pure functions over octets. A password is text of at most 256 characters; the wire's
character set for it is UTF-16LE.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha1

from Crypto.Cipher import ARC4, DES
from Crypto.Hash import MD4

from fastpptp.errors import LocalProtocolError, RemoteProtocolError

HASH = 16
RESPONSE = 24
PASSWORD_ROOM = 512
PW_BLOCK = PASSWORD_ROOM + 4
LM_PASSWORD = 14

_LM_TEXT = b"KGS!@#$%"
_SIGNING = b"Magic server to client signing constant"
_ITERATION = b"Pad to make it do more than one iteration"


def user_name(name: bytes) -> bytes:
    """The name that ChallengeHash takes: without a DOMAIN\\ before it (RFC 2759 section 4)."""
    return name.rpartition(b"\\")[2]


def unicode_password(password: str) -> bytes:
    return password.encode("utf-16-le", "surrogatepass")


def md4(octets: bytes) -> bytes:
    return MD4.new(octets).digest()


def nt_password_hash(password: str) -> bytes:
    """NtPasswordHash (RFC 2759 section 8.3): 16 octets."""
    return md4(unicode_password(password))


def hash_nt_password_hash(password_hash: bytes) -> bytes:
    """HashNtPasswordHash (RFC 2759 section 8.4): 16 octets."""
    return md4(password_hash)


def lm_password_hash(password: str) -> bytes | None:
    """LmPasswordHash (RFC 2433 A.2): 16 octets; None where the password has no LAN Manager form."""
    try:
        oem = password.upper().encode("cp437")
    except UnicodeEncodeError:
        return None
    if len(oem) > LM_PASSWORD:
        return None
    padded = oem.ljust(LM_PASSWORD, b"\0")
    return des_encrypt(_LM_TEXT, padded[:7]) + des_encrypt(_LM_TEXT, padded[7:])


def des_key(key: bytes) -> bytes:
    """7 octets spread over 8, with odd parity in the lowest bit of each (RFC 2759 section 9.3)."""
    number = int.from_bytes(key, "big")
    sevens = ((number >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    return bytes(seven | (seven.bit_count() + 1 & 1) for seven in sevens)


def des_encrypt(clear: bytes, key: bytes) -> bytes:
    """DesEncrypt (RFC 2759 section 8.6): 8 octets under a key of 7."""
    return DES.new(des_key(key), DES.MODE_ECB).encrypt(clear)


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, name: bytes) -> bytes:
    """ChallengeHash (RFC 2759 section 8.2): 8 octets. `name` as sent."""
    return sha1(peer_challenge + authenticator_challenge + user_name(name)).digest()[:8]


def challenge_response(challenge: bytes, password_hash: bytes) -> bytes:
    """ChallengeResponse (RFC 2759 section 8.5): 24 octets from 8 and 16."""
    padded = password_hash.ljust(21, b"\0")
    return b"".join(des_encrypt(challenge, padded[i : i + 7]) for i in (0, 7, 14))


def generate_nt_response(
    authenticator_challenge: bytes, peer_challenge: bytes, name: bytes, password: str
) -> bytes:
    """GenerateNTResponse (RFC 2759 section 8.1): 24 octets."""
    challenge = challenge_hash(peer_challenge, authenticator_challenge, name)
    return challenge_response(challenge, nt_password_hash(password))


def generate_authenticator_response(
    password: str,
    nt_response: bytes,
    peer_challenge: bytes,
    authenticator_challenge: bytes,
    name: bytes,
) -> bytes:
    """GenerateAuthenticatorResponse (RFC 2759 section 8.7): `S=` and 40 hexadecimal digits."""
    password_hash_hash = hash_nt_password_hash(nt_password_hash(password))
    digest = sha1(password_hash_hash + nt_response + _SIGNING).digest()
    challenge = challenge_hash(peer_challenge, authenticator_challenge, name)
    return b"S=" + sha1(digest + challenge + _ITERATION).hexdigest().upper().encode()


def check_authenticator_response(expected: bytes, message: bytes) -> bool:
    """CheckAuthenticatorResponse (RFC 2759 section 8.8), in constant time.

    `expected` is what generate_authenticator_response gave, `message` a Success's whole message.
    """
    return hmac.compare_digest(expected, message[: len(expected)])


def _rc4(key: bytes, octets: bytes) -> bytes:
    return ARC4.new(key).encrypt(octets)


def encrypt_pw_block_with_password_hash(
    password: str, password_hash: bytes, rng: Callable[[int], bytes]
) -> bytes:
    """EncryptPwBlockWithPasswordHash (RFC 2759 section 8.10): 516 octets."""
    clear = unicode_password(password)
    if len(clear) > PASSWORD_ROOM:
        raise LocalProtocolError("a password holds at most 256 characters")
    block = rng(PASSWORD_ROOM - len(clear)) + clear + len(clear).to_bytes(4, "little")
    return _rc4(password_hash, block)


def decrypt_pw_block(block: bytes, password_hash: bytes) -> str:
    """The new password in a PwBlock; RemoteProtocolError when it holds none under this hash."""
    clear = _rc4(password_hash, block)
    size = int.from_bytes(clear[PASSWORD_ROOM:], "little")
    if size > PASSWORD_ROOM:
        raise RemoteProtocolError("a new password longer than its block")
    try:
        return clear[PASSWORD_ROOM - size : PASSWORD_ROOM].decode("utf-16-le")
    except UnicodeDecodeError:
        raise RemoteProtocolError("a new password that is no text") from None


def new_password_encrypted_with_old_nt_password_hash(
    new_password: str, old_password: str, rng: Callable[[int], bytes]
) -> bytes:
    """NewPasswordEncryptedWithOldNtPasswordHash (RFC 2759 section 8.9): 516 octets."""
    old_hash = nt_password_hash(old_password)
    return encrypt_pw_block_with_password_hash(new_password, old_hash, rng)


def old_nt_password_hash_encrypted_with_new_nt_password_hash(
    new_password: str, old_password: str
) -> bytes:
    """OldNtPasswordHashEncryptedWithNewNtPasswordHash (RFC 2759 section 8.12): 16 octets."""
    return nt_password_hash_encrypted_with_block(
        nt_password_hash(old_password), nt_password_hash(new_password)
    )


def nt_password_hash_encrypted_with_block(password_hash: bytes, block: bytes) -> bytes:
    """NtPasswordHashEncryptedWithBlock (RFC 2759 section 8.13): 16 octets."""
    return des_encrypt(password_hash[:8], block[:7]) + des_encrypt(password_hash[8:], block[7:14])
