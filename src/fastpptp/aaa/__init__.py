"""Authentication policy: who may log in, by which method, when, and how often.

authenticator = LocalAuthenticator(policy)
decision = authenticator.authenticate(AuthRequest(method, name, credential, peer, now, wall))
...
authenticator.release(identity)
"""

from __future__ import annotations

from fastpptp.aaa.claims import LoginClaims
from fastpptp.aaa.local import LocalAuthenticator
from fastpptp.aaa.policy import AuthRequest, Decision, Identity, Policy
from fastpptp.aaa.throttle import HoldOff, Throttle

__all__ = [
    "AuthRequest",
    "Decision",
    "HoldOff",
    "Identity",
    "LocalAuthenticator",
    "LoginClaims",
    "Policy",
    "Throttle",
]
