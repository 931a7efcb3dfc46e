"""Why a tunnel or a call was refused, a login failed, a session or a tunnel ended.

Each cause is declared once. Its code is what programs see: the `cause` of an event, of an ended
session, of a metric's label. Codes are stable; docs/events.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, Flag, auto
from types import MappingProxyType


class Of(Flag):
    """What a cause is a cause of."""

    TUNNEL_REFUSED = auto()
    TUNNEL_ENDED = auto()
    CALL_REFUSED = auto()
    LOGIN_FAILED = auto()
    SESSION_ENDED = auto()


# Acct-Terminate-Cause (RFC 2866 5.10).
ACCT_TERMINATE_CAUSES: Mapping[int, str] = MappingProxyType(
    {
        1: "User-Request",
        2: "Lost-Carrier",
        3: "Lost-Service",
        4: "Idle-Timeout",
        5: "Session-Timeout",
        6: "Admin-Reset",
        7: "Admin-Reboot",
        8: "Port-Error",
        9: "NAS-Error",
        15: "Service-Unavailable",
        17: "User-Error",
    }
)

_TUNNEL, _CALL, _LOGIN, _SESSION = (
    Of.TUNNEL_REFUSED, Of.CALL_REFUSED, Of.LOGIN_FAILED | Of.SESSION_ENDED, Of.SESSION_ENDED,
)  # fmt: skip
_CONTROL = Of.TUNNEL_ENDED | Of.SESSION_ENDED
_REQUESTED, _LOST, _RESET, _ERROR = (
    "User Requested", "Lost Carrier", "Administrator Reset", "Error",
)  # fmt: skip


class Cause(Enum):
    """A cause: `code`, what it is a cause `of`, `radius` (Acct-Terminate-Cause).

    `text` is the reason in the product's words (PPTP/35, AUTH/28) and `info` the addition in
    parentheses, None where the product has none. `login` is AUTH/5's reason. `means` and `remedy`
    are for people.
    """

    # The peer ends it.
    USER_REQUEST = (
        "user-request", _SESSION, 1, _REQUESTED, None,
        "The user hung up: LCP Terminate-Request.",
    )  # fmt: skip
    CALL_CLEARED = (
        "call-cleared", _SESSION, 1, _REQUESTED, None,
        "The peer sent Call-Clear-Request without ending PPP first.",
    )  # fmt: skip
    CALL_DISCONNECTED = (
        "call-disconnected", _SESSION, 1, _REQUESTED, None,
        "The peer sent Call-Disconnect-Notify, which is the server's message, to hang up.",
    )  # fmt: skip
    CONTROL_STOPPED = (
        "control-stopped", _CONTROL, 1, _REQUESTED, None,
        "The peer sent Stop-Control-Connection-Request.",
    )  # fmt: skip
    CONTROL_LOST = (
        "control-lost", _CONTROL, 2, _LOST, None,
        "The TCP connection ended without a stop: the client was switched off, or a router or "
        "firewall between dropped the connection.",
        "If it comes again at the same idle time, look for a firewall's or NAT's TCP time-out.",
    )  # fmt: skip
    CONTROL_SILENT = (
        "control-echo-timeout", _CONTROL, 2, _LOST, "no Echo-Reply on the control connection",
        "The peer answered no PPTP Echo-Request.",
        "The client or its network is gone; nothing needs to be done here.",
    )  # fmt: skip
    CONTROL_ERROR = (
        "control-protocol-error", _CONTROL, 8, "Port Error",
        "the peer broke the protocol of the control connection",
        "A control message was malformed or out of place; PPTP/110 says which.",
        "Something else than a PPTP client talks to port 1723, or the client has a fault.",
    )  # fmt: skip
    NOT_ESTABLISHED = (
        "control-not-established", Of.TUNNEL_ENDED, 2, _LOST,
        "the control connection was not established in time",
        "The TCP connection stood, but no Start-Control-Connection-Request came.",
        "A port scan or a health check; a client that means it sends the request at once.",
    )  # fmt: skip
    TUNNEL_IDLE = (
        "tunnel-idle", Of.TUNNEL_ENDED, 4, "Idle Timeout", None,
        "The control connection had no session for the Maximum Tunnel Idle Time.",
        "Nothing: clients that redial make another.",
    )  # fmt: skip

    # LCP.
    LCP_NO_ANSWER = (
        "lcp-no-answer", _SESSION, 2, _LOST, "the peer did not answer LCP",
        "No PPP frame came in answer to ours.",
        "See PPTP/114: a firewall or NAT between blocks GRE (IP protocol 47).",
    )  # fmt: skip
    LCP_NOT_CONVERGED = (
        "lcp-not-converged", _SESSION, 8, "Port Error", "LCP did not converge",
        "The two ends could not agree on LCP's options in time.",
        "Debug the session: PPPDECODE shows which option they argue about.",
    )  # fmt: skip
    LOOPBACK = (
        "loopback", _SESSION, 8, "Port Error", "the link is looped back",
        "Our own LCP magic number came back.",
        "Something between echoes GRE back to us, or the peer is this machine.",
    )  # fmt: skip
    ECHO_TIMEOUT = (
        "echo-timeout", _SESSION, 2, _LOST, "the peer stopped answering LCP echoes",
        "GRE from the peer stopped: the client or its network is gone, or a NAT forgot the flow.",
        "If it is frequent, lower Echo Interval so that a NAT keeps the flow.",
    )  # fmt: skip

    # Logins.
    NO_COMMON_AUTHENTICATION = (
        "no-common-authentication", _LOGIN, 17, _ERROR, "no common authentication protocol",
        "The client refused every authentication protocol that the base group allows.",
        "Allow the client's protocol in the base group, or the server's on the client.",
        "No common authentication protocol",
    )  # fmt: skip
    METHOD_NOT_ALLOWED = (
        "method-not-allowed", _LOGIN, 17, _ERROR, "authentication protocol not allowed",
        "The protocol that LCP agreed on is outside the user's own set.",
        "Allow it for the user or its group, or take it away from the base group so that LCP "
        "does not offer it.",
        "Authentication protocol not allowed",
    )  # fmt: skip
    USER_NOT_FOUND = (
        "user-not-found", _LOGIN, 17, _ERROR, None,
        "There is no user of this name.",
        "Look for a misspelt name; with DOMAIN\\user or user@realm turn Strip Realm on.",
        "User was not found",
    )  # fmt: skip
    WRONG_PASSWORD = (
        "wrong-password", _LOGIN, 17, _ERROR, None,
        "The password was wrong.",
        "Have it typed again; many from one address are somebody guessing (AUTH/100).",
        "Invalid password",
    )  # fmt: skip
    THROTTLED = (
        "throttled", _LOGIN, 17, _ERROR, None,
        "Failed logins hold off further ones, whether or not the password is right now.",
        "Wait for as long as AUTH/100 said.",
        "Too many failed logins",
    )  # fmt: skip
    LOGIN_DISABLED = (
        "login-disabled", _LOGIN, 17, _ERROR, None,
        "Simultaneous Logins is 0 for this user.",
        "Raise it to let the user in.",
        "Login is disabled",
    )  # fmt: skip
    OUTSIDE_HOURS = (
        "outside-access-hours", _LOGIN, 17, _ERROR, None,
        "The user's Access Hours do not include this hour.",
        "Change the Access Hours, or look at this machine's clock and zone.",
        "Outside of the access hours",
    )  # fmt: skip
    PASSWORD_EXPIRED = (
        "password-expired", _LOGIN, 17, _ERROR, None,
        "Password Expired is set for the user, and the client did not change the password.",
        "MS-CHAP clients ask their user for a new one; else set one here.",
        "Password has expired",
    )  # fmt: skip
    PASSWORD_NOT_CHANGED = (
        "password-not-changed", _LOGIN, 17, _ERROR, None,
        "The new password that the client sent breaks the group's rules, or none was asked for.",
        "Choose one that obeys Minimum Password Length and Allow Alphabetic-Only Passwords.",
        "Password could not be changed",
    )  # fmt: skip
    LOGINS_EXCEEDED = (
        "logins-exceeded", _LOGIN, 17, _ERROR, None,
        "The user has as many sessions as Simultaneous Logins allows.",
        "End one (`fastpptp logout --user NAME`), or raise it.",
        "Simultaneous logins exceeded for user",
    )  # fmt: skip
    TUNNELING_PROTOCOL = (
        "tunneling-protocol", _LOGIN, 17, _ERROR, None,
        "PPTP is not among the user's Tunneling Protocols.",
        "Add it to let the user in.",
        "PPTP is not among the tunneling protocols",
    )  # fmt: skip
    ANOTHER_USER = (
        "another-user", _LOGIN, 17, _ERROR, None,
        "A session that had a user negotiated anew and logged in as somebody else.",
        "A client that wants another user must dial anew.",
        "The session is another user's",
    )  # fmt: skip
    AUTHENTICATION_FAILED = (
        "authentication-failed", _LOGIN, 17, _ERROR, None,
        "No credential came in time. Of a dial of ours: the server refused it.",
        "The client waits for its user, or has no password for this server.",
        "No credential came in time",
    )  # fmt: skip
    REQUEST_TIMED_OUT = (
        "request-timed-out", _LOGIN, 9, "NAS Error",
        "authentication or address assignment did not answer in time",
        "Whoever decides on logins or gives addresses was too slow.",
        "Look at the DHCP servers and at this machine's load.",
        "Authentication did not answer in time",
    )  # fmt: skip

    # After the login.
    ENCRYPTION_REQUIRED = (
        "encryption-required", _SESSION, 17, _ERROR,
        "encryption is required and the peer does not support it",
        "Required is set, and CCP did not agree on MPPE with an allowed key length.",
        "Turn encryption on at the client, or allow its key length.",
    )  # fmt: skip
    NO_ADDRESS = (
        "no-address", _SESSION, 15, "Service Unavailable", "no address was available",
        "No method of address assignment had an address; ADDRESS/100 or /104 says why.",
        "Add a pool or enlarge one; `fastpptp pool list` shows what is in use.",
    )  # fmt: skip
    NO_NETWORK_PROTOCOL = (
        "no-network-protocol", _SESSION, 15, "Service Unavailable",
        "no network protocol could be brought up",
        "Neither IPCP nor IPv6CP came up in time.",
        "Debug the session: PPPDECODE shows what the client refuses.",
    )  # fmt: skip
    IDLE_TIMEOUT = (
        "idle-timeout", _SESSION, 4, "Idle Timeout", None,
        "No data passed for the user's Idle Timeout.",
        "Nothing, or a longer Idle Timeout; 0 is never.",
    )  # fmt: skip
    MAX_CONNECT_TIME = (
        "max-connect-time", _SESSION, 5, "Max time exceeded", None,
        "The session lasted for the user's Maximum Connect Time.",
        "Nothing, or a longer one; 0 is without limit.",
    )  # fmt: skip
    ACCESS_HOURS_ENDED = (
        "access-hours-ended", _SESSION, 5, "Access Hours ended", None,
        "The Access Hours in which the user logged in are over.",
        "Nothing, or other Access Hours.",
    )  # fmt: skip
    ADDRESS_LOST = (
        "address-lost", _SESSION, 3, "Lost Service", "the lease of its address was lost",
        "The DHCP server did not extend the lease, or took it back (DHCP/109).",
        "Look at the DHCP server.",
    )  # fmt: skip

    # The administrator ends it.
    ADMIN_LOGOUT = (
        "admin-logout", _CONTROL, 6, _RESET, None,
        "An administrator logged the session out, or ended the tunnel; CONFIG/104 says who.",
    )  # fmt: skip
    ACCOUNT_CHANGED = (
        "account-changed", _SESSION, 6, _RESET, "the account was changed or deleted",
        "An edit with --logout deleted or changed the user or its group.",
    )  # fmt: skip
    PPTP_DISABLED = (
        "pptp-disabled", _TUNNEL | _CONTROL, 6, _RESET, "PPTP is not enabled",
        "PPTP is not enabled: sessions end when it is turned off, and further ones are refused.",
        "`fastpptp pptp set --enabled yes`.",
    )  # fmt: skip
    SHUTDOWN = (
        "shutdown", _TUNNEL | _CONTROL, 7, "Administrator Shutdown", None,
        "The headend stops.",
    )  # fmt: skip

    # Refusals.
    MAX_TUNNELS = (
        "max-tunnels", _TUNNEL, 15, "Max. Tunnels reached", None,
        "There are as many control connections as Max. Tunnels allows.",
        "Raise it; 0 is without limit.",
    )  # fmt: skip
    HALF_OPEN_PER_SOURCE = (
        "half-open-per-source", _TUNNEL, 15, "too many half-open connections from this address",
        None,
        "Too many TCP connections from one address have not sent their first request.",
        "A scan or a flood: block the address in front of this machine.",
    )  # fmt: skip
    HALF_OPEN = (
        "half-open", _TUNNEL, 15, "too many half-open connections", None,
        "Too many TCP connections in all have not sent their first request.",
        "A flood from many addresses: limit new connections in front of this machine.",
    )  # fmt: skip
    BAD_VERSION = (
        "bad-version", _TUNNEL, 8, "protocol version not supported", None,
        "The peer speaks another version of PPTP than 1.0.",
        "Use a client that speaks RFC 2637.",
    )  # fmt: skip
    MAX_SESSIONS_PER_TUNNEL = (
        "max-sessions-per-tunnel", _CALL, 15, "Max. Sessions/Tunnel reached", None,
        "The tunnel has as many sessions as Max. Sessions/Tunnel allows.",
        "Raise it; 0 is without limit.",
    )  # fmt: skip
    NO_CALL_ID = (
        "no-call-id", _CALL, 15, "no Call-ID is free", None,
        "All 65,535 Call-IDs are in use or rest.",
        "Spread the users over several headends.",
    )  # fmt: skip
    MAX_HANDSHAKES = (
        "max-handshakes", _CALL, 15, "too many handshakes are in flight", None,
        "More sessions are being negotiated than Handshakes in Flight allows.",
        "Clients that redial are let in as others finish; raise the limit if the CPU has room.",
    )  # fmt: skip
    MAX_HANDSHAKES_PER_SOURCE = (
        "max-handshakes-per-source", _CALL, 15, "too many handshakes from this address", None,
        "One address negotiates more sessions at once than Handshakes in Flight per Source allows.",
        "Raise it if many clients share the address (NAT); else it is a flood.",
    )  # fmt: skip
    CALL_ID_IN_USE = (
        "call-id-in-use", _CALL, 17, "its Call ID is in use on this tunnel", None,
        "The peer asked for a call with a Call ID that another call of its tunnel has.",
        "The client has a fault, or sent its request twice.",
    )  # fmt: skip
    INCOMING_CALL = (
        "incoming-call", _CALL, 17, "incoming calls are not taken", None,
        "The peer sent Incoming-Call-Request: it is an access concentrator itself.",
        "Have it dial out (Outgoing-Call-Request), as clients do.",
    )  # fmt: skip

    def __new__(cls, code: str, *words: object) -> Cause:
        made = object.__new__(cls)
        made._value_ = code
        return made

    def __init__(
        self, code: str, of: Of, radius: int, text: str, info: str | None, means: str,
        remedy: str = "", login: str = "",
    ) -> None:  # fmt: skip
        self.code = code
        self.of = of
        self.radius = radius
        self.text = text
        self.info = info
        self.means = means
        self.remedy = remedy
        self.login = login

    def __str__(self) -> str:
        return self.code

    @property
    def acct(self) -> str:
        """RADIUS' word for it."""
        return ACCT_TERMINATE_CAUSES[self.radius]

    @property
    def addition(self) -> str | None:
        """What PPTP/35 adds. As in the product nothing, where PPP/6 or PPP/12 has said it."""
        return None if self in _TOLD_BEFORE else self.info

    @property
    def words(self) -> str:
        """What tells it apart from others of the same text."""
        return self.info or self.login or self.text

    @property
    def whole(self) -> str:
        """Text and info on one line."""
        return f"{self.text} ({self.info})" if self.info else self.text


_TOLD_BEFORE = frozenset(
    {Cause.ENCRYPTION_REQUIRED, Cause.METHOD_NOT_ALLOWED, Cause.NO_COMMON_AUTHENTICATION}
)
