"""Imports go only downwards, and sans-IO code stays sans-IO (docs/architecture.md, Layers)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.unit.source import MODULES, SOURCE, nodes

# Top to bottom. A unit may import units of its own row and of rows below.
ROWS = (
    ("__main__",),
    ("cli",),
    ("server", "client", "admin", "snmp"),
    ("backends", "recorder"),
    ("dataplane", "testing"),
    ("manager",),
    ("session",),
    ("effects",),
    ("aaa", "addresses"),
    ("store",),
    ("settings",),
    ("events", "trace"),
    ("ppp", "pptp", "dhcp"),
    (
        "ber", "bootstrap", "hexdump", "localtime", "methods", "obstacles", "ports", "process",
        "timers", "usm",
    ),
    ("errors",),
)  # fmt: skip
LEVEL = {unit: level for level, row in enumerate(ROWS) for unit in row}
SANS_IO = (
    "pptp", "ppp", "dhcp", "session", "manager", "effects", "aaa", "addresses", "events", "timers",
    "trace",
)  # fmt: skip
FORBIDDEN = {"asyncio", "socket", "threading", "time", "random", "select", "selectors", "aiohttp"}
STORE_USERS = {"backends", "admin", "cli", "server", "store"}


@dataclass(frozen=True)
class Import:
    """What a module of a unit imports."""

    module: str
    unit: str
    name: str

    @property
    def target(self) -> str | None:
        """The unit of ours that is imported, if it is one."""
        root, _, rest = self.name.partition(".")
        unit = rest.split(".")[0]
        return unit if root == "fastpptp" and unit not in ("", "__version__", "_core") else None

    def __str__(self) -> str:
        return f"{self.module} imports {self.name}"


def names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        if module == "fastpptp":
            yield from (f"{module}.{alias.name}" for alias in node.names)
        else:
            yield module


def unit_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imports() -> list[Import]:
    return [
        Import(str(path.relative_to(SOURCE)), unit_of(path), name)
        for path in MODULES
        if path != SOURCE / "__init__.py"  # loads the dataplane where it is asked for
        for node in nodes(path)
        for name in names(node)
    ]


def those(wrong: Callable[[Import], bool]) -> list[str]:
    return [str(found) for found in imports() if wrong(found)]


def test_every_unit_is_in_a_row() -> None:
    assert {unit_of(path) for path in MODULES} == {*LEVEL, "__init__"}


def test_imports_go_downwards() -> None:
    assert those(lambda i: i.target is not None and LEVEL[i.target] < LEVEL[i.unit]) == []


def test_imports_are_absolute() -> None:
    assert those(lambda i: i.name.startswith(".")) == []


def test_sans_io() -> None:
    assert those(lambda i: i.unit in SANS_IO and i.name.split(".")[0] in FORBIDDEN) == []


def test_only_the_adapters_open_the_store() -> None:
    assert those(lambda i: i.target == "store" and i.unit not in STORE_USERS) == []


def test_only_the_dataplane_imports_the_extension() -> None:
    assert those(lambda i: i.name == "fastpptp._core" and i.unit != "dataplane") == []
