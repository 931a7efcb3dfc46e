"""Classes CONFIG and SYSTEM: who changed what, and this machine."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    FAULT,
    INFORMATION_HIGH,
    WARNING,
    WARNING_HIGH,
    EventType,
    Kinds,
)

CONFIG: Kinds = {
    100: EventType(
        INFORMATION_HIGH,
        "Configuration changed: {what}",
        "The store was edited, or a setting of the bootstrap file that holds from the next start. "
        "`fastpptp config history` tells all of an edit.",
    ),
    101: EventType(
        INFORMATION_HIGH,
        "Configuration reloaded, revision {revision}",
        "The headend follows the store as it is now.",
    ),
    102: EventType(
        WARNING_HIGH,
        "Configuration refused, nothing has changed: {problem}",
        "The store cannot be followed; the headend goes on by what it had.",
        "Correct what the text names, and `fastpptp reload`.",
    ),
    103: EventType(
        WARNING,
        "User [{user}] IP Address {address} is ignored: assignment from the authentication "
        "server is off",
        "The user has an address of its own, and the method that would assign it is off.",
        "Turn on Use Address from Authentication Server, or take the address from the user.",
    ),
    104: EventType(
        INFORMATION_HIGH,
        "Administrator {who}: {what}",
        "An administrator did something that is no edit, such as a logout.",
    ),
    105: EventType(
        WARNING,
        "Debug of {whom} at severity {severity} is on until {until}, by {who}",
        "Events of these sessions up to this severity go into the log, decoded messages and "
        "packets included. Passwords do not show.",
        "`fastpptp debug --off` ends it early.",
    ),
    106: EventType(
        INFORMATION_HIGH,
        "Debug of {whom} by {who} is off: {reason}",
        "The log gets from these sessions what its policy says.",
    ),
    110: EventType(
        WARNING,
        "User [{user}] session {session} is traced by {who}: {what}\nThe file may hold passwords.",
        "Somebody takes a copy of all that this session sends and receives (fastpptp trace).",
        "If it should not be, log the session out, and change the password where PAP was used.",
    ),
    111: EventType(
        INFORMATION_HIGH,
        "Trace of {whom} by {who} has ended: {reason}\n"
        "{outer} outer and {inner} inner packets, {lost} lost",
        "A trace has come to its end; what was lost came faster than it was read.",
    ),
}

SYSTEM: Kinds = {
    100: EventType(
        INFORMATION_HIGH,
        "fastpptp {version} started, listening on {listen}",
        "The headend takes control connections.",
    ),
    101: EventType(
        INFORMATION_HIGH,
        "fastpptp stopped: {reason}",
        "The headend has let go of everything.",
    ),
    102: EventType(
        INFORMATION_HIGH,
        "fastpptp is stopping: {sessions} sessions are told",
        "Every peer is told, and no more are let in.",
    ),
    # MS-CHAPv2 falls to one DES key search, and RC4 carries no integrity check.
    103: EventType(
        WARNING,
        "PPTP is cryptographically broken: MS-CHAP can be cracked offline and MPPE is not "
        "authenticated. Do not use it where confidentiality matters.",
        "Told at each start, since it stays true.",
        "Use another protocol where confidentiality matters.",
    ),
    110: EventType(
        FAULT,
        "The store cannot be used: {problem}",
        "Users, passwords and settings cannot be read or written now; the headend goes on by what "
        "it has read.",
        "Look at the database that `store_url` names, its disk and its rights.",
    ),
    111: EventType(
        INFORMATION_HIGH,
        "The store can be used again",
        "What SYSTEM/110 told is over.",
    ),
    121: EventType(
        WARNING,
        "No more control connections can be accepted: {problem}",
        "The machine has no descriptors or memory left for another TCP connection.",
        "Raise the limit of open files (LimitNOFILE).",
    ),
    122: EventType(
        WARNING,
        "{feature} is not available: {problem}",
        "This machine lacks something; the headend goes on without it.",
        "See the problem's words; `fastpptp doctor` looks at the whole machine.",
    ),
    123: EventType(
        FAULT,
        "Internal error: {problem}",
        "A fault of fastpptp. The headend goes on; one session may have suffered.",
        "Report it with this text.",
    ),
    124: EventType(
        WARNING_HIGH,
        "This machine could not be changed as wanted: {problem}",
        "A route, an address or a firewall rule could not be set or taken away.",
        "See the problem's words; `fastpptp doctor` looks at the whole machine.",
    ),
    125: EventType(
        INFORMATION_HIGH,
        "{feature} is available now",
        "What SYSTEM/122 told of this interface is over: its packets go by AF_XDP.",
    ),
    # The event log and those who are told.
    130: EventType(
        WARNING_HIGH,
        "The event log was not closed: what happened within a second after event {sequence} "
        "({moment}) may be missing",
        "Headend and recorder, or the machine, ended without a word: killed, or without power.",
        "Look for what killed them, such as the kernel's out-of-memory killer (journalctl -k).",
    ),
    131: EventType(
        WARNING_HIGH,
        "The recorder ended ({reason}) and was started again: {again} events were handed to "
        "the event log once more, which lacks at most {lost}",
        "The process that keeps the event log died, or did not answer for 20 seconds and was "
        "killed: a disk or a server that is slow is no reason for that. What waited in it for log "
        "file, console, syslog, mail and traps is lost: SYSTEM/137 has how many events, for each.",
        "Look for what killed it; after a fault of its own standard error has a traceback.",
    ),
    132: EventType(
        WARNING_HIGH,
        "{count} events were lost: the recorder does not take them in time",
        "The recorder did not run, or the machine is too busy.",
        "See whether another process takes the processor, or SYSTEM/131 was told.",
    ),
    133: EventType(
        WARNING,
        "{count} events {event} were suppressed in the last {seconds} s",
        "So many of them happened that telling them all would have cost the sessions. RPT and "
        "metrics counted every one.",
        "See what causes them; peers that send nonsense can be blocked by a firewall.",
    ),
    134: EventType(
        WARNING_HIGH,
        "Events do not reach the {sink}: {problem}; {count} were lost",
        "Where these events go fails or is too slow: what waits is tried again, what does not fit "
        "is lost. Told at most once a minute.",
        "See the problem's words. `fastpptp events sinks` has all counters.",
    ),
    135: EventType(
        INFORMATION_HIGH,
        "Events reach the {sink} again after {seconds} s; {count} were lost in that time",
        "What SYSTEM/134 told is over.",
    ),
    136: EventType(
        WARNING_HIGH,
        "The event log {path} cannot be used: {problem}\n"
        "It was put aside as {aside}, and a new one was begun with what could be read of totals "
        "and ended sessions",
        "The database is damaged, or a newer fastpptp made it. Its events are not shown any more. "
        "Totals since the installation, peaks and sessions that ended lie in it, too: a headend "
        "that runs on has its totals yet, all else is taken over as far as it can be read.",
        "A newer one can be put back once that version runs again; a damaged one may be read with "
        "`sqlite3 FILE .recover`.",
    ),
    137: EventType(
        WARNING_HIGH,
        "{count} events that waited for the {sink} when it was closed are lost: {problem}",
        "The headend ended, or other settings took the sink's place, while its server failed or "
        "did not answer: the end waits four seconds for it. At the end this is told in the event "
        "log and on standard error, whatever the severities. Or the recorder ended, as SYSTEM/131 "
        "tells: what was delivered in its last moment is counted, too.",
        "See the problem's words; the event log has what the others lack.",
    ),
}
