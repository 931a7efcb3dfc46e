"""Codecs on batches of 64 packets, ours and other libraries', each as `seconds(loops)`.

The other libraries do what MPPE-128 stateless asks for (RFC 3078 7.3, RFC 3079 3.3): a key change
and a fresh RC4 for each packet; stateful, RC4 goes on.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable

import numpy as np
from Crypto.Cipher import ARC4
from cryptography.hazmat.decrepit.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers import Cipher

from fastpptp.dataplane.batch import (
    GRE_ACKNOWLEDGED,
    GRE_HEADER,
    Mppe,
    gre_decap_batch,
    gre_encap_batch,
    mppe_states,
)

PACKETS = 64
SIZES = (64, 576, 1400)
MODES = ("stateless", "stateful")
ROOM = 64  # octets in front of a payload

Batch = Callable[[], object]
Encrypt = Callable[[bytes], bytes]
Codec = Callable[[int], float]


def seconds(batch: Batch, prepare: Batch | None = None) -> Codec:
    """CPU time of `loops` runs of `batch`, `prepare` before each not counted."""

    def timed(loops: int) -> float:
        total = 0.0
        for _ in range(loops):
            if prepare is not None:
                prepare()
            start = time.thread_time()
            batch()
            total += time.thread_time() - start
        return total

    return timed


# GRE.


def _packets(size: int) -> tuple[np.ndarray, np.ndarray]:
    headers = np.zeros(PACKETS, GRE_HEADER)
    headers["start"], headers["length"] = ROOM, size
    headers["sequence"] = np.arange(PACKETS)
    headers["call_id"], headers["flags"] = 0x1234, GRE_ACKNOWLEDGED
    octets = np.random.default_rng(1).integers(0, 256, (PACKETS, ROOM + size), np.uint8)
    return headers, octets


def encapsulate(size: int) -> Codec:
    fresh, octets = _packets(size)
    headers = fresh.copy()

    def prepare() -> None:
        headers[:] = fresh

    return seconds(lambda: gre_encap_batch(headers, octets), prepare)


def decapsulate(size: int) -> Codec:
    fresh, octets = _packets(size)
    gre_encap_batch(fresh, octets)
    headers = fresh.copy()

    def prepare() -> None:
        headers[:] = fresh

    return seconds(lambda: gre_decap_batch(headers, octets), prepare)


def struct_encapsulate(size: int) -> Codec:
    payloads = [bytes(size)] * PACKETS

    def batch() -> list[bytes]:
        return [
            struct.pack(">HHHHII", 0x3081, 0x880B, len(payload), 0x1234, number, number) + payload
            for number, payload in enumerate(payloads)
        ]

    return seconds(batch)


def struct_decapsulate(size: int) -> Codec:
    packet = struct.pack(">HHHHII", 0x3081, 0x880B, size, 0x1234, 1, 1) + bytes(size)

    def one(data: bytes) -> tuple[int, int, int, bytes]:
        flags, protocol, length, call_id = struct.unpack_from(">HHHH", data)
        sequence, acknowledged = struct.unpack_from(">II", data, 8)
        if flags != 0x3081 or protocol != 0x880B or len(data) < 16 + length:
            raise ValueError("not enhanced GRE")
        return call_id, sequence, acknowledged, data[16 : 16 + length]

    return seconds(lambda: [one(packet) for _ in range(PACKETS)])


# MPPE.


def _states(sessions: int, mode: str) -> np.ndarray:
    keys = np.random.default_rng(1).integers(0, 256, (sessions, 16), np.uint8)
    return mppe_states(keys, 128, mode == "stateless")


def encrypt(size: int, mode: str, sessions: int = PACKETS) -> Codec:
    """64 packets; of 64 sessions, or of fewer."""
    states = _states(sessions, mode)
    index = (np.arange(PACKETS) % sessions).astype(np.uint32)
    packets = np.zeros((PACKETS, 2 + size), np.uint8)
    lengths = np.full(PACKETS, size, np.uint32)
    engine = Mppe()
    return seconds(lambda: engine.encrypt_batch(states, index, packets, lengths))


def decrypt(size: int, mode: str) -> Codec:
    states = _states(PACKETS, mode)
    sender, receiver = states.copy(), states.copy()
    index = np.arange(PACKETS, dtype=np.uint32)
    packets = np.zeros((PACKETS, 2 + size), np.uint8)
    lengths = np.full(PACKETS, size, np.uint32)
    engine, peer = Mppe(), Mppe()
    return seconds(
        lambda: engine.decrypt_batch(receiver, index, packets, lengths),
        lambda: peer.encrypt_batch(sender, index, packets, lengths),
    )


def rekey() -> Codec:
    """A lost span: 64 sessions catch up by 16 keys each, and decrypt an octet."""
    states = _states(PACKETS, "stateless")
    index = np.arange(PACKETS, dtype=np.uint32)
    packets = np.zeros((PACKETS, 3), np.uint8)
    lengths = np.ones(PACKETS, np.uint32)
    changes = np.full(PACKETS, 16, np.uint16)
    engine = Mppe()
    return seconds(lambda: engine.crypt_batch(states, index, packets, lengths, changes=changes))


def _with_pycryptodome(key: bytes) -> Encrypt:
    return ARC4.new(key).encrypt


def _with_pyca(key: bytes) -> Encrypt:
    return Cipher(algorithms.ARC4(key), mode=None).encryptor().update


class Session:
    """MPPE-128 with another library's RC4 and hashlib's SHA-1."""

    def __init__(self, arc4: Callable[[bytes], Encrypt], stateless: bool) -> None:
        self.arc4, self.stateless = arc4, stateless
        self.start = self.key = bytes(range(16))
        self.encrypt = arc4(self.key)

    def change(self) -> None:
        block = self.start + b"\0" * 40 + self.key + b"\xf2" * 40
        interim = hashlib.sha1(block).digest()[:16]
        self.key = self.arc4(interim)(interim)
        self.encrypt = self.arc4(self.key)

    def packet(self, plain: bytes) -> bytes:
        if self.stateless:
            self.change()
        return self.encrypt(plain)


LIBRARIES = {"pycryptodome": _with_pycryptodome, "PyCA": _with_pyca}


def other_encrypt(library: str, size: int, mode: str) -> Codec:
    sessions = [Session(LIBRARIES[library], mode == "stateless") for _ in range(PACKETS)]
    plain = bytes(size)
    return seconds(lambda: [session.packet(plain) for session in sessions])


def other_rekey(library: str) -> Codec:
    sessions = [Session(LIBRARIES[library], True) for _ in range(PACKETS)]

    def batch() -> None:
        for session in sessions:
            for _ in range(16):
                session.change()
            session.encrypt(b"\0")

    return seconds(batch)


def codecs() -> dict[str, tuple[Codec, dict[str, Codec]]]:
    """Name: ours, and by name what it is compared with. A codec's figure is of 64 packets."""
    found: dict[str, tuple[Codec, dict[str, Codec]]] = {
        "GRE encapsulate, 1,400 B": (encapsulate(1400), {"struct": struct_encapsulate(1400)}),
        "GRE decapsulate, 1,400 B": (decapsulate(1400), {"struct": struct_decapsulate(1400)}),
        "MPPE catch up by 16 keys": (rekey(), {n: other_rekey(n) for n in LIBRARIES}),
    }
    for mode in MODES:
        for size in SIZES:
            others = {n: other_encrypt(n, size, mode) for n in LIBRARIES}
            found[f"MPPE {mode}, encrypt {size:,} B"] = (encrypt(size, mode), others)
        found[f"MPPE {mode}, decrypt 1,400 B"] = (decrypt(1400, mode), {})
        found[f"MPPE {mode}, encrypt 1,400 B, one session"] = (encrypt(1400, mode, 1), {})
    return found
