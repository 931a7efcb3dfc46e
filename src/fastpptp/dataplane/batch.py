"""MPPE and enhanced GRE for whole batches in numpy arrays that the caller owns (docs/api.md)."""

from __future__ import annotations

from fastpptp._core import (
    GRE_ACKNOWLEDGED,
    GRE_BAD,
    GRE_BAD_LENGTH,
    GRE_BAD_VERSION,
    GRE_HEADER,
    GRE_OK,
    GRE_SEQUENCED,
    MPPE_LATE,
    MPPE_MALFORMED,
    MPPE_OK,
    MPPE_OUT_OF_STEP,
    MPPE_STATE,
    Mppe,
    gre_decap_batch,
    gre_encap_batch,
    mppe_states,
)

__all__ = [
    "GRE_ACKNOWLEDGED",
    "GRE_BAD",
    "GRE_BAD_LENGTH",
    "GRE_BAD_VERSION",
    "GRE_HEADER",
    "GRE_OK",
    "GRE_SEQUENCED",
    "MPPE_LATE",
    "MPPE_MALFORMED",
    "MPPE_OK",
    "MPPE_OUT_OF_STEP",
    "MPPE_STATE",
    "Mppe",
    "gre_decap_batch",
    "gre_encap_batch",
    "mppe_states",
]
