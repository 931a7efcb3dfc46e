"""Class AUTH: logins and logouts."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import INFORMATION_HIGH, WARNING, EventType, Kinds

AUTH: Kinds = {
    5: EventType(
        WARNING,
        "Authentication rejected: Reason = {reason}\n"
        "handle = {handle}, server = {server}, user = {user}, domain = {domain}",
        "A login was refused. `handle` numbers the authentications; `server` is (none) for users "
        "that are kept here.",
        "See its cause below.",
        caused=True,
    ),
    22: EventType(
        INFORMATION_HIGH,
        "User [{user}] Group [{group}] connected, Session Type: PPTP",
        "A user has logged in.",
        shows_peer=False,
    ),
    28: EventType(
        INFORMATION_HIGH,
        "User [{user}] Group [{group}] disconnected:\nSession Type: PPTP\n"
        "Duration: {duration}\nBytes xmt: {bytes_xmt}\nBytes rcv: {bytes_rcv}\n"
        "Reason: {reason}",
        "The session of a user who had logged in has ended; octets are those of data, final.",
        "See its cause below.",
        shows_peer=False,
        caused=True,
    ),
    100: EventType(
        WARNING,
        "Logins throttled for {seconds} s after {failures} failures, user = {user}",
        "Somebody guesses passwords, or a client keeps dialling with an old one: logins of this "
        "user, or from this address, are held off for so long.",
        "Look at where they come from (the client's IP address in the header line).",
    ),
    101: EventType(
        INFORMATION_HIGH,
        "User [{user}] changed the password",
        "The password had expired, and the client changed it (MS-CHAP).",
    ),
    102: EventType(
        WARNING,
        "User [{user}] could not change the password: {reason}",
        "The client's new password could not be kept.",
        "Look at the store; set the password by `fastpptp user set`.",
    ),
    103: EventType(
        WARNING,
        "Login as [{user}] refused: the session is that of user [{account}]",
        "A session negotiated anew, and with another user's credential.",
        "A client that wants another user must dial anew.",
        caused=True,
    ),
}
