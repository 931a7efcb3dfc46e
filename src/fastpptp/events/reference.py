"""docs/events.md out of the catalogue: `python -m fastpptp.events.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastpptp.events.catalogue import CLASSES, TABLES, EventType
from fastpptp.events.causes import Cause, Of

INTRODUCTION = """\
# Events

Made from the catalogue (src/fastpptp/events/catalogue/, causes.py) by `make docs`: edit those.

An event has a class, a number and a severity. Events below number 100 are the VPN 3000's, with its
numbers and words; those from 100 on are ours. Severity 1 is a fault, 2 and 3 are warnings, 4 to 6
information, 7 to 9 debug; 10 to 13 show the protocol: headers, whole messages, headers and packets
in hexadecimal. `fastpptp events` shows the log, `fastpptp event-class` says where a class goes, and
`fastpptp debug` brings a session's debug and decode events into the log for a while.

In the words, `{user}` and the like stand for what the event tells. **Cause**: such an event comes
with the code of one of the causes at the end of this page.
"""

CAUSES = """\
## Causes

Each refusal, failed login and end of a session or tunnel has one. Its code is `cause` in the JSON
of events and of ended sessions (`fastpptp sessions --ended`), and the label of these metrics:
`fastpptp_tunnels_refused`, `fastpptp_tunnels_ended`, `fastpptp_sessions_refused`,
`fastpptp_logins_failed`, `fastpptp_sessions_ended`. Codes do not change. **Reason** is that of
PPTP/35 and AUTH/28, or of AUTH/5 for a failed login. **RADIUS** is Acct-Terminate-Cause (RFC 2866).
"""

USES = {
    Of.TUNNEL_REFUSED: "tunnel refused",
    Of.TUNNEL_ENDED: "tunnel ended",
    Of.CALL_REFUSED: "call refused",
    Of.LOGIN_FAILED: "login failed",
    Of.SESSION_ENDED: "session ended",
}


def text() -> str:
    """The whole document."""
    return "\n".join(_document())


def _document() -> Iterator[str]:
    yield INTRODUCTION
    for cls in CLASSES:
        yield f"## {cls}\n"
        yield _row(("Event", "Severity", "Words", "Meaning", "What to do"))
        yield "|" + "---|" * 5
        for number, kind in sorted(TABLES[cls].items()):
            yield _row(_event(cls, number, kind))
        yield ""
    yield CAUSES
    yield _row(("Code", "Of", "Reason", "RADIUS", "Meaning", "What to do"))
    yield "|" + "---|" * 6
    for cause in sorted(Cause, key=lambda cause: cause.code):
        yield _row(_cause(cause))
    yield ""


def _event(cls: str, number: int, kind: EventType) -> Iterator[str]:
    yield f"{cls}/{number}"
    yield str(kind.severity)
    yield "<br>".join(f"`{line}`" for line in kind.text.split("\n"))
    yield f"{kind.means} **Cause.**" if kind.caused else kind.means
    yield kind.remedy


def _cause(cause: Cause) -> Iterator[str]:
    yield f"`{cause.code}`"
    yield ", ".join(words for of, words in USES.items() if of in cause.of)
    yield f"{cause.whole}; AUTH/5: {cause.login}" if cause.login else cause.whole
    yield f"{cause.radius} {cause.acct}"
    yield cause.means
    yield cause.remedy


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
