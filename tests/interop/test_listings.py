"""The reference's listings of its event log, made by real calls and compared line by line.

In them `#` stands for what differs from call to call: sequence numbers and times, how often an
event has happened, Call-IDs, serial numbers and handles. Events of ours, whose numbers begin at
100, stand between the reference's and are left out; so is AUTH/28, which waits for the final
counters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import hosts as test_hosts
from tests.headend import INNER, Headend
from tests.interop.guest import Guest

SERVER, CLIENT = "192.0.2.1", "192.0.2.11"
PASSWORD = "cisco123"  # the reference's
OURS = 100

CALL = f"""\
# # SEV=4 PPTP/47 RPT=# {CLIENT}
Tunnel to peer {CLIENT} established
# # SEV=4 PPTP/42 RPT=# {CLIENT}
Session started on tunnel {CLIENT}
"""
ERROR = f"""\
# # SEV=4 PPTP/35 RPT=# {CLIENT}
Session closed on tunnel {CLIENT} (peer #, local #, serial #), reason: Error (No additional info)
# # SEV=4 PPTP/34 RPT=# {CLIENT}
Tunnel to peer {CLIENT} closed, reason: None (No additional info)
"""
PAP = f"""\
# # SEV=5 PPP/8 RPT=# {CLIENT}
User [pptpuser]
Authenticated successfully with PAP
# # SEV=4 AUTH/22 RPT=#
User [pptpuser] Group [pptpgroup] connected, Session Type: PPTP
"""
MSCHAP = f"""\
# # SEV=5 PPP/8 RPT=# {CLIENT}
User [baseuser]
Authenticated successfully with MSCHAP-V1
# # SEV=4 AUTH/22 RPT=#
User [baseuser] Group [Base Group] connected, Session Type: PPTP
"""
WRONG_USER = f"""\
# # SEV=3 AUTH/5 RPT=# {CLIENT}
Authentication rejected: Reason = User was not found
handle = #, server = (none), user = nobody, domain = <not specified>
# # SEV=5 PPP/9 RPT=# {CLIENT}
User [nobody]
disconnected.. failed authentication ( MSCHAP-V1 )
"""
NO_ENCRYPTION = f"""\
# # SEV=5 PPP/8 RPT=# {CLIENT}
User [pptpuser]
Authenticated successfully with MSCHAP-V1
# # SEV=4 AUTH/22 RPT=#
User [pptpuser] Group [pptpgroup] connected, Session Type: PPTP
# # SEV=4 PPP/6 RPT=# {CLIENT}
User [pptpuser] disconnected
PPTP Encryption configured as REQUIRED.. remote client not supporting it.
"""
NOT_ALLOWED = f"""\
# # SEV=5 PPP/12 RPT=# {CLIENT}
User [pptpuser] disconnected. Authentication protocol not allowed.
"""

ADD_MPPE = (
    "group set pptpgroup --pptp-authentication-protocols MSCHAPv1"
    " --pptp-encryption Required,40-bit,128-bit"
)


@dataclass(frozen=True)
class Scenario:
    """Who calls with what options of pppd, after which commands; and the listing."""

    user: str
    options: str
    listing: str
    connects: bool = False
    commands: tuple[str, ...] = ()


ONLY_PAP = "noccp refuse-chap refuse-mschap refuse-mschap-v2"
ONLY_MSCHAP = "refuse-pap refuse-chap refuse-mschap-v2"

# In this order: the last two come after "Add MPPE".
SCENARIOS = {
    "PAP, pptpgroup": Scenario("pptpuser", ONLY_PAP, CALL + PAP, connects=True),
    "MSCHAP-V1, base group": Scenario(
        "baseuser", f"{ONLY_MSCHAP} require-mppe-128", CALL + MSCHAP, connects=True,
        commands=(f"user add baseuser --password {PASSWORD}",),
    ),
    "wrong user": Scenario("nobody", ONLY_MSCHAP, CALL + WRONG_USER + ERROR),
    "encryption is required": Scenario(
        "pptpuser", f"{ONLY_MSCHAP} noccp", CALL + NO_ENCRYPTION + ERROR, commands=(ADD_MPPE,)
    ),
    "protocol is not allowed": Scenario(
        "pptpuser", ONLY_PAP, CALL + NOT_ALLOWED + ERROR, commands=(ADD_MPPE,)
    ),
}  # fmt: skip

HEAD = re.compile(r"\d+ \d\d/\d\d/\d{4} \d\d:\d\d:\d\d\.\d{3} (SEV=\d+ [A-Z]+/(\d+)) RPT=\d+(.*)")
NUMBERS = re.compile(r"(?<=\(peer )\d+|(?<=, local )\d+|(?<=, serial )\d+|(?<=^handle = )\d+")


def told(printed: str) -> list[str]:
    """The reference's events of a listing, with what differs from call to call made equal."""
    lines: list[str] = []
    ours = False
    for line in printed.splitlines():
        if head := HEAD.fullmatch(line):
            ours = int(head[2]) >= OURS or head[1].endswith("AUTH/28")
            line = f"# # {head[1]} RPT=#{head[3]}"
        if not ours:
            lines.append(NUMBERS.sub("#", line))
    return lines


@pytest.fixture(scope="module")
def headend(bridge: test_hosts.Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headend]:
    """With the reference's configuration, but for the server's address inside."""
    state = tmp_path_factory.mktemp("reference")
    with Headend(bridge, state, SERVER, profile="reference") as made:
        made.cli("system", "set", "--server-address", INNER)
        yield made


@pytest.mark.parametrize("name", SCENARIOS)
def test_listing(name: str, client: Guest, headend: Headend) -> None:
    scenario = SCENARIOS[name]
    for command in scenario.commands:
        headend.cli(*command.split())
    headend.cli("events", "clear")
    status, _ = client.run(
        f"pptp_up {SERVER} '{scenario.options}' {scenario.user} {PASSWORD}", timeout=40
    )
    assert (status == 0) == scenario.connects, client.run("cat /tmp/client.log /tmp/client.out")[1]
    if not scenario.connects:
        client.run("pptp_down", timeout=20)
        headend.wait(lambda: "PPTP/34" in headend.cli("events"), "does not close the tunnel")
    printed = headend.cli("events", "--class", "PPTP,PPP,AUTH")
    client.run("pptp_down", timeout=20)
    headend.wait_for_sessions(0)
    assert told(printed) == scenario.listing.splitlines(), printed
