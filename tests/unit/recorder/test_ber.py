"""SNMP messages against an encoder and a decoder that are not ours (pysnmp, pyasn1)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto import api, rfc1902

from fastpptp import ber
from fastpptp.recorder.traps import TRAPS, v1_trap, v2_trap
from tests.records import authenticated

ARCS = st.lists(st.integers(0, 2**32 - 1), max_size=12)


@given(st.integers(0, 2**63))
def test_integers(number: int) -> None:
    assert ber.integer(number) == encoder.encode(univ.Integer(number))


@given(st.integers(-(2**63), -1))
def test_negative_integers(number: int) -> None:
    """That encoder writes -128 in two octets; X.690 8.3.2 wants one."""
    encoded = ber.integer(number)
    assert decoder.decode(encoded) == (univ.Integer(number), b"")
    assert len(encoded) <= len(encoder.encode(univ.Integer(number)))


def test_an_integer_at_the_edge() -> None:
    assert ber.integer(-128) == b"\x02\x01\x80"
    assert ber.integer(-129) == b"\x02\x02\xff\x7f"


@given(st.integers(0, 2**32 - 1))
def test_time_ticks(number: int) -> None:
    assert ber.integer(number, ber.TIME_TICKS) == encoder.encode(rfc1902.TimeTicks(number))


@given(st.integers(0, 2), st.integers(0, 39), ARCS)
def test_object_identifiers(first: int, second: int, rest: list[int]) -> None:
    arcs = (first, second, *rest)
    assert ber.object_identifier(arcs) == encoder.encode(univ.ObjectIdentifier(arcs))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths(length: int) -> None:
    content = b"x" * length
    assert ber.octet_string(content) == encoder.encode(univ.OctetString(content))
    items = [ber.octet_string(content)] * 3
    expected = univ.SequenceOf(componentType=univ.OctetString())
    expected.extend([content] * 3)
    assert ber.sequence(*items) == encoder.encode(expected)


def test_a_trap_of_snmpv1() -> None:
    module: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]
    pdu, rest = decoder.decode(v1_trap(authenticated(), 1 << 32 | 7), asn1Spec=module.TrapPDU())
    assert not rest
    assert tuple(module.apiTrapPDU.get_enterprise(pdu)) == TRAPS
    assert int(module.apiTrapPDU.get_generic_trap(pdu)) == 6
    assert int(module.apiTrapPDU.get_specific_trap(pdu)) == 1
    assert int(module.apiTrapPDU.get_timestamp(pdu)) == 7
    assert len(module.apiTrapPDU.get_varbinds(pdu)) == 9


def test_a_trap_of_snmpv2() -> None:
    module: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
    encoded = v2_trap(authenticated(), 4250, 77)
    pdu, rest = decoder.decode(encoded, asn1Spec=module.TrapPDU())
    assert not rest
    assert int(module.apiTrapPDU.get_request_id(pdu)) == 77
    names = [tuple(name) for name, _ in module.apiTrapPDU.get_varbinds(pdu)]
    assert names[0] == (1, 3, 6, 1, 2, 1, 1, 3, 0)
    assert names[1] == (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
    assert len(names) == 11
    assert encoder.encode(pdu) == encoded
