"""An event as text: the reference's two lines, and its two syslog formats on one line."""

from __future__ import annotations

from fastpptp.events.log import EventRecord

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def reference(record: EventRecord) -> str:
    """`SEQ MM/DD/YYYY HH:MM:SS.mmm SEV=n CLASS/number RPT=count [client IP]`, then the text."""
    return f"{_head(record)}\n{record.text()}"


def original(record: EventRecord) -> str:
    """Syslog format "Original": the same on one line."""
    return f"{_head(record)} {one_line(record)}"


def cisco_ios(record: EventRecord) -> str:
    """Syslog format "Cisco IOS Compatible".

    `SEQ: YYYY MMM DD HH:MM:SS.mmm TZ +/-off %CLASS-sev-num: RPT=n: text`; a time without a
    zone is told as UTC.
    """
    wall = record.wall
    zone = wall.tzname() or "UTC"
    offset = wall.strftime("%z") or "+0000"
    date = f"{wall.year} {MONTHS[wall.month - 1]} {wall.day:02}"
    return (
        f"{record.sequence}: {date} {wall:%H:%M:%S}.{wall.microsecond // 1000:03} "
        f"{zone} {offset[:3]}:{offset[3:5]} "
        f"%{record.cls}-{record.severity}-{record.number}: RPT={record.repeat}: "
        f"{one_line(record)}"
    )


def _head(record: EventRecord) -> str:
    wall = record.wall
    client = f" {record.peer}" if record.peer and record.occurrence.shows_peer else ""
    return (
        f"{record.sequence} {wall:%m/%d/%Y %H:%M:%S}.{wall.microsecond // 1000:03} "
        f"SEV={record.severity} {record.cls}/{record.number} RPT={record.repeat}{client}"
    )


def one_line(record: EventRecord) -> str:
    """The text, whose lines are parted by spaces."""
    return " ".join(line.strip() for line in record.text().split("\n"))
