"""The configurations that ship.

`default` is for new installations, `reference` has the boxes of the VPN 3000 walk-through; both
use the reference network's names: group pptpgroup, user pptpuser, one pool. `empty` has the
default's boxes and nobody in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from types import MappingProxyType

from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry, Values

GROUP_NAME = "pptpgroup"
USER_NAME = "pptpuser"
PASSWORD = "cisco123"
POOL = PoolRange(IPv4Address("172.16.1.10"), IPv4Address("172.16.1.20"))

_REFERENCE_BASE: Values = {
    "pptp_authentication_protocols": ["PAP", "CHAP", "MSCHAPv1"],
    "pptp_encryption": ["40-bit", "128-bit"],
}
_REFERENCE_GROUP: Values = {
    "pptp_authentication_protocols": ["PAP", "CHAP", "MSCHAPv1"],
    "pptp_encryption": [],
}
# The reference's steps "Add MPPE", taken afterwards.
ADD_MPPE: Values = {
    "pptp_authentication_protocols": ["MSCHAPv1"],
    "pptp_encryption": ["Required", "40-bit", "128-bit"],
}
_DEFAULT_BASE: Values = {
    "pptp_authentication_protocols": ["MSCHAPv2"],
    "pptp_encryption": ["Required", "Require Stateless", "128-bit"],
}


def default(password: str = PASSWORD) -> Configuration:
    """MSCHAPv2 alone, 128-bit, Required, Stateless."""
    return _profile(_DEFAULT_BASE, {}, password)


def reference(password: str = PASSWORD) -> Configuration:
    """The boxes of the reference, as its ten steps leave them."""
    return _profile(_REFERENCE_BASE, _REFERENCE_GROUP, password)


def empty(password: str = PASSWORD) -> Configuration:
    """The default's base group, without a group, a user or a pool."""
    return Configuration(base=_DEFAULT_BASE)


def _profile(base: Values, group: Values, password: str) -> Configuration:
    return Configuration(
        base=base,
        groups={GROUP_NAME: GroupEntry(attributes=group)},
        users={USER_NAME: UserEntry(password, GROUP_NAME)},
        pools=(POOL,),
    )


PROFILES: Mapping[str, Callable[[str], Configuration]] = MappingProxyType(
    {"default": default, "reference": reference, "empty": empty}
)
