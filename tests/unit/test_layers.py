"""Imports go only downwards, and sans-IO code stays sans-IO (docs/architecture.md, Layers)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "fastpptp"

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


def unit_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= (
                {f"{module}.{alias.name}" for alias in node.names}
                if module == "fastpptp"
                else {module}
            )
    return found


MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_downwards(path: Path) -> None:
    unit = unit_of(path)
    assert unit in LEVEL, f"{unit} is in no row of the layer table"
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root == "fastpptp" and rest:
            target = rest.split(".")[0]
            if target in ("__version__", "_core"):
                continue
            assert LEVEL[target] >= LEVEL[unit], f"{unit} imports {target}, which lies above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_sans_io(path: Path) -> None:
    if unit_of(path) in SANS_IO:
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & FORBIDDEN


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_the_adapters_open_the_store(path: Path) -> None:
    if unit_of(path) not in STORE_USERS:
        assert not any(name.startswith("fastpptp.store") for name in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_the_dataplane_imports_the_extension(path: Path) -> None:
    if unit_of(path) != "dataplane":
        assert "fastpptp._core" not in imports(path)
