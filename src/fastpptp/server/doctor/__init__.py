"""`fastpptp doctor`: what a newcomer's machine trips over, found before a client does.

Each check looks at one thing and says what to do about it. Nothing is changed.
"""

from fastpptp.server.doctor.checks import examine
from fastpptp.server.doctor.facts import Facts, gather
from fastpptp.server.doctor.finding import Finding, State

__all__ = ["Facts", "Finding", "State", "examine", "gather"]
