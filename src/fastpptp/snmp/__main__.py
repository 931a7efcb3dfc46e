"""`python -m fastpptp.snmp FD`: started by the headend alone, on its end of a socket pair."""

from __future__ import annotations

import os
import signal
import socket
import sys

from fastpptp.snmp.process import serve

# Sessions come first.
NICE = 5


def main() -> None:
    # A Ctrl-C or the end of a service reaches all of its processes; the headend's end of the socket
    # tells when this one is to end.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection)


if __name__ == "__main__":
    main()
