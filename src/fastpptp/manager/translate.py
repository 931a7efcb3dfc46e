"""What the policy's settings mean to the protocols and to the dataplane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from fastpptp.addresses.grant import AddressGrant
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.config import AddressAnswer, LinkConfig, LinkRole, MppePolicy
from fastpptp.pptp import Call, ControlConfig
from fastpptp.settings.resolve import Effective, PolicySnapshot

# Strongest first: the order in which LCP offers them. EAP needs a RADIUS server.
METHODS = (AuthMethod.MSCHAP_V2, AuthMethod.MSCHAP_V1, AuthMethod.CHAP, AuthMethod.PAP)

MINUTE_MS = 60_000

# How long a peer may take to open its end of a call once it knows our Call ID. Seconds.
LISTEN = 0.25


def control_config(policy: PolicySnapshot, host_name: str) -> ControlConfig:
    return ControlConfig(
        host_name=host_name,
        maximum_channels=policy.pptp.max_sessions_per_tunnel,
    )


def link_config(policy: PolicySnapshot, host_name: str) -> LinkConfig:
    """LCP offers what the base group allows; the user's own set is held against it later."""
    base, system = policy.base, policy.system
    return LinkConfig(
        role=LinkRole.AUTHENTICATOR,
        mru=system.mru,
        methods=tuple(method for method in METHODS if method in base.authentication_protocols),
        name=host_name,
        mppe=mppe_policy(base),
        ipv6=system.ipv6_prefix is not None,
        offload=True,
        listen=LISTEN,
    )


def mppe_policy(effective: Effective) -> MppePolicy:
    return MppePolicy(
        required=effective.encryption_required,
        require_stateless=effective.require_stateless,
        bits=effective.key_lengths,
    )


def call_spec(
    policy: PolicySnapshot, call: Call, local: IPv4Address, peer: IPv4Address
) -> CallSpec:
    pptp, system = policy.pptp, policy.system
    return CallSpec(
        peer_call_id=call.peer_call_id,
        local_address=local,
        peer_address=peer,
        receive_window=pptp.packet_window_size,
        peer_window=call.peer_window,
        limit_transmit_to_window=pptp.limit_transmit_to_window,
        ack_delay=pptp.acknowledgement_delay,
        ack_timeout=pptp.acknowledgement_timeout * 1000,
        reorder_packets=system.reorder_packets,
        reorder_time=system.reorder_time,
    )


def first_policy(policy: PolicySnapshot) -> CallPolicy:
    """What holds for a call before anybody logged in."""
    system = policy.system
    common = CallPolicy(
        mru=system.mru,
        echo_interval=system.echo_interval * 1000,
        echo_failures=system.echo_failures,
        client_to_client=system.client_to_client,
    )
    return user_policy(common, policy.base)


def user_policy(policy: CallPolicy, effective: Effective) -> CallPolicy:
    """`policy` with what holds for this user."""
    return replace(
        policy,
        encryption_required=effective.encryption_required,
        idle_timeout=effective.idle_timeout * MINUTE_MS,
        filter=effective.filter,
    )


def destinations(
    networks: Iterable[IPv4Network | IPv6Network],
) -> tuple[tuple[IPv4Address | IPv6Address, int], ...]:
    """Networks behind a peer, as CallPolicy has them."""
    return tuple((network.network_address, network.prefixlen) for network in networks)


def address_answer(grant: AddressGrant) -> AddressAnswer:
    return AddressAnswer(
        local=grant.server_address,
        peer=grant.address,
        dns=grant.dns,
        nbns=grant.nbns,
        ipv6=grant.prefix is not None,
    )
