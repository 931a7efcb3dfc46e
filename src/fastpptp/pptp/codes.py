"""Every code of RFC 2637: message types, results, errors, reasons, causes, capabilities.

A peer may send a value that no one has defined: decoded messages therefore carry plain
ints, and `name_of` finds the RFC's text where there is one.
"""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag

PROTOCOL_VERSION = 0x0100
MAGIC_COOKIE = 0x1A2B3C4D
CONTROL_MESSAGE = 1  # PPTP Message Type; 2, Management, is not defined (1.4)


class Role(Enum):
    """The two ends of a tunnel (1.2). A dialling client is the PNS, our headend the PAC."""

    PAC = "PAC"
    PNS = "PNS"


class Code(IntEnum):
    """A code with the RFC's text for it."""

    text: str

    def __new__(cls, value: int, text: str) -> Code:
        member = int.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member


class MessageType(Code):
    """Control Message Type (1.4)."""

    START_CONTROL_CONNECTION_REQUEST = 1, "Start-Control-Connection-Request"
    START_CONTROL_CONNECTION_REPLY = 2, "Start-Control-Connection-Reply"
    STOP_CONTROL_CONNECTION_REQUEST = 3, "Stop-Control-Connection-Request"
    STOP_CONTROL_CONNECTION_REPLY = 4, "Stop-Control-Connection-Reply"
    ECHO_REQUEST = 5, "Echo-Request"
    ECHO_REPLY = 6, "Echo-Reply"
    OUTGOING_CALL_REQUEST = 7, "Outgoing-Call-Request"
    OUTGOING_CALL_REPLY = 8, "Outgoing-Call-Reply"
    INCOMING_CALL_REQUEST = 9, "Incoming-Call-Request"
    INCOMING_CALL_REPLY = 10, "Incoming-Call-Reply"
    INCOMING_CALL_CONNECTED = 11, "Incoming-Call-Connected"
    CALL_CLEAR_REQUEST = 12, "Call-Clear-Request"
    CALL_DISCONNECT_NOTIFY = 13, "Call-Disconnect-Notify"
    WAN_ERROR_NOTIFY = 14, "WAN-Error-Notify"
    SET_LINK_INFO = 15, "Set-Link-Info"


class GeneralError(Code):
    """General Error Code (2.16); read only where a result code says General Error."""

    NONE = 0, "None"
    NOT_CONNECTED = 1, "Not-Connected"
    BAD_FORMAT = 2, "Bad-Format"
    BAD_VALUE = 3, "Bad-Value"
    NO_RESOURCE = 4, "No-Resource"
    BAD_CALL_ID = 5, "Bad-Call ID"
    PAC_ERROR = 6, "PAC-Error"


class StartResult(Code):
    """Start-Control-Connection-Reply (2.2).

    We never send 3: peers behind one NAT share an address, so a second control connection
    from it is the norm and no error.
    """

    SUCCESS = 1, "Successful channel establishment"
    GENERAL_ERROR = 2, "General error"
    CHANNEL_EXISTS = 3, "Command channel already exists"
    NOT_AUTHORIZED = 4, "Requester not authorized"
    BAD_VERSION = 5, "Protocol version not supported"


class StopReason(Code):
    """Stop-Control-Connection-Request (2.3)."""

    NONE = 1, "None"
    STOP_PROTOCOL = 2, "Stop-Protocol"
    STOP_LOCAL_SHUTDOWN = 3, "Stop-Local-Shutdown"


class StopResult(Code):
    """Stop-Control-Connection-Reply (2.4)."""

    OK = 1, "OK"
    GENERAL_ERROR = 2, "General error"


class EchoResult(Code):
    """Echo-Reply (2.6)."""

    OK = 1, "OK"
    GENERAL_ERROR = 2, "General error"


class OutgoingCallResult(Code):
    """Outgoing-Call-Reply (2.8)."""

    CONNECTED = 1, "Connected"
    GENERAL_ERROR = 2, "General error"
    NO_CARRIER = 3, "No Carrier"
    BUSY = 4, "Busy"
    NO_DIAL_TONE = 5, "No Dial Tone"
    TIME_OUT = 6, "Time-out"
    DO_NOT_ACCEPT = 7, "Do Not Accept"


class IncomingCallResult(Code):
    """Incoming-Call-Reply (2.10)."""

    CONNECT = 1, "Connect"
    GENERAL_ERROR = 2, "General error"
    DO_NOT_ACCEPT = 3, "Do Not Accept"


class DisconnectResult(Code):
    """Call-Disconnect-Notify (2.13)."""

    LOST_CARRIER = 1, "Lost Carrier"
    GENERAL_ERROR = 2, "General error"
    ADMIN_SHUTDOWN = 3, "Admin Shutdown"
    REQUEST = 4, "Request"


class Cause(Code):
    """Cause Code of 2.8 and 2.13: for ISDN calls the Q.931 cause (ITU-T Q.850, table 1)."""

    NONE = 0, "None"
    UNALLOCATED_NUMBER = 1, "Unallocated number"
    NO_ROUTE_TO_TRANSIT_NETWORK = 2, "No route to specified transit network"
    NO_ROUTE_TO_DESTINATION = 3, "No route to destination"
    CHANNEL_UNACCEPTABLE = 6, "Channel unacceptable"
    CALL_AWARDED = 7, "Call awarded and being delivered in an established channel"
    NORMAL_CALL_CLEARING = 16, "Normal call clearing"
    USER_BUSY = 17, "User busy"
    NO_USER_RESPONDING = 18, "No user responding"
    NO_ANSWER = 19, "No answer from user"
    SUBSCRIBER_ABSENT = 20, "Subscriber absent"
    CALL_REJECTED = 21, "Call rejected"
    NUMBER_CHANGED = 22, "Number changed"
    NON_SELECTED_USER_CLEARING = 26, "Non-selected user clearing"
    DESTINATION_OUT_OF_ORDER = 27, "Destination out of order"
    INVALID_NUMBER_FORMAT = 28, "Invalid number format"
    FACILITY_REJECTED = 29, "Facility rejected"
    RESPONSE_TO_STATUS_ENQUIRY = 30, "Response to STATUS ENQUIRY"
    NORMAL_UNSPECIFIED = 31, "Normal, unspecified"
    NO_CHANNEL_AVAILABLE = 34, "No circuit/channel available"
    NETWORK_OUT_OF_ORDER = 38, "Network out of order"
    TEMPORARY_FAILURE = 41, "Temporary failure"
    SWITCHING_CONGESTION = 42, "Switching equipment congestion"
    ACCESS_INFORMATION_DISCARDED = 43, "Access information discarded"
    REQUESTED_CHANNEL_NOT_AVAILABLE = 44, "Requested circuit/channel not available"
    RESOURCE_UNAVAILABLE = 47, "Resource unavailable, unspecified"
    QUALITY_NOT_AVAILABLE = 49, "Quality of service not available"
    FACILITY_NOT_SUBSCRIBED = 50, "Requested facility not subscribed"
    BEARER_NOT_AUTHORIZED = 57, "Bearer capability not authorized"
    BEARER_NOT_AVAILABLE = 58, "Bearer capability not presently available"
    SERVICE_NOT_AVAILABLE = 63, "Service or option not available, unspecified"
    BEARER_NOT_IMPLEMENTED = 65, "Bearer capability not implemented"
    CHANNEL_TYPE_NOT_IMPLEMENTED = 66, "Channel type not implemented"
    FACILITY_NOT_IMPLEMENTED = 69, "Requested facility not implemented"
    RESTRICTED_DIGITAL_ONLY = 70, "Only restricted digital information is available"
    SERVICE_NOT_IMPLEMENTED = 79, "Service or option not implemented, unspecified"
    INVALID_CALL_REFERENCE = 81, "Invalid call reference value"
    CHANNEL_DOES_NOT_EXIST = 82, "Identified channel does not exist"
    OTHER_CALL_SUSPENDED = 83, "A suspended call exists, but this call identity does not"
    CALL_IDENTITY_IN_USE = 84, "Call identity in use"
    NO_CALL_SUSPENDED = 85, "No call suspended"
    CALL_IDENTITY_CLEARED = 86, "Call having the requested call identity has been cleared"
    INCOMPATIBLE_DESTINATION = 88, "Incompatible destination"
    INVALID_TRANSIT_NETWORK = 91, "Invalid transit network selection"
    INVALID_MESSAGE = 95, "Invalid message, unspecified"
    ELEMENT_MISSING = 96, "Mandatory information element is missing"
    MESSAGE_TYPE_UNKNOWN = 97, "Message type non-existent or not implemented"
    MESSAGE_TYPE_OR_STATE = 98, "Message not compatible with call state or not implemented"
    ELEMENT_UNKNOWN = 99, "Information element non-existent or not implemented"
    INVALID_ELEMENT_CONTENTS = 100, "Invalid information element contents"
    MESSAGE_NOT_COMPATIBLE = 101, "Message not compatible with call state"
    RECOVERY_ON_TIMER_EXPIRY = 102, "Recovery on timer expiry"
    PROTOCOL_ERROR = 111, "Protocol error, unspecified"
    INTERWORKING = 127, "Interworking, unspecified"


class Framing(IntFlag):
    """Framing Capabilities and Framing Type (2.1, 2.7, 2.11)."""

    ASYNCHRONOUS = 1
    SYNCHRONOUS = 2


class Bearer(IntFlag):
    """Bearer Capabilities and Bearer Type (2.1, 2.7, 2.9)."""

    ANALOG = 1
    DIGITAL = 2


def name_of(codes: type[Code], value: int) -> str:
    """The RFC's text for a code from the wire; its number where the RFC has none."""
    return next((code.text for code in codes if code == value), f"code {value}")
