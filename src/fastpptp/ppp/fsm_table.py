"""The option negotiation automaton of RFC 1661 4.1: ten states, sixteen events.

The cells are the RFC's own, `actions/state`; its footnotes p, r and x mark options and are
left out. A dash is an event that cannot occur in that state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType


class State(IntEnum):
    """RFC 1661 4.2."""

    INITIAL = 0
    STARTING = 1
    CLOSED = 2
    STOPPED = 3
    CLOSING = 4
    STOPPING = 5
    REQ_SENT = 6
    ACK_RCVD = 7
    ACK_SENT = 8
    OPENED = 9


class Event(Enum):
    """RFC 1661 4.3."""

    UP = "Up"
    DOWN = "Down"
    OPEN = "Open"
    CLOSE = "Close"
    TIMEOUT_MORE = "TO+"
    TIMEOUT_LAST = "TO-"
    CONFIGURE_REQUEST_GOOD = "RCR+"
    CONFIGURE_REQUEST_BAD = "RCR-"
    CONFIGURE_ACK = "RCA"
    CONFIGURE_NAK = "RCN"
    TERMINATE_REQUEST = "RTR"
    TERMINATE_ACK = "RTA"
    UNKNOWN_CODE = "RUC"
    REJECT_PERMITTED = "RXJ+"
    REJECT_CATASTROPHIC = "RXJ-"
    ECHO = "RXR"


class Action(Enum):
    """RFC 1661 4.4."""

    THIS_LAYER_UP = "tlu"
    THIS_LAYER_DOWN = "tld"
    THIS_LAYER_STARTED = "tls"
    THIS_LAYER_FINISHED = "tlf"
    INITIALIZE_RESTART_COUNT = "irc"
    ZERO_RESTART_COUNT = "zrc"
    SEND_CONFIGURE_REQUEST = "scr"
    SEND_CONFIGURE_ACK = "sca"
    SEND_CONFIGURE_NAK = "scn"
    SEND_TERMINATE_REQUEST = "str"
    SEND_TERMINATE_ACK = "sta"
    SEND_CODE_REJECT = "scj"
    SEND_ECHO_REPLY = "ser"


@dataclass(frozen=True, slots=True)
class Transition:
    """What to do, in this order, and the state that follows."""

    actions: tuple[Action, ...]
    state: State


# fmt: off
_IDLE_AND_CLOSING = {
    #       Initial  Starting   Closed     Stopped        Closing  Stopping
    "Up":    "2        irc,scr/6  -          -              -        -",
    "Down":  "-        -          0          tls/1          0        1",
    "Open":  "tls/1    1          irc,scr/6  3              5        5",
    "Close": "0        tlf/0      2          2              4        4",
    "TO+":   "-        -          -          -              str/4    str/5",
    "TO-":   "-        -          -          -              tlf/2    tlf/3",
    "RCR+":  "-        -          sta/2      irc,scr,sca/8  4        5",
    "RCR-":  "-        -          sta/2      irc,scr,scn/6  4        5",
    "RCA":   "-        -          sta/2      sta/3          4        5",
    "RCN":   "-        -          sta/2      sta/3          4        5",
    "RTR":   "-        -          sta/2      sta/3          sta/4    sta/5",
    "RTA":   "-        -          2          3              tlf/2    tlf/3",
    "RUC":   "-        -          scj/2      scj/3          scj/4    scj/5",
    "RXJ+":  "-        -          2          3              4        5",
    "RXJ-":  "-        -          tlf/2      tlf/3          tlf/2    tlf/3",
    "RXR":   "-        -          2          3              4        5",
}
_NEGOTIATING_AND_OPENED = {
    #       Req-Sent   Ack-Rcvd   Ack-Sent   Opened
    "Up":    "-          -          -          -",
    "Down":  "1          1          1          tld/1",
    "Open":  "6          7          8          9",
    "Close": "irc,str/4  irc,str/4  irc,str/4  tld,irc,str/4",
    "TO+":   "scr/6      scr/6      scr/8      -",
    "TO-":   "tlf/3      tlf/3      tlf/3      -",
    "RCR+":  "sca/8      sca,tlu/9  sca/8      tld,scr,sca/8",
    "RCR-":  "scn/6      scn/7      scn/6      tld,scr,scn/6",
    "RCA":   "irc/7      scr/6      irc,tlu/9  tld,scr/6",
    "RCN":   "irc,scr/6  scr/6      irc,scr/8  tld,scr/6",
    "RTR":   "sta/6      sta/6      sta/6      tld,zrc,sta/5",
    "RTA":   "6          6          8          tld,scr/6",
    "RUC":   "scj/6      scj/7      scj/8      scj/9",
    "RXJ+":  "6          6          8          9",
    "RXJ-":  "tlf/3      tlf/3      tlf/3      tld,irc,str/5",
    "RXR":   "6          7          8          ser/9",
}
# fmt: on


def _transition(cell: str) -> Transition | None:
    if cell == "-":
        return None
    actions, _, state = cell.rpartition("/")
    return Transition(tuple(Action(word) for word in actions.split(",") if word), State(int(state)))


TABLE: Mapping[Event, tuple[Transition | None, ...]] = MappingProxyType(
    {
        Event(name): tuple(
            _transition(cell) for cell in f"{cells} {_NEGOTIATING_AND_OPENED[name]}".split()
        )
        for name, cells in _IDLE_AND_CLOSING.items()
    }
)

# The states in which the Restart timer runs: those that have TO events.
TIMED = frozenset(state for state in State if TABLE[Event.TIMEOUT_MORE][state])
