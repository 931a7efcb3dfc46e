"""Session = Call + Link + handle, and why it ends."""

from fastpptp.session.cause import CAUSE_OF_END, TerminateCause
from fastpptp.session.session import Session
from fastpptp.session.view import Encryption, SessionState, SessionView

__all__ = [
    "CAUSE_OF_END",
    "Encryption",
    "Session",
    "SessionState",
    "SessionView",
    "TerminateCause",
]
