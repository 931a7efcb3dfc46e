"""Events through the syslog sink into a real rsyslogd, by each transport and in each format."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpptp.events.format import cisco_ios, original
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import SyslogFormat, SyslogServer, Transport
from fastpptp.recorder import sinks
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.sinks import SinkThread
from fastpptp.recorder.syslog import SyslogSink
from tests.records import HOSTILE, SHOWN, authenticated, of_every_severity, record
from tests.services.daemons import until
from tests.services.rsyslog import Line, Rsyslog

SEVERITY_NAMES = ["err", "warning", "warning", "notice", "info", "info", *["debug"] * 7]


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    with Rsyslog(tmp_path) as made:
        yield made


def sent(rsyslog: Rsyslog, spec: SyslogServer, records: list[EventRecord]) -> list[Line]:
    sink = SyslogSink(spec)
    try:
        sink.deliver(records)
        return rsyslog.lines(len(records))
    finally:
        sink.close()


@pytest.mark.parametrize("format_", SyslogFormat)
@pytest.mark.parametrize("transport", Transport)
def test_every_severity(rsyslog: Rsyslog, transport: Transport, format_: SyslogFormat) -> None:
    records = of_every_severity()
    lines = sent(rsyslog, rsyslog.spec(transport, format_), records)
    as_text = original if format_ is SyslogFormat.ORIGINAL else cisco_ios
    assert [line.text for line in lines] == [f" {as_text(each)}" for each in records]
    assert [line.severity for line in lines] == SEVERITY_NAMES
    inputs = {Transport.UDP: "imudp", Transport.TCP: "imtcp", Transport.UNIX: "imuxsock"}
    host = socket.gethostname().partition(".")[0]
    for line in lines:
        assert line.input == inputs[transport]
        assert (line.facility, line.tag, line.host) == ("local7", "fastpptp:", host)
        assert line.time == "Apr  9 13:45:06"


def test_the_line_as_it_is_written(rsyslog: Rsyslog) -> None:
    """Word for word, so that format.py is not held against itself alone."""
    spec = rsyslog.spec(Transport.UDP, facility=16)
    (line,) = sent(rsyslog, spec, [authenticated(sequence=1012, repeat=3)])
    assert (line.facility, line.text) == (
        "local0",
        " 1012 04/09/2003 13:45:06.070 SEV=5 PPP/8 RPT=3 171.69.89.129 User [pptpuser] "
        "Authenticated successfully with PAP",
    )


def test_the_line_as_ios_writes_it(rsyslog: Rsyslog) -> None:
    spec = rsyslog.spec(Transport.TCP, SyslogFormat.CISCO_IOS)
    (line,) = sent(rsyslog, spec, [authenticated(sequence=1012, repeat=3)])
    assert line.text == (
        " 1012: 2003 Apr 09 13:45:06.070 EST -05:00 %PPP-5-8: RPT=3: User [pptpuser] "
        "Authenticated successfully with PAP"
    )


@pytest.mark.parametrize("transport", Transport)
def test_what_a_peer_sent_forges_nothing(rsyslog: Rsyslog, transport: Transport) -> None:
    first, second = sent(
        rsyslog, rsyslog.spec(transport), [authenticated(HOSTILE), authenticated(sequence=2)]
    )
    assert f"User [{SHOWN}] Authenticated" in first.text
    assert (first.tag, first.severity, second.severity) == ("fastpptp:", "info", "info")
    assert second.text.startswith(" 2 04/09/2003")


@pytest.mark.parametrize("transport", Transport)
def test_a_text_that_is_too_long_is_cut(rsyslog: Rsyslog, transport: Transport) -> None:
    """In the middle of a character of three octets."""
    records = [record("PPTPDBG", 100, text="€" * 9000), authenticated(sequence=2)]
    long, after = sent(rsyslog, rsyslog.spec(transport), records)
    most = 2048 if transport is Transport.UDP else 8192
    assert most - 100 < len(long.text.encode()) < most
    assert long.text.endswith("€...")
    assert after.text.startswith(" 2 ")


@pytest.mark.parametrize("transport", Transport)
def test_a_server_that_dies_and_comes_back(rsyslog: Rsyslog, transport: Transport) -> None:
    """What it did not get is told, so that it is sent again: none is lost and none comes twice."""
    sink = SyslogSink(rsyslog.spec(transport))
    sink.deliver([authenticated(sequence=1)])
    rsyslog.lines(1)
    rsyslog.kill()
    rest = [authenticated(sequence=number) for number in (2, 3, 4)]
    for _ in range(2):
        with pytest.raises(PartlyDeliveredError) as caught:
            sink.deliver(rest)
        assert (caught.value.done, caught.value.lost) == (0, 0)
    rsyslog.start()
    sink.deliver(rest)
    assert [line.text.split()[0] for line in rsyslog.lines(4)] == ["1", "2", "3", "4"]
    sink.close()


def test_a_server_that_is_restarted_while_nothing_happens(rsyslog: Rsyslog) -> None:
    """The connection that is over is seen before anything is written to it."""
    sink = SyslogSink(rsyslog.spec(Transport.TCP))
    sink.deliver([authenticated(sequence=1)])
    rsyslog.lines(1)
    rsyslog.stop()
    rsyslog.start()
    sink.deliver([authenticated(sequence=2)])
    assert [line.text.split()[0] for line in rsyslog.lines(2)] == ["1", "2"]
    sink.close()


@pytest.mark.parametrize("transport", Transport)
def test_what_does_not_fit_while_a_server_is_dead_is_counted(
    rsyslog: Rsyslog, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the thread that the recorder has for it: what waited arrives, and later ones."""
    monkeypatch.setattr(sinks, "RETRY", 0.05)
    monkeypatch.setattr(sinks, "LONGEST_RETRY", 0.05)
    spec = rsyslog.spec(transport)
    thread = SinkThread(str(spec), lambda: SyslogSink(spec), limit=5)
    thread.put([authenticated(sequence=1)])
    rsyslog.lines(1)
    rsyslog.kill()
    thread.put([authenticated(sequence=number) for number in range(2, 10)])
    until(lambda: thread.status.error, lambda: "it does not fail")
    assert thread.status[1:4] == (1, 3, 5)
    ((_, number, fields),) = thread.news(100.0)
    assert (number, fields["sink"], fields["count"]) == (134, "syslog server it", "3")
    rsyslog.start()
    until(lambda: not thread.status.waiting, lambda: "it does not go on")
    thread.put([authenticated(sequence=10)])
    numbers = [line.text.split()[0] for line in rsyslog.lines(7)]
    assert numbers == ["1", "2", "3", "4", "5", "6", "10"]
    ((_, number, fields),) = thread.news(107.0)
    assert (number, fields["count"]) == (135, "3")
    thread.stop()
    assert thread.join(5)
    assert thread.status[1:] == (7, 3, 0, "")


def test_many_at_once(rsyslog: Rsyslog) -> None:
    """More than a socket takes at once: TCP takes parts of what it is given."""
    records = [authenticated("u" * 1000, sequence=number) for number in range(5000)]
    lines = sent(rsyslog, rsyslog.spec(Transport.TCP), records)
    assert [int(line.text.split()[0]) for line in lines] == list(range(5000))
