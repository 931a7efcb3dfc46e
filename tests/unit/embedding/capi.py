"""The C API through its capsule, as ctypes sees it; field names and order are the header's."""

from __future__ import annotations

import ctypes as c
from typing import Any

from fastpptp import _core as core

OK, MALFORMED, LATE, OUT_OF_STEP, NO_KEYS, VERSION, LENGTH, ARGUMENT = range(8)
FLUSH = 1
ACKNOWLEDGED, SEQUENCE = 1, 2


class Mppe(c.Structure):
    _fields_ = (("opaque", c.c_uint64 * 40),)


class Packet(c.Structure):
    _fields_ = (
        ("state", c.POINTER(Mppe)),
        ("source", c.c_void_p),
        ("target", c.c_void_p),
        ("length", c.c_uint32),
        ("flags", c.c_uint8),
        ("status", c.c_uint8),
        ("reserved", c.c_uint8 * 10),
    )


class GrePacket(c.Structure):
    _fields_ = (
        ("packet", c.c_void_p),
        ("payload", c.c_void_p),
        ("packet_length", c.c_uint32),
        ("payload_length", c.c_uint32),
        ("headroom", c.c_uint32),
        ("sequence", c.c_uint32),
        ("acknowledged", c.c_uint32),
        ("source_address", c.c_uint32),
        ("target_address", c.c_uint32),
        ("call_id", c.c_uint16),
        ("flags", c.c_uint8),
        ("status", c.c_uint8),
        ("reserved", c.c_uint8 * 16),
    )


def function(result: Any, *arguments: Any) -> Any:
    return c.CFUNCTYPE(result, *arguments)


class Api(c.Structure):
    _fields_ = (
        ("abi", c.c_uint32),
        ("size", c.c_uint32),
        ("mppe_init", function(c.c_int, c.POINTER(Mppe), c.c_char_p, c.c_uint32, c.c_uint32)),
        ("mppe_wipe", function(None, c.c_void_p, c.POINTER(Mppe))),
        ("engine_new", function(c.c_void_p)),
        ("engine_free", function(None, c.c_void_p)),
        ("mppe_encrypt", function(c.c_size_t, c.c_void_p, c.c_void_p, c.c_size_t)),
        ("mppe_decrypt", function(c.c_size_t, c.c_void_p, c.c_void_p, c.c_size_t, c.c_uint32)),
        ("gre_encap", function(c.c_size_t, c.c_void_p, c.c_size_t)),
        ("gre_decap", function(c.c_size_t, c.c_void_p, c.c_size_t)),
        ("gre_decap_ipv4", function(c.c_size_t, c.c_void_p, c.c_size_t)),
        ("reserved", c.c_void_p * 7),
    )


def load() -> Api:
    pointer = c.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = c.c_void_p, [c.py_object, c.c_char_p]
    return Api.from_address(pointer(core._C_API, b"fastpptp._core._C_API"))
