"""The state machines of PAP and CHAP, both roles, as tables: (state, input) -> (action, state).

What a table does not hold changes nothing: the packet is silently discarded
(RFC 1334 section 2.2, RFC 1994 section 4). An action is a method of the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias


class State(Enum):
    INITIAL = "initial"
    # The authenticator's.
    WAITING = "waiting"  # for the peer's credential
    ASKING = "asking"  # the policy holds the credential
    RETRYING = "retrying"  # the peer may try again (R=1)
    CHANGING = "changing"  # the peer must change its password (E=648)
    ASKING_CHANGE = "asking change"  # the policy holds the new password
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    # The peer's.
    LISTENING = "listening"  # for a Challenge
    RESPONDED = "responded"
    OPEN = "open"
    RECHALLENGED = "rechallenged"  # challenged again after Success (RFC 1994 section 2)
    CLOSED = "closed"


class Input(Enum):
    START = "start"
    TIMEOUT = "timeout"
    EXPIRED = "expired"  # a time-out with no transmission left
    # The authenticator's.
    RESPONSE = "response"
    CHANGE = "change"
    DUPLICATE = "duplicate"  # of what was answered already
    ACCEPT = "accept"
    REJECT = "reject"
    RETRY = "retry"
    PASSWORD_EXPIRED = "password expired"
    # The peer's.
    CHALLENGE = "challenge"
    SUCCESS = "success"
    FAILURE = "failure"


Table: TypeAlias = Mapping[tuple[State, Input], tuple[str, State]]

AUTHENTICATOR: Table = MappingProxyType(
    {
        (State.INITIAL, Input.START): ("begin", State.WAITING),
        (State.WAITING, Input.RESPONSE): ("ask", State.ASKING),
        (State.WAITING, Input.TIMEOUT): ("repeat", State.WAITING),
        (State.WAITING, Input.EXPIRED): ("give_up", State.REJECTED),
        (State.ASKING, Input.ACCEPT): ("succeed", State.ACCEPTED),
        (State.ASKING, Input.REJECT): ("fail", State.REJECTED),
        (State.ASKING, Input.RETRY): ("allow_retry", State.RETRYING),
        (State.ASKING, Input.PASSWORD_EXPIRED): ("allow_change", State.CHANGING),
        (State.RETRYING, Input.RESPONSE): ("ask", State.ASKING),
        (State.RETRYING, Input.DUPLICATE): ("answer_again", State.RETRYING),
        (State.RETRYING, Input.EXPIRED): ("give_up", State.REJECTED),
        # Response retry is never allowed after Change Password (RFC 2433 B.1).
        (State.CHANGING, Input.CHANGE): ("ask", State.ASKING_CHANGE),
        (State.CHANGING, Input.DUPLICATE): ("answer_again", State.CHANGING),
        (State.CHANGING, Input.EXPIRED): ("give_up", State.REJECTED),
        (State.ASKING_CHANGE, Input.ACCEPT): ("succeed", State.ACCEPTED),
        (State.ASKING_CHANGE, Input.REJECT): ("fail", State.REJECTED),
        # The answer may have been lost, also in the Network-Layer Protocol phase (RFC 1994 4.2).
        (State.ACCEPTED, Input.DUPLICATE): ("answer_again", State.ACCEPTED),
        (State.REJECTED, Input.DUPLICATE): ("answer_again", State.REJECTED),
    }
)

CHAP_PEER: Table = MappingProxyType(
    {
        (State.INITIAL, Input.START): ("listen", State.LISTENING),
        (State.LISTENING, Input.CHALLENGE): ("respond", State.RESPONDED),
        (State.LISTENING, Input.EXPIRED): ("give_up", State.CLOSED),
        (State.RESPONDED, Input.CHALLENGE): ("respond", State.RESPONDED),
        (State.RESPONDED, Input.SUCCESS): ("succeed", State.OPEN),
        (State.RESPONDED, Input.FAILURE): ("give_up", State.CLOSED),
        (State.RESPONDED, Input.RETRY): ("try_again", State.RESPONDED),
        (State.RESPONDED, Input.PASSWORD_EXPIRED): ("change_password", State.RESPONDED),
        (State.RESPONDED, Input.TIMEOUT): ("repeat", State.RESPONDED),
        (State.RESPONDED, Input.EXPIRED): ("give_up", State.CLOSED),
        (State.OPEN, Input.CHALLENGE): ("respond", State.RECHALLENGED),
        (State.RECHALLENGED, Input.CHALLENGE): ("respond", State.RECHALLENGED),
        # The keys stay those of the first authentication (RFC 3079 section 2).
        (State.RECHALLENGED, Input.SUCCESS): ("rest", State.OPEN),
        (State.RECHALLENGED, Input.FAILURE): ("give_up", State.CLOSED),
        (State.RECHALLENGED, Input.TIMEOUT): ("repeat", State.RECHALLENGED),
        (State.RECHALLENGED, Input.EXPIRED): ("give_up", State.CLOSED),
    }
)

PAP_PEER: Table = MappingProxyType(
    {
        (State.INITIAL, Input.START): ("request", State.RESPONDED),
        (State.RESPONDED, Input.TIMEOUT): ("repeat", State.RESPONDED),
        (State.RESPONDED, Input.EXPIRED): ("give_up", State.CLOSED),
        (State.RESPONDED, Input.SUCCESS): ("succeed", State.OPEN),
        (State.RESPONDED, Input.FAILURE): ("give_up", State.CLOSED),
    }
)
