"""The name a peer gives, and the user it stands for."""

from __future__ import annotations

from fastpptp.aaa.policy import Policy
from fastpptp.settings.resolve import UserRecord


def split(name: str) -> tuple[str, str]:
    """(user, domain) of `DOMAIN\\user` or `user@realm`; the domain is empty where there is none."""
    domain, backslash, user = name.partition("\\")
    if backslash:
        return user, domain
    user, _, realm = name.rpartition("@")
    return (user, realm) if user else (name, "")


def find(policy: Policy, name: str) -> UserRecord | None:
    """The user that `name` stands for.

    A user of exactly this name comes first; else, where Strip Realm holds for the user of
    the name without its domain or realm, that one.
    """
    exact = policy.user(name)
    if exact is not None:
        return exact
    bare, domain = split(name)
    user = policy.user(bare) if domain else None
    return user if user is not None and user.effective.strip_realm else None
