"""PPP without I/O, in both roles: LCP, authentication, CCP with MPPE, IPCP, IPv6CP.

A Link (link.py) is all that its owner needs; ppp/events.py says what it tells.
"""

from __future__ import annotations

from fastpptp.ppp.config import AddressAnswer, LinkConfig, LinkRole, MppePolicy, Timing
from fastpptp.ppp.link import Link, Phase

__all__ = ["AddressAnswer", "Link", "LinkConfig", "LinkRole", "MppePolicy", "Phase", "Timing"]
