"""Doubles that ship with fastpptp: a dataplane, a link, a clock and a client, all in memory."""

from fastpptp.testing.answers import LocalAnswers
from fastpptp.testing.client import ClientCall, ScriptedClient
from fastpptp.testing.clock import ManualClock
from fastpptp.testing.dataplane import FakeCall, FakeDataplane
from fastpptp.testing.headend import MemoryHeadend, Weather
from fastpptp.testing.link import MemoryLink

__all__ = [
    "ClientCall",
    "FakeCall",
    "FakeDataplane",
    "LocalAnswers",
    "ManualClock",
    "MemoryHeadend",
    "MemoryLink",
    "ScriptedClient",
    "Weather",
]
