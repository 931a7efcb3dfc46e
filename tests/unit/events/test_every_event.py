"""Every event of the catalogue is raised somewhere in the source, and none that is not in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from fastpptp.events.catalogue import CLASSES, EVENTS
from tests.unit.source import MODULES, SOURCE, nodes, tree

FAULTS = SOURCE / "manager" / "faults.py"

# What makes an event: the places of class and number among the positional arguments.
OCCUR = "occur"


@dataclass(frozen=True)
class Maker:
    """A function that makes an event of what it is given, or of a class or number of its own.

    `cls` and `number` are the places of its parameters, or values; `coded` is whether it adds a
    cause by itself or hands on any keyword.
    """

    cls: int | frozenset[str]
    number: int | frozenset[int]
    coded: bool = False


@dataclass(frozen=True)
class Raised:
    cls: str
    number: int
    coded: bool
    where: str


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def parameters(function: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in function.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) and _is_method(function) else names


def _is_method(function: ast.FunctionDef) -> bool:
    static = any(getattr(d, "id", "") == "staticmethod" for d in function.decorator_list)
    return not static and function.args.args[0].arg == "self"


class Values:
    """What an expression can be, by the constants and tables of its module."""

    def __init__(self, module: ast.Module) -> None:
        self._names: dict[str, ast.expr] = {}
        for node in module.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._names[node.targets[0].id] = node.value
            elif (
                isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
            ):
                self._names[node.target.id] = node.value
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imported = _constant(node.module, alias.name)
                    if imported is not None:
                        self._names[alias.asname or alias.name] = imported

    def of(self, node: ast.expr) -> frozenset[object]:
        if isinstance(node, ast.Constant):
            return frozenset({node.value})
        if isinstance(node, ast.IfExp):
            return self.of(node.body) | self.of(node.orelse)
        if isinstance(node, ast.Name) and node.id in self._names:
            return self.of(self._names[node.id])
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            table = self._names.get(node.value.id)
            return frozenset(
                value
                for found in ast.walk(table or ast.Constant(None))
                if isinstance(found, ast.Dict)
                for item in found.values
                for value in self.of(item)
            )
        return frozenset()


def _constant(module: str | None, name: str) -> ast.expr | None:
    """A module-level constant of one of our modules."""
    path = SOURCE.parent.joinpath(*(module or "").split(".")).with_suffix(".py")
    return _assigned(path).get(name) if path in MODULES else None


@cache
def _assigned(path: Path) -> dict[str, ast.expr]:
    return {
        node.targets[0].id: node.value
        for node in tree(path).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


@cache
def values_of(path: Path) -> Values:
    return Values(tree(path))


def calls() -> list[tuple[ast.FunctionDef, list[ast.Call], Values]]:
    """Each function, and the calls in it."""
    return [
        (function, [node for node in ast.walk(function) if isinstance(node, ast.Call)], values)
        for path in MODULES
        for values in (values_of(path),)
        for function in nodes(path)
        if isinstance(function, ast.FunctionDef) and function.name != OCCUR
    ]


def makers() -> dict[str, list[Maker]]:
    """occur, and every function that hands a class or a number on to a maker; to a fixed point."""
    known: dict[str, list[Maker]] = {OCCUR: [Maker(0, 1)]}
    everywhere = calls()
    before = -1
    while before != (before := sum(map(len, known.values()))):
        for function, made, values in everywhere:
            names = parameters(function)
            for found in _handed_on(made, names, values, known):
                entries = known.setdefault(function.name, [])
                if found not in entries:
                    entries.append(found)
    return known


def _handed_on(
    made: list[ast.Call], names: list[str], values: Values, known: dict[str, list[Maker]]
) -> Iterator[Maker]:
    for node in made:
        for maker in known.get(called(node), ()):
            places = [_given(node, maker.cls), _given(node, maker.number)]
            parts = [_part(place, names, values) for place in places]
            if None not in parts and any(isinstance(part, int) for part in parts):
                spread = any(keyword.arg in (None, "code") for keyword in node.keywords)
                yield Maker(parts[0], parts[1], spread or maker.coded)  # type: ignore[arg-type]


def _given(node: ast.Call, place: int | frozenset[object]) -> ast.expr | frozenset[object] | None:
    if not isinstance(place, int):
        return place
    return node.args[place] if place < len(node.args) else None


def _part(
    given: ast.expr | frozenset[object] | None, names: list[str], values: Values
) -> int | frozenset[object] | None:
    if given is None or isinstance(given, frozenset):
        return given
    if isinstance(given, ast.Name) and given.id in names:
        return names.index(given.id)
    return values.of(given) or None


@cache
def raised() -> list[Raised]:
    return list(_raised())


def _raised() -> Iterator[Raised]:
    known = makers()
    for path in MODULES:
        values = values_of(path)
        for node in nodes(path):
            for maker in known.get(called(node), ()) if isinstance(node, ast.Call) else ():
                yield from _events(path, node, maker, values)
            if isinstance(node, ast.Tuple):
                yield from _message(path, node)


def _message(path: Path, node: ast.Tuple) -> Iterator[Raised]:
    """The recorder's process says class, number and fields; the headend makes the event. A fault of
    the field is its event's class and number.
    """
    parts = 2 if path == FAULTS else 3
    first = [part.value for part in node.elts[:2] if isinstance(part, ast.Constant)]
    if len(node.elts) == parts and len(first) == 2 and first[0] in CLASSES:
        yield Raised(first[0], first[1], False, f"{path.relative_to(SOURCE)}:{node.lineno}")


def _events(path: Path, node: ast.Call, maker: Maker, values: Values) -> Iterator[Raised]:
    parts = [_part(_given(node, place), [], values) for place in (maker.cls, maker.number)]
    if not all(isinstance(part, frozenset) for part in parts):
        return
    coded = maker.coded or any(keyword.arg in (None, "code") for keyword in node.keywords)
    where = f"{path.relative_to(SOURCE)}:{node.lineno}"
    for cls in parts[0]:  # type: ignore[union-attr]
        for number in parts[1]:  # type: ignore[union-attr]
            # By name alone another's method may look like one that makes events.
            known = cls in CLASSES or (called(node) == OCCUR and isinstance(cls, str))
            if known and isinstance(number, int):
                yield Raised(cls, number, coded, where)


@pytest.mark.parametrize(("cls", "number"), EVENTS)
def test_it_is_raised(cls: str, number: int) -> None:
    assert any((found.cls, found.number) == (cls, number) for found in raised())


def test_nothing_else_is_raised() -> None:
    assert [found for found in raised() if (found.cls, found.number) not in EVENTS] == []


def test_what_is_caused_comes_with_its_cause() -> None:
    caused = [
        found
        for found in raised()
        if (kind := EVENTS.get((found.cls, found.number))) and kind.caused
    ]
    assert caused
    assert [found for found in caused if not found.coded] == []


def test_it_finds_what_it_looks_for() -> None:
    """By a literal, by a constant, out of a table, and by way of functions that hand on."""
    where = {(found.cls, found.number, found.where.partition(":")[0]) for found in raised()}
    assert ("PPTP", 47, "manager/tunnels.py") in where
    assert ("PPTP", 104, "manager/admission.py") in where
    assert ("PPP", 6, "manager/headend.py") in where
    assert ("DHCP", 102, "addresses/dhcp.py") in where
    assert ("PPTP", 114, "manager/faults.py") in where
    assert ("PPPDECODE", 103, "manager/decoding.py") in where
