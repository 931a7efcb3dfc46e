"""MIB-2: the system and snmp groups (RFC 3418)."""

from __future__ import annotations

from fastpptp.snmp.mib import (
    ALTIGA,
    COUNTER32,
    DISPLAY_STRING,
    INTEGER32,
    OBJECT_IDENTIFIER,
    SNMP,
    SYSTEM,
    TIME_TICKS,
    Branch,
    Group,
    Scalar,
    State,
)

# vpnConcentratorRev2: what management software knows the models 3015 to 3080 by.
SYSTEM_OBJECT = (*ALTIGA, 1, 2, 1, 1, 1, 2)
SERVICES = 76  # layers 3, 4 and 7


def _description(state: State) -> str:
    return f"fastpptp {state.snapshot.version}, a PPTP headend for Linux"


SYSTEM_GROUP = Group(
    "system", "SNMPv2-MIB", SYSTEM,
    (
        Branch(0, "system", (
            Scalar(1, "sysDescr", DISPLAY_STRING, _description, "the software and its version"),
            Scalar(2, "sysObjectID", OBJECT_IDENTIFIER, lambda state: SYSTEM_OBJECT,
                   "what kind of system it is",
                   note="the product's, so that management software finds its objects"),
            Scalar(3, "sysUpTime", TIME_TICKS, lambda state: state.uptime,
                   "since the headend's start"),
            Scalar(4, "sysContact", DISPLAY_STRING, lambda state: "", "empty"),
            Scalar(5, "sysName", DISPLAY_STRING, lambda state: state.snapshot.host_name,
                   "this machine's host name"),
            Scalar(6, "sysLocation", DISPLAY_STRING, lambda state: "", "empty"),
            Scalar(7, "sysServices", INTEGER32, lambda state: SERVICES, "layers 3, 4 and 7"),
        )),
    ),
    "What this is.", own=False,
)  # fmt: skip


def _count(number: int, name: str, key: str, help: str) -> Scalar:
    return Scalar(number, name, COUNTER32, lambda state: state.counts[key], help)


SNMP_GROUP = Group(
    "snmp", "SNMPv2-MIB", SNMP,
    (
        Branch(0, "snmp", (
            _count(1, "snmpInPkts", "received", "datagrams that came"),
            _count(3, "snmpInBadVersions", "bad_version",
                   "of an SNMP version that is not served"),
            _count(4, "snmpInBadCommunityNames", "bad_community",
                   "with a community that is none of ours"),
            _count(5, "snmpInBadCommunityUses", "bad_use",
                   "a Set with the community that may only read"),
            _count(6, "snmpInASNParseErrs", "malformed", "that were no SNMP message"),
            _count(31, "snmpSilentDrops", "unanswered",
                   "whose answer could not be sent"),
        )),
    ),
    "The agent itself, since its start.", own=False,
)  # fmt: skip
