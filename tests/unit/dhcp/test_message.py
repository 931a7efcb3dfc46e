"""The codec against scapy, and against whatever a hostile server may send."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from fastpptp.dhcp.message import (
    COOKIE,
    REPLY,
    REQUEST,
    SHORTEST,
    Code,
    Message,
    MessageType,
    decode,
)
from fastpptp.errors import LocalProtocolError, RemoteProtocolError

CHADDR = bytes.fromhex("020000000001")
ADDRESS = IPv4Address("172.16.1.10")
SERVER = IPv4Address("192.0.2.67")


def reply(*options: tuple[str, object] | str, **fields: object) -> bytes:
    """A server's message as scapy writes it."""
    header = BOOTP(op=2, xid=7, chaddr=CHADDR + bytes(10), yiaddr=str(ADDRESS), **fields)
    return bytes(header / DHCP(options=[*options, "end"]))


def test_scapy_reads_what_we_write() -> None:
    message = Message(
        REQUEST, MessageType.REQUEST, 0x12345678, CHADDR, secs=3, ciaddr=ADDRESS, giaddr=SERVER,
        options={
            Code.CLIENT_IDENTIFIER: b"\0alice/1", Code.REQUESTED_ADDRESS: ADDRESS.packed,
            Code.SERVER_IDENTIFIER: SERVER.packed, Code.HOST_NAME: b"alice",
            Code.SUBNET_SELECTION: IPv4Address("172.16.1.0").packed,
            Code.RELAY_AGENT: b"\x05\x04\xac\x10\x01\x00",
        },
    )  # fmt: skip
    data = message.encode()
    read = BOOTP(data)
    assert (read.op, read.htype, read.hlen, read.xid, read.secs) == (1, 1, 6, 0x12345678, 3)
    assert (read.ciaddr, read.giaddr, read.chaddr[:6]) == (str(ADDRESS), str(SERVER), CHADDR)
    assert [option for option in read[DHCP].options if option != "pad"] == [
        ("message-type", 3),
        ("client_id", b"\0alice/1"),
        ("requested_addr", str(ADDRESS)),
        ("server_id", str(SERVER)),
        ("hostname", b"alice"),
        ("subnet-selection", "172.16.1.0"),
        ("relay_agent_information", b"\x05\x04\xac\x10\x01\x00"),
        "end",
    ]
    assert len(data) >= SHORTEST
    assert decode(data) == message


def test_we_read_what_scapy_writes() -> None:
    message = decode(
        reply(
            ("message-type", "ack"), ("server_id", str(SERVER)), ("lease_time", 3600),
            ("renewal_time", 1800), ("name_server", "10.9.9.1", "10.9.9.2"),
            ("NetBIOS_server", "10.9.9.3"), giaddr=str(SERVER),
        )
    )  # fmt: skip
    assert (message.op, message.type, message.xid) == (REPLY, MessageType.ACK, 7)
    assert (message.chaddr, message.yiaddr, message.giaddr) == (CHADDR, ADDRESS, SERVER)
    assert message.address(Code.SERVER_IDENTIFIER) == SERVER
    assert message.address(Code.REQUESTED_ADDRESS) is None
    assert message.seconds(Code.LEASE_TIME) == 3600
    assert message.seconds(Code.REBINDING_TIME) is None
    assert message.addresses(Code.NBNS) == (IPv4Address("10.9.9.3"),)
    assert list(map(str, message.addresses(Code.DNS))) == ["10.9.9.1", "10.9.9.2"]
    assert message.addresses(Code.HOST_NAME) == ()


def raw(options: bytes, *, sname: bytes = b"", file: bytes = b"") -> bytes:
    """A reply with these octets as its options."""
    head = BOOTP(op=2, xid=7, chaddr=CHADDR + bytes(10), sname=sname, file=file, options=b"")
    return bytes(head)[:236] + COOKIE + options


ACK = b"\x35\x01\x05"


def test_options_in_the_file_and_sname_fields() -> None:
    """RFC 2132 9.3: first the file field's, then sname's; a code may go on from one to the next."""
    data = raw(
        ACK + b"\x34\x01\x03\x06\x02\x0a\x09\xff", file=b"\x06\x02\x09\x01\xff\x0c\x01x",
        sname=b"\x33\x04\0\0\x0e\x10\xff",
    )  # fmt: skip
    message = decode(data)
    assert message.addresses(Code.DNS) == (IPv4Address("10.9.9.1"),)
    assert message.seconds(Code.LEASE_TIME) == 3600
    assert Code.HOST_NAME not in message.options, "it stood behind the end"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 octets are no message"),
        (raw(b"")[:239], "239 octets are no message"),
        (raw(ACK).replace(COOKIE, b"\x63\x82\x53\x64"), "the magic cookie is wrong"),
        (b"\x03" + raw(ACK)[1:], "op 3, htype 1, hlen 6"),
        (b"\x02\x01\x10" + raw(ACK)[3:], "op 2, htype 1, hlen 16"),
        (raw(b"\xff"), "message type none"),
        (raw(b"\x35\x01\x09\xff"), "message type 09"),
        (raw(b"\x35\x02\x05\x05\xff"), "message type 0505"),
        (raw(ACK + b"\x06"), "option 6 is cut off"),
        (raw(ACK + b"\x06\x05\x01"), "option 6 is cut off"),
        (raw(ACK + b"\x34\x01\x04\xff"), "option overload 04"),
    ],
)
def test_what_is_no_message(data: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data)
    assert str(caught.value) == why


def test_options_of_a_wrong_size() -> None:
    message = decode(raw(ACK + b"\x36\x03abc\x33\x05abcde\x06\x07abcdefg\xff"))
    for read, code in (
        (message.address, Code.SERVER_IDENTIFIER), (message.seconds, Code.LEASE_TIME),
        (message.addresses, Code.DNS),
    ):  # fmt: skip
        with pytest.raises(RemoteProtocolError, match=f"option {code.value} has"):
            read(code)


def test_an_option_that_does_not_fit() -> None:
    message = Message(REQUEST, MessageType.DISCOVER, 1, CHADDR, options={61: bytes(256)})
    with pytest.raises(LocalProtocolError, match="option 61 has 256 octets"):
        message.encode()


ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
MESSAGES = st.builds(
    Message,
    st.sampled_from([REQUEST, REPLY]), st.sampled_from(MessageType), st.integers(0, 2**32 - 1),
    st.binary(min_size=6, max_size=6), st.integers(0, 0xFFFF), ADDRESSES, ADDRESSES, ADDRESSES,
    st.dictionaries(
        st.integers(1, 254).filter(lambda code: code not in (52, 53)), st.binary(max_size=255),
        max_size=6,
    ),
)  # fmt: skip


@given(MESSAGES)
def test_there_and_back(message: Message) -> None:
    assert decode(message.encode()) == message


@given(st.binary(max_size=400) | st.binary(max_size=200).map(raw), st.integers(0, 300), st.binary())
def test_nothing_else_is_raised(data: bytes, at: int, patch: bytes) -> None:
    for hostile in (data, data[:at] + patch + data[at + len(patch) :]):
        try:
            message = decode(hostile)
            message.addresses(Code.DNS)
            message.seconds(Code.LEASE_TIME)
            message.address(Code.SERVER_IDENTIFIER)
        except RemoteProtocolError:
            continue
