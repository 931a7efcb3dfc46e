"""Events by email: a message holds all that came since the last one."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid

from fastpptp.events.format import one_line, reference
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import Mail, MailSecurity, MailServer, Severities
from fastpptp.localtime import wall_clock
from fastpptp.recorder.delivery import PartlyDeliveredError, reason

TIMEOUT = 10.0  # seconds, for each step of a conversation
PATIENCE = 900.0  # seconds, with servers that answer and will not take a message for now
MOST = 500  # events in a message; its Subject and first line count all
LONGEST_SUBJECT = 120


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody did not get a message.

    `permanent`: he never will (RFC 5321 4.2.1: 5yz); `answered`: a server said so, else it could
    not be asked.
    """

    text: str
    permanent: bool = False
    answered: bool = True


class MailSink:
    """Mails records to the recipients, each of whom gets those up to its Max Severity."""

    def __init__(self, spec: Mail, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec = spec
        self._sender = spec.source or f"fastpptp@{socket.getfqdn()}"
        self._clock = clock
        # While some wait for records that others have: the last that each has.
        self._has: dict[str, int] = {}
        self._put_off: dict[str, float] = {}
        self._lost: set[int] = set()

    def deliver(self, records: Sequence[EventRecord]) -> None:
        """Send one message to all who get the same of `records`.

        PartlyDeliveredError with nothing done when somebody can get it later: it must be called
        with the same records again, and more, and nobody then gets one twice. What somebody will
        never get is lost.
        """
        later = ""
        problem = ""
        for addresses, wanted in list(self._messages(records)):
            text = compose(self._sender, addresses, wanted).as_bytes()
            refused = self._try_servers(addresses, text)
            for address in addresses:
                refusal = refused.get(address)
                if refusal is not None and self._can_wait(address, refusal):
                    later = refusal.text
                    continue
                if refusal is not None:
                    problem = refusal.text
                    self._lost |= {record.sequence for record in wanted}
                self._has[address] = records[-1].sequence
                self._put_off.pop(address, None)
        if later:
            raise PartlyDeliveredError(0, later)
        lost = len(self._lost)
        self._has.clear()
        self._lost.clear()
        if lost:
            raise PartlyDeliveredError(len(records) - lost, problem, lost=lost)

    def close(self) -> None:
        """Nothing is kept open."""

    def _messages(
        self, records: Sequence[EventRecord]
    ) -> Iterator[tuple[list[str], list[EventRecord]]]:
        """Who gets which records: those who get the same together."""
        found: dict[tuple[int, int], list[str]] = {}
        for recipient in self._spec.recipients:
            key = recipient.max_severity, self._has.get(recipient.address, -1)
            found.setdefault(key, []).append(recipient.address)
        for (severity, last), addresses in found.items():
            wanted = [r for r in records if r.severity <= severity and r.sequence > last]
            if wanted:
                yield addresses, wanted

    def _can_wait(self, address: str, refusal: Refusal) -> bool:
        """Whether it is tried again. Nobody is waited for so long that the others suffer."""
        if refusal.permanent:
            return False
        if not refusal.answered:
            return True
        now = self._clock()
        return now - self._put_off.setdefault(address, now) < PATIENCE

    def _try_servers(self, addresses: Sequence[str], text: bytes) -> Mapping[str, Refusal]:
        """Those for whom no server took the message, and why."""
        told: dict[str, list[Refusal]] = {address: [] for address in addresses}
        rest = list(addresses)
        for server in self._spec.servers:
            refused = converse(server, self._sender, rest, text)
            for address, refusal in refused.items():
                told[address].append(refusal)
            rest = list(refused)
            if not rest:
                break
        return {address: _joined(told[address]) for address in rest}


def _joined(refusals: Sequence[Refusal]) -> Refusal:
    return Refusal(
        "; ".join(dict.fromkeys(refusal.text for refusal in refusals)),
        all(refusal.permanent for refusal in refusals),
        any(refusal.answered for refusal in refusals),
    )


# Messages.


def compose(sender: str, addresses: Sequence[str], records: Sequence[EventRecord]) -> EmailMessage:
    """The message that tells of these events. What peers sent is escaped (Occurrence.text)."""
    host = socket.gethostname()
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = ", ".join(addresses)
    made["Subject"] = subject(host, records)
    made["Date"] = wall_clock()
    made["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers it
    made.set_content(body(host, records), cte="quoted-printable")
    return made


def subject(host: str, records: Sequence[EventRecord]) -> str:
    """`[host] AUTH/5 severity 3: ...`; of several events how many, severities and classes."""
    if len(records) == 1:
        (only,) = records
        told = f"{only.cls}/{only.number} severity {only.severity}: {one_line(only)}"
    else:
        classes = ", ".join(sorted({record.cls for record in records}))
        found = [record.severity for record in records]
        told = f"{len(records)} events, severity {Severities(min(found), max(found))}: {classes}"
    text = f"[{host}] {told}"
    return text if len(text) <= LONGEST_SUBJECT else f"{text[: LONGEST_SUBJECT - 3]}..."


def body(host: str, records: Sequence[EventRecord]) -> str:
    count = "1 event" if len(records) == 1 else f"{len(records)} events"
    told = "\n\n".join(reference(record) for record in records[:MOST])
    left_out = len(records) - MOST
    more = f"\n\n{left_out} more are in the event log: fastpptp events" if left_out > 0 else ""
    return f"{count} on {host}:\n\n{told}{more}\n"


# Conversations.


def converse(
    server: MailServer, sender: str, recipients: Sequence[str], text: bytes
) -> Mapping[str, Refusal]:
    """Have a server take the message; those for whom it does not, and why."""
    name = f"{server.server}:{server.port}"
    try:
        refused = _hand_over(server, sender, recipients, text)
    except smtplib.SMTPResponseException as error:
        told = _said(error.smtp_code, error.smtp_error)
        refusal = Refusal(f"{name}: {told}", error.smtp_code >= 500)
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError, UnicodeError) as error:
        refusal = Refusal(f"{name}: {error}", permanent=True)
    except OSError as error:
        refusal = Refusal(f"{name}: {reason(error)}", answered=False)
    else:
        return {
            address: Refusal(f"{name}: {address} {_said(code, words)}", code >= 500)
            for address, (code, words) in refused.items()
        }
    return dict.fromkeys(recipients, refusal)


def _hand_over(
    server: MailServer, sender: str, recipients: Sequence[str], text: bytes
) -> Mapping[str, tuple[int, bytes]]:
    """The recipients whom the server refused, and its answers."""
    smtp = _connected(server)
    try:
        if server.security is MailSecurity.STARTTLS:
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
        refused = smtp.sendmail(sender, recipients, text)
        with suppress(OSError):  # it has the message, however it parts
            smtp.quit()
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    finally:
        smtp.close()
    return refused


def _connected(server: MailServer) -> smtplib.SMTP:
    if server.security is MailSecurity.TLS:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.server, server.port, timeout=TIMEOUT, context=context)
    return smtplib.SMTP(server.server, server.port, timeout=TIMEOUT)


def _said(code: int, answer: bytes | str) -> str:
    """A server's answer, which is not ours to print as it is."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())[:200]}"
