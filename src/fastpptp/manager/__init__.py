"""The SessionManager: what a headend does, as effects; the runtime carries them out."""

from fastpptp.manager.accounting import CallCounters, Departure, Statistics
from fastpptp.manager.admission import Limits
from fastpptp.manager.core import SessionManager
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.workers import Workers

__all__ = [
    "CallCounters",
    "Departure",
    "HeadendSession",
    "Limits",
    "SessionManager",
    "Statistics",
    "Workers",
]
