"""Scapy's PPTP layer as an independent oracle, both ways, for every message."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.pptp import decode, encode
from fastpptp.pptp.messages import MESSAGES, Message
from tests.unit.pptp.test_messages import VECTORS, strategy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pptp = pytest.importorskip("scapy.layers.pptp", reason="scapy is not installed")

# Scapy's names where they are not the RFC's as we spell them.
NAMES = {
    "version": "protocol_version",
    "vendor_name": "vendor_string",
    "serial": "call_serial_number",
    "result": "result_code",
    "error": "error_code",
    "cause": "cause_code",
    "receive_window": "pkt_window_size",
    "physical_channel": "channel_id",
    "phone_number_length": "phone_number_len",
    "dialed_number_length": "dialed_number_len",
    "dialing_number_length": "dialing_number_len",
    "call_statistics": "call_statistic",
    "timeout_errors": "time_out_errors",
}
LAYERS = pptp.PPTP.registered_options


def scapy_name(layer: type, name: str) -> str:
    known = {field.name for field in layer.fields_desc}  # type: ignore[attr-defined]
    if name == "processing_delay":
        return "pkt_proc_delay" if "pkt_proc_delay" in known else "pkt_transmit_delay"
    return NAMES.get(name, name)


def same(message: Message, packet: object) -> None:
    for field in message.LAYOUT.fields:
        theirs = getattr(packet, scapy_name(type(packet), field.name))
        ours = getattr(message, field.name)
        if field.is_text:
            assert theirs.rstrip(b"\0") == ours.encode("latin-1"), field.name
        else:
            assert int(theirs) == ours, field.name


@pytest.mark.parametrize(("message", "data"), VECTORS, ids=lambda v: type(v).__name__)
def test_scapy_reads_what_we_write(message: Message, data: bytes) -> None:
    packet = pptp.PPTP(encode(message))
    assert packet.ctrl_msg_type == message.LAYOUT.kind
    assert packet.len == len(data)
    same(message, packet)


@pytest.mark.parametrize("cls", MESSAGES.values(), ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_we_read_what_scapy_writes(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(strategy(cls))
    layer = LAYERS[cls.LAYOUT.kind]
    values = {}
    for field in cls.LAYOUT.fields:
        value = getattr(message, field.name)
        name = scapy_name(layer, field.name)
        values[name] = value.encode("latin-1") if field.is_text else value
    assert decode(bytes(layer(len=cls.LAYOUT.size, **values))) == message
