"""Settings for people: every attribute with its value and where that comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from fastpptp.cli.common import Environment, print_fields, shown
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.inherit import Resolved, Source
from fastpptp.settings.kinds import Plain
from fastpptp.settings.tree import Configuration, Values

HERE = "set here"


@dataclass(frozen=True, slots=True)
class Shown:
    """An attribute's value, and where it comes from: for programs and for people."""

    attribute: Attribute
    value: Plain
    source: str
    words: str

    @property
    def told(self) -> Plain:
        """The value for programs; a secret is masked."""
        return self.attribute.kind.told(self.value)

    @property
    def text(self) -> str:
        """The value in one line; empty where boxes tell it."""
        kind = self.attribute.kind
        return "" if kind.boxes(self.value) else shown(kind.shown(self.value))

    def lines(self, width: int) -> Iterator[tuple[str, str]]:
        """What a screen has of it: a line, or its label and a line for each of its boxes."""
        boxes = self.attribute.kind.boxes(self.value)
        yield (
            f"  {self.attribute.label}",
            "" if boxes else f"{self.text:<{width}}  ({self.words})",
        )
        for word, checked in boxes.items():
            yield f"    {word}", f"{'yes' if checked else 'no':<3}  ({self.words})"


def tree_of(env: Environment) -> Configuration:
    with env.store() as store:
        return store.tree()


def without_secrets(level: Level, raw: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as TOML has it, but for its password."""
    secret = {name for name, a in attributes.IDENTITY[level].items() if a.kind.secret}
    return {name: value for name, value in raw.items() if name not in secret}


def show_level(env: Environment, raw: Mapping[str, Any], resolved: Resolved, here: Source) -> None:
    """An entry of a level, as TOML has it: who it is, and what holds for it, tab by tab."""
    assert here.level is not None
    title = here.level.value.capitalize()
    labels = {n: a.label for n, a in attributes.IDENTITY[here.level].items() if not a.kind.secret}
    identity = {name: raw.get(name) for name in labels}
    tabs = {tab: list(_inherited(tab, resolved, here)) for tab in attributes.TABS}

    def human() -> None:
        named = {title: here.name} if here.name else {}
        print_fields(named | {labels[name]: value for name, value in identity.items()})
        _print_rows(tabs)

    name = {"name": here.name} if here.name else {}
    told = _plain(row for rows in tabs.values() for row in rows)
    env.answer({**name, **identity, "attributes": told}, human)


def _inherited(tab: str, resolved: Resolved, here: Source) -> Iterator[Shown]:
    for attribute in attributes.TABS[tab]:
        if here.level in attribute.levels:
            source = resolved.sources[attribute.name]
            value = attribute.kind.dump(resolved[attribute.name])
            words = HERE if source == here else source.words
            yield Shown(attribute, value, str(source), words)


@dataclass(frozen=True, slots=True)
class Layer:
    """Values that hold where no layer before has others: their source for programs and people."""

    source: str
    words: str
    values: Values


def set_here(own: Values) -> Layer:
    return Layer("set", HERE, own)


def show_values(
    env: Environment, title: str, declared: Mapping[str, Attribute], *layers: Layer
) -> None:
    """Settings of the whole headend: each from the first layer that has it, or its default."""
    defaults = Layer("default", "default", {name: a.default for name, a in declared.items()})
    rows = []
    for name, attribute in declared.items():
        layer = next(layer for layer in (*layers, defaults) if name in layer.values)
        rows.append(Shown(attribute, layer.values[name], layer.source, layer.words))
    env.answer(_plain(rows), lambda: _print_rows({title: rows}))


def _plain(rows: Iterable[Shown]) -> dict[str, Any]:
    return {row.attribute.name: {"value": row.told, "source": row.source} for row in rows}


def _print_rows(parts: Mapping[str, Sequence[Shown]]) -> None:
    width = max(len(row.text) for rows in parts.values() for row in rows)
    lines = {title: [line for row in rows for line in row.lines(width)]
             for title, rows in parts.items()}  # fmt: skip
    longest = max(len(label) for part in lines.values() for label, _ in part)
    for title, part in lines.items():
        click.echo(f"\n{title}")
        for label, told in part:
            click.echo(f"{label:<{longest}}  {told}".rstrip())
