"""The wire, held against pyasn1 and pysnmp, which know nothing of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto.rfc1902 import Counter32, IpAddress, TimeTicks

from fastpptp import ber
from fastpptp.snmp.reading import DecodeError, Reader

INT32 = st.integers(-(2**31), 2**31 - 1)
OIDS = st.tuples(
    st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**32 - 1), max_size=20)
).map(lambda parts: (parts[0], parts[1], *parts[2]))


@given(INT32)
def test_integers(value: int) -> None:
    encoded = ber.integer(value)
    assert decoder.decode(encoded, asn1Spec=univ.Integer()) == (value, b"")
    assert Reader(encoded).integer() == value
    assert Reader(encoder.encode(univ.Integer(value))).integer() == value


@given(st.integers(0, 2**32 - 1))
def test_unsigned(value: int) -> None:
    assert ber.integer(value, ber.COUNTER32) == encoder.encode(Counter32(value))
    assert ber.integer(value, ber.TIME_TICKS) == encoder.encode(TimeTicks(value))


@given(OIDS)
def test_object_identifiers(value: tuple[int, ...]) -> None:
    encoded = ber.object_identifier(value)
    assert encoded == encoder.encode(univ.ObjectIdentifier(value))
    assert Reader(encoded).oid() == value


@given(st.binary(max_size=70_000))
def test_octet_strings(value: bytes) -> None:
    encoded = ber.octet_string(value)
    assert encoded == encoder.encode(univ.OctetString(value))
    assert Reader(encoded).octets() == value


def test_an_address() -> None:
    assert ber.tagged(ber.IP_ADDRESS, bytes((192, 0, 2, 1))) == encoder.encode(
        IpAddress("192.0.2.1")
    )


@given(st.binary(max_size=40))
def test_any_octets(data: bytes) -> None:
    """A DecodeError, or what pyasn1 reads as well."""
    reader = Reader(data)
    try:
        found = reader.integer()
        reader.end()
    except DecodeError:
        return
    value, rest = decoder.decode(data, asn1Spec=univ.Integer())
    assert (int(value), rest) == (found, b"")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "02",
        "0200",
        "0201",
        "020500ffffffff",
        "028000",
        "02ff01",
        "0285000000000105",
        "04020101",
    ],
)
def test_what_is_no_integer(data: str) -> None:
    with pytest.raises(DecodeError):
        Reader(bytes.fromhex(data)).integer()


@pytest.mark.parametrize("arcs", ["", "2b86", "2b9fffffff7f", "2b" + "01" * 127])
def test_what_is_no_object_identifier(arcs: str) -> None:
    with pytest.raises(DecodeError):
        Reader(ber.tagged(ber.OBJECT_IDENTIFIER, bytes.fromhex(arcs))).oid()
