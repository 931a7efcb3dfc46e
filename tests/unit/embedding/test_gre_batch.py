"""gre_encap_batch() and gre_decap_batch(), alone and with Mppe on the same rows."""

from __future__ import annotations

import struct
import threading
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.dataplane.batch import (
    GRE_ACKNOWLEDGED,
    GRE_BAD,
    GRE_BAD_LENGTH,
    GRE_BAD_VERSION,
    GRE_HEADER,
    GRE_OK,
    GRE_SEQUENCED,
    Mppe,
    gre_decap_batch,
    gre_encap_batch,
    mppe_states,
)
from tests.unit.crypto.reference import references, start_keys
from tests.unit.dataplane.rig import CALL_ID, LOCAL, PEER, gre

Octets = npt.NDArray[np.uint8]
Headers = npt.NDArray[np.void]


def rows(*texts: bytes, at: int = 0, width: int = 128) -> tuple[Headers, Octets]:
    """Each text in a row, from octet `at`."""
    headers = np.zeros(len(texts), GRE_HEADER)
    packets = np.full((len(texts), width), 0xA5, np.uint8)
    for k, text in enumerate(texts):
        packets[k, at : at + len(text)] = np.frombuffer(text, np.uint8)
        headers[k]["start"], headers[k]["length"] = at, len(text)
    return headers, packets


def found(headers: Headers, packets: Octets) -> list[bytes]:
    return [
        row[head["start"] : head["start"] + head["length"]].tobytes()
        for head, row in zip(headers, packets, strict=True)
    ]


def test_encap_is_what_another_makes() -> None:
    headers, packets = rows(b"one", b"three", b"", at=16)
    headers["call_id"] = CALL_ID
    headers["sequence"] = [1, 0xFFFFFFFF, 9]
    headers["acknowledged"] = [0, 5, 0xFFFFFFFF]
    headers["flags"] = [0, GRE_ACKNOWLEDGED, GRE_ACKNOWLEDGED]
    gre_encap_batch(headers, packets)
    wanted = [
        gre(b"one", 1), gre(b"three", 0xFFFFFFFF, 5), gre(acknowledged=0xFFFFFFFF)
    ]  # fmt: skip
    assert found(headers, packets) == [packet[20:] for packet in wanted]
    assert (headers["status"] == GRE_OK).all()
    assert headers["flags"].tolist() == [GRE_SEQUENCED, GRE_SEQUENCED | GRE_ACKNOWLEDGED, 1]


@pytest.mark.parametrize("ipv4", [False, True])
def test_decap(ipv4: bool) -> None:
    data = [gre(b"one", 1), gre(b"three", 7, 5, padding=b"!"), gre(acknowledged=3)]
    headers, packets = rows(*(one if ipv4 else one[20:] for one in data), at=3)
    assert gre_decap_batch(headers, packets, ipv4=ipv4) == 3
    assert found(headers, packets) == [b"one", b"three", b""]
    assert headers["call_id"].tolist() == [CALL_ID] * 3
    assert headers["sequence"].tolist() == [1, 7, 0]
    assert headers["acknowledged"].tolist() == [0, 5, 3]
    assert headers["flags"].tolist() == [2, 3, 1]
    addresses = PEER.packed + LOCAL.packed if ipv4 else bytes(8)
    assert headers[0]["source"].tobytes() + headers[0]["target"].tobytes() == addresses


def test_what_is_no_gre_keeps_its_place() -> None:
    good = gre(b"good", 1)[20:]
    headers, packets = rows(good, b"\x30\x00" + good[2:], good[:-1], b"?", good)
    before = headers.copy()
    assert gre_decap_batch(headers, packets) == 2
    bad = [GRE_BAD_VERSION, GRE_BAD_LENGTH, GRE_BAD]
    assert headers["status"].tolist() == [GRE_OK, *bad, GRE_OK]
    headers["status"] = 0
    assert (headers[1:4] == before[1:4]).all()
    assert found(headers, packets)[4] == b"good"


@given(st.lists(st.binary(max_size=100), max_size=8), st.booleans())
def test_decap_of_anything(texts: list[bytes], ipv4: bool) -> None:
    headers, packets = rows(*texts)
    before = packets.copy()
    good = gre_decap_batch(headers, packets, ipv4=ipv4)
    assert good == int((headers["status"] == GRE_OK).sum())
    assert (packets == before).all()
    for text, payload in zip(texts, found(headers, packets), strict=True):
        assert payload in text


def test_there_and_back_with_encryption() -> None:
    """MPPE and GRE on the same rows, without a copy, beside pycryptodome's octets."""
    count, sessions, at, width = 200, 5, 20, 128
    rng, random = np.random.default_rng(1), Random(1)
    keys = start_keys(rng, sessions, 128)
    texts = [random.randbytes(random.randrange(1, 60)) for _ in range(count)]
    index = rng.integers(0, sessions, count, np.uint32)
    headers, made = rows(*(b"\xff\x03\x00\xfd\0\0" + text for text in texts), at=at - 4)
    memory = np.zeros(count * width + at, np.uint8)
    packets = memory[:-at].reshape(count, width)  # rows as GRE sees them,
    sealed = memory[at:].reshape(count, width)  # and the same from the MPPE headers on
    packets[:] = made
    lengths = np.array([len(text) for text in texts], np.uint32)
    headers["call_id"], headers["sequence"] = index, np.arange(count)
    engine, sender = Mppe(), mppe_states(keys, 128, True)
    engine.encrypt_batch(sender, index, sealed, lengths)
    gre_encap_batch(headers, packets)

    oracle, counts = references(keys, 128, True), [0] * sessions
    for k, packet in enumerate(found(headers, packets)):
        session = index[k]
        mppe = struct.pack(">H", 0x9000 | counts[session]) + oracle[session].crypt(texts[k], 1)
        counts[session] += 1
        assert packet == gre(b"\xff\x03\x00\xfd" + mppe, k, call_id=session)[20:]

    assert gre_decap_batch(headers, packets) == count
    assert (headers["start"] == at - 4).all()
    receiver = mppe_states(keys, 128, True)
    status = engine.decrypt_batch(
        receiver, headers["call_id"].astype(np.uint32), sealed, headers["length"] - 6
    )
    assert not status.any()
    assert [packet[6:] for packet in found(headers, packets)] == texts


WRONG: dict[str, Any] = {
    "too little room": ({"start": 15}, ValueError, "do not fit"),
    "beyond the row": ({"start": 126}, ValueError, "do not fit"),
    "wraps": ({"length": 0xFFFFFFFF}, ValueError, "do not fit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_packets_outside_their_rows(case: str) -> None:
    fields, error, text = WRONG[case]
    headers, packets = rows(b"one", b"two", at=16)
    for name, value in fields.items():
        headers[1][name] = value
    before = headers.copy(), packets.copy()
    with pytest.raises(error, match=text):
        gre_encap_batch(headers, packets)
    assert (headers == before[0]).all()
    assert (packets == before[1]).all()


def test_other_mistakes() -> None:
    headers, packets = rows(b"one", b"two", at=16)
    with pytest.raises(ValueError, match="2 headers, but 1 packets"):
        gre_encap_batch(headers, packets[:1])
    with pytest.raises(TypeError, match="GRE_HEADER"):
        gre_decap_batch(np.zeros(2, np.uint32), packets)
    with pytest.raises(TypeError, match="GRE_HEADER"):
        gre_decap_batch(headers.reshape(1, 2), packets)
    with pytest.raises(ValueError, match="contiguous"):
        gre_decap_batch(np.zeros(4, GRE_HEADER)[::2], packets)
    headers.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        gre_decap_batch(headers, packets)


def test_longer_than_a_payload_may_be() -> None:
    headers, packets = rows(b"", at=16, width=65536 + 16)
    headers["length"] = 65536
    with pytest.raises(ValueError, match="65535"):
        gre_encap_batch(headers, packets)


def test_nothing_to_do() -> None:
    headers, packets = rows()
    gre_encap_batch(headers, packets.reshape(0, 128))
    assert gre_decap_batch(headers, packets.reshape(0, 128)) == 0


def test_threads_on_arrays_of_their_own() -> None:
    results: list[int] = []

    def body(seed: int) -> None:
        data = [gre(Random(seed + k).randbytes(40), k)[20:] for k in range(100)]
        headers, packets = rows(*data)
        for _ in range(50):
            copy = headers.copy()
            results.append(gre_decap_batch(copy, packets))

    threads = [threading.Thread(target=body, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [100] * 100
