"""One ICMP Echo-Request to a client, through its tunnel."""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import IPv4Address
from struct import pack, unpack

ECHO_REPLY, ECHO_REQUEST = 0, 8
DATA = 48  # random octets, by which the answer is known


async def ping(source: IPv4Address, target: IPv4Address, timeout: float) -> float | None:
    """Seconds until the Echo-Reply is there, None if none came. OSError: it cannot be sent."""
    loop = asyncio.get_running_loop()
    with socket.socket(
        socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP
    ) as icmp:
        icmp.bind((str(source), 0))
        icmp.connect((str(target), 0))  # the kernel gives us this address' packets alone
        rest = os.urandom(2) + pack(">H", 1) + os.urandom(DATA)
        begin = loop.time()
        await loop.sock_sendall(icmp, echo_request(rest))
        try:
            await asyncio.wait_for(_reply(icmp, rest), timeout)
        except TimeoutError:
            return None
        return loop.time() - begin


def echo_request(rest: bytes) -> bytes:
    """The message whose identifier, sequence number and data are `rest` (RFC 792)."""
    head = bytes((ECHO_REQUEST, 0))
    return head + pack(">H", checksum(head + bytes(2) + rest)) + rest


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of octets (RFC 1071)."""
    total: int = sum(unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


async def _reply(icmp: socket.socket, rest: bytes) -> None:
    loop = asyncio.get_running_loop()
    while True:
        packet = await loop.sock_recv(icmp, 65_535)
        message = packet[(packet[0] & 15) * 4 :] if packet else b""
        if message[:1] == bytes((ECHO_REPLY,)) and message[4:] == rest:
            return
