"""docs/snmp.md and docs/mibs out of the declarations.

`python -m fastpptp.snmp.reference FILE MIB`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill, indent

from fastpptp.snmp.mib import ALTIGA, Branch, Column, Group, Scalar, Syntax, Table
from fastpptp.snmp.objects import GROUPS

INTRODUCTION = """\
# SNMP

Made from the declarations (src/fastpptp/snmp/objects) by `make docs`: edit those.

The product's statistics under its own object identifiers, and MIB-2's system group. The agent is
off until it is asked for:

```sh
fastpptp snmp set --read-community-file FILE --enabled yes
snmpwalk -v2c -c COMMUNITY 127.0.0.1 1.3.6.1.4.1.3076
```

It answers on 127.0.0.1, UDP port 161; `--address` and `--port` say where else, `--managers` whom.
SNMPv1 and SNMPv2c carry their community in the clear. SNMPv3 does not: `--user`,
`--authentication-password-file` (HMAC-SHA-96) and `--privacy-password-file` (AES-128), then
`snmpwalk -v3 -l authPriv -u USER -a SHA -A ... -x AES -X ...`. A user with a privacy password is
answered only encrypted.

With the write community, or as an SNMPv3 user with a privacy password, a row is ended by setting
its RowStatus to destroy(6):

```sh
snmpset -v2c -c WRITE 127.0.0.1 alPptpStatsSessionRowStatus.7 i 6
```

That is recorded as any administrator's order (CONFIG/104). Nothing else can be written. What is not
answered, because the community, the user or the manager is wrong, is an event (SNMP/100), at once
and then at most once a minute with a count; `snmpInBadCommunityNames` counts all.

`docs/mibs/FASTPPTP-MIB.txt` has all objects in words of our own, for tools that want names:
`snmpwalk -M +docs/mibs -m +FASTPPTP-MIB ...`. The product's own MIB modules do as well.

## Beside snmpd

Where snmpd has port 161, give the agent another and let snmpd ask it, in /etc/snmp/snmpd.conf:

```text
proxy -v 2c -c COMMUNITY 127.0.0.1:1161 .1.3.6.1.4.1.3076
```

## What is sure, and what is ours

Numbers, names, types and indices are those of the published ALTIGA-PPTP-STATS-MIB,
ALTIGA-EVENT-STATS-MIB, ALTIGA-PPP-STATS-MIB and ALTIGA-SESSION-STATS-MIB (2002 to 2005). The notes
say where they leave something open, or where a headend in software has nothing to tell. What of
ALTIGA-SESSION-STATS concerns other protocols (NAC, WebVPN, sub-sessions of IPSec) is not there.

Counters are of 32 bits, as there, and wrap: octets of a busy session within minutes. Prometheus
(docs/metrics.md) has them whole. They are the real ones: Reset on the command line does not touch
them.

Values are at most a second old, with many sessions so much older that asking for them takes the
headend less than a twentieth of its time: {many} s with 15,000 sessions.
"""
MANY = 10

HEAD = """\
-- Made from the declarations (src/fastpptp/snmp/objects) by `make docs`: edit those.
--
-- The objects that fastpptp's SNMP agent serves below the product's identifier. Their numbers,
-- names and types are those of the published ALTIGA-*-STATS-MIB modules; the words are ours. Types
-- are spelled out, so that no other module is needed.

FASTPPTP-MIB DEFINITIONS ::= BEGIN

IMPORTS
    OBJECT-TYPE, Integer32, Counter32, Gauge32, Unsigned32, TimeTicks, IpAddress
        FROM SNMPv2-SMI;

altigaRoot     OBJECT IDENTIFIER ::=
    {{ iso org(3) dod(6) internet(1) private(4) enterprises(1) {root} }}
altigaGeneric  OBJECT IDENTIFIER ::= {{ altigaRoot 2 }}
altigaMib      OBJECT IDENTIFIER ::= {{ altigaGeneric 1 }}
altigaStats    OBJECT IDENTIFIER ::= {{ altigaMib 2 }}
"""

# Textual conventions (RFC 2579), spelled out.
PLAIN = {
    "DisplayString": "OCTET STRING (SIZE(0..255))",
    "RowStatus": "INTEGER { active(1), destroy(6) }",
    "TruthValue": "INTEGER { true(1), false(2) }",
}


def document() -> str:
    """docs/snmp.md."""
    return INTRODUCTION.format(many=MANY) + "".join(
        line for group in GROUPS for line in _described(group)
    )


def _described(group: Group) -> Iterator[str]:
    yield f"\n## {group.module}: {group.name}\n\n{_dotted(group.oid)}. {group.help}\n"
    for part in group.parts:
        if isinstance(part, Table):
            yield from _table(group, part)
        else:
            yield from _branch(group, part)


def _branch(group: Group, branch: Branch) -> Iterator[str]:
    below = f".{branch.number}" if branch.number else ""
    yield f"\n{_dotted(group.oid)}{below}:\n\n"
    yield from _rows(branch.scalars)


def _table(group: Group, table: Table) -> Iterator[str]:
    yield f"\n{_dotted(group.oid)}.{table.number}.1, `{table.name}`: {table.help} "
    yield f"Indexed by {' and '.join(f'`{name}`' for name in table.indices)}."
    yield f" Ours: {table.note}.\n\n" if table.note else "\n\n"
    yield from _rows(table.columns)


def _rows(objects: tuple[Scalar, ...] | tuple[Column, ...]) -> Iterator[str]:
    yield "| Number | Object | Type | Meaning | Ours |\n|---|---|---|---|---|\n"
    for thing in objects:
        cells = (str(thing.number), f"`{thing.name}`", thing.syntax.smi, thing.help, thing.note)
        yield f"| {' | '.join(cells)} |\n"


def _dotted(oid: tuple[int, ...]) -> str:
    return ".".join(map(str, oid))


def mib() -> str:
    """docs/mibs/FASTPPTP-MIB.txt: what is below the product's identifier."""
    parts = [HEAD.format(root=ALTIGA[-1])]
    for group in GROUPS:
        if group.own:
            parts += _module(group)
    return "\n".join((*parts, "END\n"))


def _module(group: Group) -> Iterator[str]:
    yield f"-- {group.module}\n"
    yield f"{group.name} OBJECT IDENTIFIER ::= {{ altigaStats {group.oid[-1]} }}\n"
    for part in group.parts:
        if isinstance(part, Table):
            yield from _table_type(group, part)
        else:
            yield f"{part.name} OBJECT IDENTIFIER ::= {{ {group.name} {part.number} }}\n"
            for scalar in part.scalars:
                yield _object(scalar, part.name, "read-only")


def _table_type(group: Group, table: Table) -> Iterator[str]:
    kind = table.entry[0].upper() + table.entry[1:]
    yield _type(table.name, f"SEQUENCE OF {kind}", "not-accessible", table.help,
                f"{{ {group.name} {table.number} }}")  # fmt: skip
    yield _type(table.entry, kind, "not-accessible", "A row.", f"{{ {table.name} 1 }}",
                f"    INDEX       {{ {', '.join(table.indices)} }}\n")  # fmt: skip
    fields = ",\n".join(f"    {c.name} {_base(c.syntax)}" for c in table.columns)
    yield f"{kind} ::= SEQUENCE {{\n{fields}\n}}\n"
    for column in table.columns:
        yield _object(column, table.entry, "read-write" if column.end else "read-only")


def _object(thing: Scalar | Column, parent: str, access: str) -> str:
    words = thing.help + (f" ({thing.note})" if thing.note else "") + "."
    syntax = PLAIN.get(thing.syntax.smi, thing.syntax.smi)
    place = f"{{ {parent} {thing.number} }}"
    return _type(thing.name, syntax, access, words[0].upper() + words[1:], place)


def _type(name: str, syntax: str, access: str, words: str, place: str, more: str = "") -> str:
    described = indent(fill(words, 84), " " * 8).replace('"', "'").strip()
    head = f"{name} OBJECT-TYPE\n    SYNTAX      {syntax}\n    MAX-ACCESS  {access}\n"
    rest = f'    STATUS      current\n    DESCRIPTION\n        "{described}"\n{more}'
    return f"{head}{rest}    ::= {place}\n"


def _base(syntax: Syntax) -> str:
    """A type as a SEQUENCE lists it: without its range or its names."""
    words = PLAIN.get(syntax.smi, syntax.smi)
    return words.partition(" (")[0].partition(" {")[0]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
    Path(sys.argv[2]).write_text(mib(), encoding="utf-8")
