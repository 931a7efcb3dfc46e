"""fastpptp: a PPTP headend with a dataplane of its own.

`fastpptp.pptp` and `fastpptp.ppp` are sans-IO and need no extension; `Dataplane`
is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastpptp.dataplane import Dataplane as Dataplane

__version__ = "0.1.0"
__all__ = ["Dataplane", "__version__", "get_include"]


def get_include() -> str:
    """The folder of fastpptp.h, for a C compiler's -I."""
    return str(Path(__file__).with_name("include"))


def __getattr__(name: str) -> Any:
    if name == "Dataplane":
        return import_module("fastpptp.dataplane").Dataplane
    raise AttributeError(f"module 'fastpptp' has no attribute {name!r}")
