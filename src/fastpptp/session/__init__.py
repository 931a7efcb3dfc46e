"""Session = Call + Link + handle, and why it ends."""

from fastpptp.events.causes import Cause
from fastpptp.session.cause import CAUSE_OF_END
from fastpptp.session.session import Session
from fastpptp.session.view import Encryption, SessionState, SessionView

__all__ = [
    "CAUSE_OF_END",
    "Cause",
    "Encryption",
    "Session",
    "SessionState",
    "SessionView",
]
