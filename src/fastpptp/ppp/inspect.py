"""Control frames in pppd's one-line form: `LCP ConfReq id=0x1 <mru 1400> <auth chap MS-v2>`.

Any octets can be described; a password never shows (hidden.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from types import MappingProxyType

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.auth import method_of
from fastpptp.ppp.auth.packets import PapCode, decode_authenticate_request
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.events import AutomatonStep, PhaseChange, RequestJudged
from fastpptp.ppp.frames import (
    HEADER,
    Code,
    Option,
    Packet,
    Protocol,
    decode_frame,
    decode_options,
    decode_packet,
)

_CODES: Mapping[int, str] = MappingProxyType(
    {
        Code.CONFIGURE_REQUEST: "ConfReq",
        Code.CONFIGURE_ACK: "ConfAck",
        Code.CONFIGURE_NAK: "ConfNak",
        Code.CONFIGURE_REJECT: "ConfRej",
        Code.TERMINATE_REQUEST: "TermReq",
        Code.TERMINATE_ACK: "TermAck",
        Code.CODE_REJECT: "CodeRej",
        Code.PROTOCOL_REJECT: "ProtRej",
        Code.ECHO_REQUEST: "EchoReq",
        Code.ECHO_REPLY: "EchoRep",
        Code.DISCARD_REQUEST: "DiscReq",
        Code.IDENTIFICATION: "Ident",
        Code.TIME_REMAINING: "TimeRem",
        Code.RESET_REQUEST: "ResetReq",
        Code.RESET_ACK: "ResetAck",
    }
)
_PAP_CODES: Mapping[int, str] = MappingProxyType({1: "AuthReq", 2: "AuthAck", 3: "AuthNak"})
_CHAP_CODES: Mapping[int, str] = MappingProxyType(
    {
        1: "Challenge",
        2: "Response",
        3: "Success",
        4: "Failure",
        5: "ChangePassword1",
        6: "ChangePassword2",
        7: "ChangePassword3",
    }
)
_EAP_CODES: Mapping[int, str] = MappingProxyType(
    {1: "Request", 2: "Response", 3: "Success", 4: "Failure"}
)
_EAP_TYPED = frozenset({1, 2})
_EAP_TYPES: Mapping[int, str] = MappingProxyType(
    {1: "Identity", 2: "Notification", 3: "Nak", 4: "MD5-Challenge", 26: "MS-CHAP-V2"}
)
_EAP_TEXT = frozenset({1, 2})
_AUTHENTICATION = frozenset({Protocol.PAP, Protocol.CHAP, Protocol.EAP})
_CHAP_NAMED = frozenset({1, 2})
_CHAP_TEXT = frozenset({3, 4})

_METHODS: Mapping[AuthMethod, str] = MappingProxyType(
    {
        AuthMethod.PAP: "pap",
        AuthMethod.CHAP: "chap MD5",
        AuthMethod.MSCHAP_V1: "chap MS",
        AuthMethod.MSCHAP_V2: "chap MS-v2",
        AuthMethod.EAP: "eap",
    }
)


def describe(protocol: int, information: bytes) -> str:
    """One line for the information field of a control frame, in brackets."""
    name = _protocol_name(protocol)
    try:
        packet = decode_packet(information)
    except RemoteProtocolError as error:
        shown = information[: HEADER if protocol in _AUTHENTICATION else 16]
        return f"[{name} {shown.hex()} ({error})]"
    words = [name, *_packet_words(protocol, packet)]
    return f"[{' '.join(words)}]"


def describe_frame(frame: bytes) -> str:
    """As describe, for a frame from its protocol field on."""
    try:
        return describe(*decode_frame(frame))
    except RemoteProtocolError as error:
        return f"[{frame[:16].hex()} ({error})]"


def describe_header(frame: bytes) -> str:
    """Protocol, code, identifier and length alone: `[LCP ConfReq id=0x1 len=24]`."""
    try:
        protocol, information = decode_frame(frame)
        packet = decode_packet(information)
    except RemoteProtocolError as error:
        return f"[{frame[:HEADER].hex()} ({error})]"
    codes = _CODES_OF.get(protocol, {})
    words = [_protocol_name(protocol), *_named(codes, packet), f"len={HEADER + len(packet.data)}"]
    return f"[{' '.join(words)}]"


def header_of(frame: bytes) -> bytes:
    """The octets that describe_header tells of."""
    try:
        _, information = decode_frame(frame)
    except RemoteProtocolError:
        return frame[:HEADER]
    return frame[: len(frame) - len(information) + HEADER]


def describe_phase(change: PhaseChange) -> str:
    return f"phase {change.before} -> {change.after}"


def describe_step(step: AutomatonStep) -> str:
    """`LCP REQ_SENT -> ACK_RCVD on RCA (irc)`, in the words of RFC 1661 4.1."""
    actions = ", ".join(action.value for action in step.actions) or "nothing to do"
    states = f"{step.before.name} -> {step.after.name}"
    return f"{_protocol_name(step.protocol)} {states} on {step.event.value} ({actions})"


def describe_judgement(judged: RequestJudged) -> str:
    """`IPCP answers ConfReq id=0x3 with ConfNak <addr 172.16.1.10>`."""
    options = _OPTIONS.get(judged.protocol, {})
    shown = [f"<{_option_text(options, option)}>" for option in judged.options]
    answer = " ".join([_CODES[judged.verdict], *shown])
    return (
        f"{_protocol_name(judged.protocol)} answers ConfReq id={judged.identifier:#x} with {answer}"
    )


def _protocol_name(protocol: int) -> str:
    return Protocol(protocol).name if protocol in _NAMED else f"proto={protocol:#06x}"


def _packet_words(protocol: int, packet: Packet) -> list[str]:
    named = _named(_CODES_OF.get(protocol, {}), packet)
    if protocol == Protocol.PAP:
        return named + _pap_words(packet)
    if protocol == Protocol.CHAP:
        return named + _chap_words(packet)
    if protocol == Protocol.EAP:
        return named + _eap_words(packet)
    if protocol in _OPTIONS:
        return named + _control_words(protocol, packet)
    return named + _octets(packet.data)


def _named(codes: Mapping[int, str], packet: Packet) -> list[str]:
    return [codes.get(packet.code, f"code={packet.code:#x}"), f"id={packet.identifier:#x}"]


def _pap_words(packet: Packet) -> list[str]:
    """The Peer-ID or the Message; both start with their length."""
    data = packet.data
    text = data[1 : 1 + data[0]] if data else b""
    if packet.code in (PapCode.AUTHENTICATE_ACK, PapCode.AUTHENTICATE_NAK):
        return [_quoted(text)]
    try:
        decode_authenticate_request(data)
    except RemoteProtocolError as error:
        return [f"({error})"]
    return [f"user={_quoted(text)}", "password=<hidden>"]


def _chap_words(packet: Packet) -> list[str]:
    data = packet.data
    if packet.code in _CHAP_NAMED and data:
        size = data[0]
        return [f"<{data[1 : 1 + size].hex()}>", f"name={_quoted(data[1 + size :])}"]
    if packet.code in _CHAP_TEXT:
        return [_quoted(data)]
    return [f"<{len(data)} octets>"]


def _eap_words(packet: Packet) -> list[str]:
    """RFC 3748 4 and 5; of what answers a method, only that it does."""
    if packet.code not in _EAP_TYPED or not packet.data:
        return []
    kind, data = packet.data[0], packet.data[1:]
    words = [_EAP_TYPES.get(kind, f"type={kind}")]
    if kind in _EAP_TEXT:
        return [*words, _quoted(data)]
    return [*words, f"<{len(data)} octets>"]


def _control_words(protocol: int, packet: Packet) -> list[str]:
    code, data = packet.code, packet.data
    if code <= Code.CONFIGURE_REJECT and code > 0:
        return _option_words(_OPTIONS[protocol], data)
    if code in (Code.TERMINATE_REQUEST, Code.TERMINATE_ACK):
        return [_quoted(data)] if data else []
    if code == Code.PROTOCOL_REJECT and len(data) >= 2:
        inside = data[2:6] if int.from_bytes(data[:2], "big") in _AUTHENTICATION else data[2:]
        return [f"proto={data[:2].hex()}", *_octets(inside)]
    if code in _WITH_MAGIC and len(data) >= 4:
        rest = [_quoted(data[4:])] if code == Code.IDENTIFICATION else _octets(data[4:])
        return [f"magic=0x{data[:4].hex()}", *rest]
    return _octets(data)


_WITH_MAGIC = frozenset(
    {
        Code.ECHO_REQUEST,
        Code.ECHO_REPLY,
        Code.DISCARD_REQUEST,
        Code.IDENTIFICATION,
        Code.TIME_REMAINING,
    }
)


def _option_words(options: _OptionTexts, data: bytes) -> list[str]:
    try:
        return [f"<{_option_text(options, option)}>" for option in decode_options(data)]
    except RemoteProtocolError as error:
        return [*_octets(data), f"({error})"]


def _option_text(options: _OptionTexts, option: Option) -> str:
    name, size, text = options.get(option.type, (f"{option.type}", -1, bytes.hex))
    if size not in (-1, len(option.data)):
        text = bytes.hex
    return f"{name} {text(option.data)}".rstrip()


def _quoted(octets: bytes) -> str:
    text = "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\x{c:02x}" for c in octets)
    return f'"{text}"'


def _octets(data: bytes) -> list[str]:
    """The first of them: a peer decides how many there are."""
    return [data[:32].hex() + ("..." if len(data) > 32 else "")] if data else []


def _number(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _address(data: bytes) -> str:
    return str(IPv4Address(data))


def _auth(data: bytes) -> str:
    method = method_of(data)
    return _METHODS[method] if method else data.hex()


def _mppe(data: bytes) -> str:
    """`+H -M +S -L -D -C`, as pppd prints the Supported Bits."""
    value = int.from_bytes(data, "big")
    bits = ((0x01000000, "H"), (0x80, "M"), (0x40, "S"), (0x20, "L"), (0x10, "D"), (0x01, "C"))
    return " ".join(("+" if value & bit else "-") + letter for bit, letter in bits)


def _nothing(data: bytes) -> str:
    return ""


def _colons(data: bytes) -> str:
    return data.hex(":", 2)


# Name, length of the data (-1: any) and what turns the data into text.
_OptionTexts = Mapping[int, tuple[str, int, Callable[[bytes], str]]]

_OPTIONS: Mapping[int, _OptionTexts] = MappingProxyType(
    {
        Protocol.LCP: {
            1: ("mru", 2, _number),
            2: ("asyncmap", 4, _hex),
            3: ("auth", -1, _auth),
            4: ("quality", -1, bytes.hex),
            5: ("magic", 4, _hex),
            7: ("pcomp", 0, _nothing),
            8: ("accomp", 0, _nothing),
            13: ("callback", -1, bytes.hex),
            17: ("mrru", 2, _number),
            18: ("ssnhf", 0, _nothing),
            19: ("endpoint", -1, bytes.hex),
        },
        Protocol.CCP: {18: ("mppe", 4, _mppe), 26: ("deflate", -1, bytes.hex)},
        Protocol.IPCP: {
            1: ("addrs", -1, bytes.hex),
            2: ("compress", -1, bytes.hex),
            3: ("addr", 4, _address),
            129: ("ms-dns1", 4, _address),
            130: ("ms-wins1", 4, _address),
            131: ("ms-dns2", 4, _address),
            132: ("ms-wins2", 4, _address),
        },
        Protocol.IPV6CP: {1: ("addr", 8, _colons), 2: ("compress", -1, bytes.hex)},
    }
)

_NAMED = frozenset(Protocol)

_CODES_OF: Mapping[int, Mapping[int, str]] = MappingProxyType(
    {
        Protocol.PAP: _PAP_CODES,
        Protocol.CHAP: _CHAP_CODES,
        Protocol.EAP: _EAP_CODES,
        **dict.fromkeys(_OPTIONS, _CODES),
    }
)
