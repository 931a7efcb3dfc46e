"""pysnmp as an SNMP agent, with one column of numbers that need not be looked up.

python -m bench.pysnmp_agent
"""

from __future__ import annotations

import asyncio
import bisect
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto.api import v2c
from pysnmp.smi import exval, instrum

from bench.bench_snmp import COLUMN, COMMUNITY, PYSNMP_PORT

NAMES = [(*map(int, COLUMN[1:].split(".")), number) for number in range(1, 2001)]


class Values(instrum.AbstractMibInstrumController):
    """What pysnmp asks."""

    def read_next_variables(self, *bindings: Any, **words: Any) -> Any:
        found = [self._after(name) for name, _ in bindings]
        return words["cbFun"](found, **words) if "cbFun" in words else found

    @staticmethod
    def _after(name: Any) -> tuple[Any, Any]:
        place = bisect.bisect_right(NAMES, tuple(name))
        if place == len(NAMES):
            return name, exval.endOfMibView
        return v2c.ObjectIdentifier(NAMES[place]), v2c.Counter32(place)


def main() -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
    agent = engine.SnmpEngine()
    socket = udp.UdpTransport().open_server_mode(("127.0.0.1", PYSNMP_PORT))
    config.add_transport(agent, udp.DOMAIN_NAME, socket)
    config.add_v1_system(agent, "area", COMMUNITY)
    config.add_vacm_user(agent, 2, "area", "noAuthNoPriv", (1, 3, 6))
    where = context.SnmpContext(agent)
    where.unregister_context_name(b"")
    where.register_context_name(b"", Values())
    cmdrsp.NextCommandResponder(agent, where)
    cmdrsp.BulkCommandResponder(agent, where)
    agent.transport_dispatcher.job_started(1)
    agent.open_dispatcher(60)


if __name__ == "__main__":
    main()
