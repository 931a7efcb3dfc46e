"""`python -m fastpptp.recorder FD`: started by the headend alone, on its end of a socket pair."""

from __future__ import annotations

import os
import signal
import socket
import sys

from fastpptp.process import calm_collector
from fastpptp.recorder.process import Recorder

# Sessions come first: what is told of them can wait a moment.
NICE = 5


def main() -> None:
    # A Ctrl-C or the end of a service reaches all of its processes. The headend has things to say
    # until it is gone; its end of the socket tells when that is.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    calm_collector()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        Recorder(connection).run()


if __name__ == "__main__":
    main()
