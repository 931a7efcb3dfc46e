"""What becomes of mail at servers that say nothing, or nothing but nonsense."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastpptp.events.routing import Mail, MailRecipient, MailSecurity, MailServer
from fastpptp.recorder import mail
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.mail import MailSink, converse
from tests.records import authenticated

OPS = "ops@example.com"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def server(listener: socket.socket, security: MailSecurity = MailSecurity.NONE) -> MailServer:
    return MailServer("127.0.0.1", listener.getsockname()[1], security)


@pytest.mark.parametrize("security", MailSecurity)
def test_a_server_that_never_speaks(
    listener: socket.socket, security: MailSecurity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up in bounded time, and tried again later."""
    monkeypatch.setattr(mail, "TIMEOUT", 0.2)
    spec = Mail((server(listener, security),), (MailRecipient(OPS, 5),), "vpn@example.com")
    start = time.monotonic()
    with pytest.raises(PartlyDeliveredError, match="timed out") as caught:
        MailSink(spec).deliver([authenticated()])
    assert (caught.value.done, caught.value.lost) == (0, 0)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("said", "told", "permanent", "answered"),
    [
        (b"554 go away\r\n", "554 go away", True, True),
        (b"421 too busy\r\n", "421 too busy", False, True),
        (b"", "Connection unexpectedly closed", False, False),
        (b"\x1b[2J\xff nonsense\r\n", "nonsense", False, True),
        (b"220 ok\r\n", "Connection unexpectedly closed", False, False),
        (b"220 " + b"x" * 20_000 + b"\r\n", "Line too long", True, True),
    ],
)
def test_what_a_server_says(
    listener: socket.socket, said: bytes, told: str, permanent: bool, answered: bool
) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve)
        found = converse(server(listener), "vpn@example.com", [OPS], b"Subject: x\r\n\r\nx\r\n")
    assert told in found[OPS].text
    assert (found[OPS].permanent, found[OPS].answered) == (permanent, answered)


def test_a_server_without_starttls_gets_nothing(listener: socket.socket) -> None:
    def serve() -> bytes:
        connection, _ = listener.accept()
        heard = b""
        with connection:
            connection.sendall(b"220 here\r\n")
            while more := connection.recv(4096):
                heard += more
                connection.sendall(b"250 here\r\n")
        return heard

    wanted = server(listener, MailSecurity.STARTTLS)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(serve)
        found = converse(wanted, "vpn@example.com", [OPS], b"secret")
    assert found[OPS].permanent
    assert "STARTTLS extension not supported" in found[OPS].text
    assert b"MAIL" not in heard.result()
