"""The SessionManager: what a headend does, as effects; the runtime carries them out."""

from fastpptp.manager.accounting import Departure
from fastpptp.manager.admission import Limits
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.session_manager import SessionManager
from fastpptp.manager.statistics import CallCounters, Statistics
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
