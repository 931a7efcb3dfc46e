"""The authentication methods: a word that configuration and PPP share, and that costs no PPP."""

from __future__ import annotations

from enum import Enum


class AuthMethod(Enum):
    """An authentication protocol; the value is the event log's word for it (PPP/8, PPP/9)."""

    PAP = "PAP"
    CHAP = "CHAP"
    MSCHAP_V1 = "MSCHAP-V1"
    MSCHAP_V2 = "MSCHAP-V2"
    EAP = "EAP"
