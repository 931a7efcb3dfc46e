"""Events through the mail sink into a real SMTP server (exim), which delivers to Maildirs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.headerregistry import DateHeader
from email.message import EmailMessage
from pathlib import Path

import pytest

from fastpptp.events.format import reference
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import Mail, MailRecipient, MailSecurity, MailServer
from fastpptp.recorder import mail
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.mail import MailSink
from fastpptp.testing import ManualClock
from tests.cannot import cannot
from tests.records import HOSTILE, SHOWN, authenticated, of_every_severity, record
from tests.services.daemons import LOOPBACK, free_port
from tests.services.exim import Exim

OPS, BOSS = MailRecipient("ops@example.com", 5), MailRecipient("boss@example.com", 1)


@pytest.fixture
def exim(tmp_path: Path) -> Iterator[Exim]:
    if os.geteuid() != 0:
        cannot("exim is started by root")
    with Exim(tmp_path) as made:
        yield made


def send(
    servers: Sequence[MailServer],
    records: Sequence[EventRecord],
    *recipients: MailRecipient,
    source: str = "vpn@example.com",
) -> None:
    sink = MailSink(Mail(tuple(servers), recipients, source))
    try:
        sink.deliver(records)
    finally:
        sink.close()


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def test_an_event_as_a_message(exim: Exim) -> None:
    only = authenticated()
    send([exim.server()], [only], OPS)
    (got,) = exim.mailbox("ops", 1)
    assert (got["From"], got["To"]) == ("vpn@example.com", "ops@example.com")
    assert got["Return-path"] == "<vpn@example.com>"
    assert str(got["Subject"]).strip() == (  # folded before it
        f"[{socket.gethostname()}] PPP/8 severity 5: "
        "User [pptpuser] Authenticated successfully with PAP"
    )
    assert text_of(got) == f"1 event on {socket.gethostname()}:\n\n{reference(only)}\n"
    date = got["Date"]
    assert isinstance(date, DateHeader)
    assert abs(date.datetime - datetime.now(UTC)) < timedelta(minutes=1)
    assert str(got["Message-ID"]).endswith("@example.com>")
    assert got["Auto-Submitted"] == "auto-generated"
    assert not got.defects


def test_each_gets_what_is_his(exim: Exim) -> None:
    """In one message each, and those who get the same in one and the same."""
    also = MailRecipient("night@example.com", 5)
    send([exim.server()], of_every_severity(), OPS, also, BOSS)
    (ops,), (night,), (boss,) = (exim.mailbox(who, 1) for who in ("ops", "night", "boss"))
    assert ops["Message-ID"] == night["Message-ID"] != boss["Message-ID"]
    assert ops["To"] == "ops@example.com, night@example.com"
    assert boss["To"] == "boss@example.com"
    assert "5 events, severity 1-5: " in ops["Subject"]
    assert [f"SEV={n} " in text_of(ops) for n in (1, 2, 3, 4, 5, 6)] == [True] * 5 + [False]
    assert "SEV=1 " in text_of(boss)
    assert "SEV=2 " not in text_of(boss)
    send([exim.server()], [authenticated()], BOSS)
    assert len(exim.mailbox("boss", 1)) == 1


def test_what_a_peer_sent_is_neither_header_nor_command(exim: Exim) -> None:
    send([exim.server()], [authenticated(HOSTILE)], OPS)
    (got,) = exim.mailbox("ops", 1)
    assert got["Bcc"] is None
    assert f"User [{SHOWN}]" in text_of(got)
    assert str(got["Subject"]).strip() == mail.subject(
        socket.gethostname(), [authenticated(HOSTILE)]
    )
    assert not got.defects


def test_a_name_that_is_not_ascii(exim: Exim) -> None:
    """In a header as in the text, over a server that need not take 8 bits (RFC 2047, RFC 2045)."""
    send([exim.server()], [authenticated("größe-Ω")], OPS)
    (got,) = exim.mailbox("ops", 1)
    assert "User [größe-Ω] Authenticated" in got["Subject"]
    assert "User [größe-Ω]\nAuthenticated" in text_of(got)


def test_without_a_source_address_it_comes_from_this_host(exim: Exim) -> None:
    send([exim.server()], [authenticated()], OPS, source="")
    (got,) = exim.mailbox("ops", 1)
    assert got["From"] == f"fastpptp@{socket.getfqdn()}"


def test_a_lone_dot_and_a_long_line(exim: Exim) -> None:
    long = record("PPTPDBG", 100, text="." + "€" * 3000)
    send([exim.server()], [long], MailRecipient("ops@example.com", 13))
    (got,) = exim.mailbox("ops", 1)
    assert "." + "€" * 3000 in text_of(got)


def test_a_flood_is_one_message(exim: Exim) -> None:
    send([exim.server()], [authenticated(sequence=n) for n in range(10_000)], OPS)
    (got,) = exim.mailbox("ops", 1)
    assert "10000 events, severity 5: PPP" in got["Subject"]
    assert text_of(got).count("PPP/8") == 500
    assert text_of(got).endswith("9500 more are in the event log: fastpptp events\n")


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
def test_a_user_logs_in_over_tls(
    exim: Exim, security: MailSecurity, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = exim.server(security, user="fastpptp", password="s3cret word")
    with pytest.raises(PartlyDeliveredError, match="CERTIFICATE_VERIFY_FAILED"):
        send([server], [authenticated()], OPS)
    monkeypatch.setenv("SSL_CERT_FILE", str(exim.certificate))
    send([server], [authenticated()], OPS)
    (got,) = exim.mailbox("ops", 1)
    assert "esmtpsa" in str(got["Received"])
    wrong = exim.server(security, user="fastpptp", password="wrong")
    with pytest.raises(PartlyDeliveredError, match="535 "):
        send([wrong], [authenticated()], OPS)


def test_the_second_server_takes_what_the_first_does_not(exim: Exim) -> None:
    dead = MailServer(LOOPBACK, free_port())
    send([dead, exim.server()], [authenticated()], OPS)
    exim.mailbox("ops", 1)


def test_a_refusal_is_a_loss_and_the_others_have_theirs(exim: Exim) -> None:
    nobody = MailRecipient("nobody@example.com", 5)
    sink = MailSink(Mail((exim.server(),), (nobody, OPS), "vpn@example.com"))
    for _ in range(2):
        with pytest.raises(PartlyDeliveredError) as caught:
            sink.deliver([authenticated(sequence=n) for n in (1, 2)])
        assert "nobody@example.com 550 no such person here" in str(caught.value)
        assert (caught.value.done, caught.value.lost) == (0, 2)
    exim.mailbox("ops", 2)
    with pytest.raises(PartlyDeliveredError, match="550 we do not like it") as caught:
        send([exim.server()], [authenticated()], OPS, source="spam@example.com")
    assert caught.value.lost == 1


def test_a_loss_of_some_is_counted_alone(exim: Exim) -> None:
    """Severity 1 is all that nobody would have had."""
    nobody = MailRecipient("nobody@example.com", 1)
    with pytest.raises(PartlyDeliveredError) as caught:
        send([exim.server()], of_every_severity(), nobody, OPS)
    assert (caught.value.done, caught.value.lost) == (12, 1)


def test_who_is_not_taken_now_gets_it_later_and_nobody_twice(exim: Exim) -> None:
    later = MailRecipient("later@example.com", 5)
    clock = ManualClock()
    sink = MailSink(Mail((exim.server(),), (later, OPS), "vpn@example.com"), clock)
    first, second = authenticated(sequence=1), authenticated(sequence=2)
    for records in ([first], [first], [first, second]):
        with pytest.raises(PartlyDeliveredError, match="451 come again") as caught:
            sink.deliver(records)
        assert (caught.value.done, caught.value.lost) == (0, 0)
    found = [text_of(message) for message in exim.mailbox("ops", 2)]
    assert sorted("\n1 04/09" in text for text in found) == [False, True]
    assert sorted("\n2 04/09" in text for text in found) == [False, True]
    (exim.folder / "mail" / "open").touch()
    sink.deliver([first, second])
    (got,) = exim.mailbox("later", 1)
    assert "2 events" in got["Subject"]
    exim.mailbox("ops", 2)


def test_who_is_never_taken_is_given_up(exim: Exim) -> None:
    clock = ManualClock()
    later = MailRecipient("later@example.com", 5)
    sink = MailSink(Mail((exim.server(),), (later,), "vpn@example.com"), clock)
    for seconds, lost in ((0, 0), (899, 0), (1, 1)):
        clock.advance(seconds)
        with pytest.raises(PartlyDeliveredError, match="451 come again") as caught:
            sink.deliver([authenticated()])
        assert caught.value.lost == lost


def test_a_server_that_dies_and_comes_back(exim: Exim) -> None:
    """It is waited for, however long."""
    clock = ManualClock()
    sink = MailSink(Mail((exim.server(),), (OPS,), "vpn@example.com"), clock)
    exim.kill()
    records = [authenticated(sequence=n) for n in (1, 2)]
    for _ in range(2):
        with pytest.raises(PartlyDeliveredError, match="Connection refused") as caught:
            sink.deliver(records)
        assert (caught.value.done, caught.value.lost) == (0, 0)
        clock.advance(10_000)
    exim.start()
    sink.deliver(records)
    (got,) = exim.mailbox("ops", 1)
    assert "2 events" in got["Subject"]
