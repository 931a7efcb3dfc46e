"""Local authentication: a credential against the users of the configuration.

The order of the checks is the product's: the method before the password, the password before
anything that tells about the user, the login claim last.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count

from fastpptp.aaa import names
from fastpptp.aaa.claims import LoginClaims
from fastpptp.aaa.explain import explained
from fastpptp.aaa.policy import AuthRequest, Decision, Identity, Policy
from fastpptp.aaa.throttle import Throttle
from fastpptp.aaa.verify import Verified, is_change, verify
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.causes import Cause
from fastpptp.ppp.auth.types import Accept, Reject
from fastpptp.settings.check import broken_rules
from fastpptp.settings.resolve import Effective, UserRecord

PPTP = "PPTP"

# An unknown user costs what a known one does; what comes out is not looked at.
_DUMMY_PASSWORD = "9Kq2-vT7x!mB4"

# MS-CHAP's codes (RFC 2759 section 6); what is not here is 691.
_ERRORS = {
    Cause.OUTSIDE_HOURS: 646,
    Cause.LOGIN_DISABLED: 647,
    Cause.PASSWORD_EXPIRED: 648,
    Cause.TUNNELING_PROTOCOL: 649,
    Cause.PASSWORD_NOT_CHANGED: 709,
}


class LocalAuthenticator:
    """Decides on logins, and holds their claims."""

    def __init__(self, policy: Policy, *, throttle: Throttle | None = None) -> None:
        self._policy = policy
        self._throttle = Throttle() if throttle is None else throttle
        self._handles = count(1)
        self.claims = LoginClaims()

    def update(self, policy: Policy) -> None:
        """Decide by another policy from now on; claims stay."""
        self._policy = policy

    def release(self, identity: Identity) -> None:
        """Give a login claim back. Twice is once."""
        self.claims.release(identity.user, identity.claim)

    def authenticate(self, request: AuthRequest) -> Decision:
        """Accept with an Identity that holds a claim, or Reject with its cause. Never raises
        for what a peer sent. A new password is the caller's to keep; else see not_kept().
        """
        user = names.find(self._policy, request.name)
        told = tuple(explained(request, user, self._policy, self._throttle, self.claims))
        decision = self._decide(request, user)
        return replace(decision, events=told + decision.events) if told else decision

    def _decide(self, request: AuthRequest, user: UserRecord | None) -> Decision:
        handle = next(self._handles)
        effective = user.effective if user is not None else self._policy.base
        if request.method not in effective.authentication_protocols:
            cause = Cause.METHOD_NOT_ALLOWED
            return Decision(Reject(not_allowed=True, cause=cause), cause=cause)
        subject = user.name if user is not None else request.name
        held = self._throttle.holds(request.peer, subject, request.now)
        password = user.password if user is not None else _DUMMY_PASSWORD
        verified = verify(request.credential, request.name, password)
        if held:
            return self._refuse(request, handle, Cause.THROTTLED)
        if user is None or verified is None:
            return self._failed(request, handle, user, effective)
        self._throttle.succeeded(request.peer, subject)
        return self._permit(request, handle, user, verified)

    def _failed(
        self, request: AuthRequest, handle: int, user: UserRecord | None, effective: Effective
    ) -> Decision:
        """A wrong user or password; told apart in the log alone."""
        cause = Cause.USER_NOT_FOUND if user is None else Cause.WRONG_PASSWORD
        subject = request.name if user is None else user.name
        hold = self._throttle.failed(request.peer, subject, request.now)
        events: tuple[Occurrence, ...] = ()
        if hold is not None:
            seconds, failures = round(hold.seconds), hold.failures
            events = (
                occur(
                    "AUTH",
                    100,
                    peer=request.peer,
                    seconds=seconds,
                    failures=failures,
                    user=request.name,
                ),
            )
        if is_change(request.credential):
            reject = Reject(_ERRORS[Cause.PASSWORD_NOT_CHANGED], cause=cause)
        else:
            reject = Reject(retries=effective.authentication_retries, cause=cause)
        return self._reject(request, handle, cause, reject, events)

    def _permit(
        self, request: AuthRequest, handle: int, user: UserRecord, verified: Verified
    ) -> Decision:
        """The password is right: may this user log in, here and now?"""
        cause = self._obstacle(request, user.effective, verified)
        if cause is not None:
            return self._refuse(request, handle, cause)
        claim = self.claims.claim(user.name, user.effective.simultaneous_logins)
        if claim is None:
            return self._refuse(request, handle, Cause.LOGINS_EXCEEDED)
        identity = Identity(
            user.name,
            user.group,
            user.effective,
            request.name,
            request.method,
            claim,
            _hours_end(request, user.effective),
            user.address,
            user.netmask,
        )
        events: tuple[Occurrence, ...] = ()
        if verified.new_password is not None:
            events = (occur("AUTH", 101, peer=request.peer, user=user.name),)
        result = Accept(verified.message, verified.keys, identity)
        return Decision(result, identity, events=events, new_password=verified.new_password)

    def not_kept(self, request: AuthRequest, decision: Decision) -> Decision:
        """The answer when a new password could not be kept; the login claim is given back."""
        if decision.identity is not None:
            self.release(decision.identity)
        return self._refuse(request, next(self._handles), Cause.PASSWORD_NOT_CHANGED)

    @staticmethod
    def _obstacle(request: AuthRequest, effective: Effective, verified: Verified) -> Cause | None:
        if effective.simultaneous_logins == 0:
            return Cause.LOGIN_DISABLED
        if not effective.access_hours.allows(request.wall):
            return Cause.OUTSIDE_HOURS
        if PPTP not in effective.tunneling_protocols:
            return Cause.TUNNELING_PROTOCOL
        new = verified.new_password
        if new is None:
            return Cause.PASSWORD_EXPIRED if effective.password_expired else None
        return None if _may_become(new, effective) else Cause.PASSWORD_NOT_CHANGED

    def _refuse(self, request: AuthRequest, handle: int, cause: Cause) -> Decision:
        reject = Reject(_ERRORS.get(cause, 691), cause=cause)
        return self._reject(request, handle, cause, reject)

    @staticmethod
    def _reject(
        request: AuthRequest,
        handle: int,
        cause: Cause,
        reject: Reject,
        events: tuple[Occurrence, ...] = (),
    ) -> Decision:
        _, domain = names.split(request.name)
        rejected = occur(
            "AUTH",
            5,
            peer=request.peer,
            reason=cause.login,
            handle=handle,
            server=None,
            user=request.name,
            domain=domain,
            code=cause,
        )
        return Decision(reject, cause=cause, events=(rejected, *events))


def _hours_end(request: AuthRequest, effective: Effective) -> float | None:
    left = effective.access_hours.remaining(request.wall)
    return None if left is None else request.now + left


def _may_become(password: str, effective: Effective) -> bool:
    """Whether a user may choose this password: while it has expired, and by its group's rules."""
    broken = broken_rules(password, partial(getattr, effective))
    return effective.password_expired and not any(broken)
