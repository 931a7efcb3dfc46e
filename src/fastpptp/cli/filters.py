"""fastpptp filter: Configuration | Policy Management | Traffic Management | Filters and Rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from fastpptp.cli.common import Environment, environment, octets, print_fields, print_table
from fastpptp.cli.edit import RESET, Editor, attribute_options, editing, given, names
from fastpptp.cli.show import tree_of
from fastpptp.errors import FastpptpError
from fastpptp.settings import attributes
from fastpptp.settings.draft import known
from fastpptp.settings.filters import DEFAULT_ACTION, rule_text
from fastpptp.settings.tree import FilterEntry
from fastpptp.settings.writing import write_filter

Counts = Mapping[str, Any]

NAME = click.argument("name")
RULE = click.argument("rule_name", metavar="RULE")
RULE_OPTIONS = {n: a for n, a in attributes.RULE_ATTRIBUTES.items() if n != "name"}
COLUMNS = ("Place", "Rule", "Packets", "Octets")
UNJUDGED = "Fragments, short headers and source routes, dropped"


@click.group("filter")
def filter_() -> None:
    """Traffic filters: add, list, show, set, delete, and their rules."""


@filter_.command()
@NAME
@attribute_options(attributes.FILTER_ATTRIBUTES)
@editing
def add(edit: Editor, name: str, **values: Any) -> None:
    """Add the filter NAME, without rules yet."""
    edit(lambda draft: draft.add_filter(name, given(values)), f"Filter {name} added.")


@filter_.command("set")
@NAME
@RESET
@attribute_options(attributes.FILTER_ATTRIBUTES)
@editing
def set_(edit: Editor, name: str, reset: tuple[str, ...], **values: Any) -> None:
    """Change the filter NAME."""
    edit(
        lambda draft: draft.set_filter(name, given(values), names(reset)), f"Filter {name} changed."
    )


@filter_.command()
@NAME
@editing
def delete(edit: Editor, name: str) -> None:
    """Delete the filter NAME, which no group or user has."""
    edit(lambda draft: draft.delete_filter(name), f"Filter {name} deleted.")


@filter_.command("list")
@environment
def list_(env: Environment) -> None:
    """List the filters."""
    filters = tree_of(env).filters
    data = [{"name": name, **write_filter(entry)} for name, entry in filters.items()]
    rows = [
        (name, len(entry.rules), _own(entry)["default_action"], _own(entry)["description"])
        for name, entry in filters.items()
    ]
    columns = ("Filter", "Rules", "Default Action", "Description")
    env.answer(data, lambda: print_table(columns, rows, right=("Rules",)))


def _own(entry: FilterEntry) -> dict[str, Any]:
    declared = attributes.FILTER_ATTRIBUTES
    return {name: entry.attributes.get(name, a.default) for name, a in declared.items()}


@filter_.command()
@NAME
@environment
def show(env: Environment, name: str) -> None:
    """Show the filter NAME, and what each of its rules has counted in a running headend."""
    entry = known(f"filters.{name}", name, tree_of(env).filters)
    counts = _counts(env, name)
    own = _own(entry)
    data = {"name": name, **own, "rules": list(map(dict, entry.rules)), "counts": counts}

    def human() -> None:
        labels = {n: a.label for n, a in attributes.FILTER_ATTRIBUTES.items()}
        print_fields({"Filter": name} | {labels[key]: value for key, value in own.items()})
        print_table(COLUMNS, _rows(entry, counts), right=("Place", "Packets", "Octets"))

    env.answer(data, human)


def _counts(env: Environment, name: str) -> Counts | None:
    """None where no headend runs, or one that does not follow this filter."""
    try:
        return env.headend().filter_counts(name)
    except FastpptpError:
        return None


def _rows(entry: FilterEntry, counts: Counts | None) -> list[Sequence[object]]:
    rules: Mapping[str, Any] = counts["rules"] if counts else {}
    rows: list[Sequence[object]] = [
        (place, rule_text(rule), *_counted(rules.get(str(rule["name"]))))
        for place, rule in enumerate(entry.rules, 1)
    ]
    default = f"{DEFAULT_ACTION}: {_own(entry)['default_action']}"
    rows.append(("", default, *_counted(counts["default"] if counts else None)))
    rows.append(("", UNJUDGED, *_counted(counts["unjudged"] if counts else None)))
    return rows


def _counted(found: Sequence[int] | None) -> tuple[object, object]:
    return ("-", "-") if not found else (found[0], octets(found[1]))


# Rules.


@filter_.group()
def rule() -> None:
    """The rules of a filter, in their order: add, set, move, delete."""


@rule.command("add")
@NAME
@RULE
@click.option("--place", type=click.IntRange(1), help="Where it stands, 1 = first. Default: last.")
@attribute_options(RULE_OPTIONS)
@editing
def rule_add(edit: Editor, name: str, rule_name: str, place: int | None, **values: Any) -> None:
    """Add the rule RULE to the filter NAME."""
    wanted = {"name": rule_name, **given(values)}
    edit(lambda draft: draft.add_rule(name, wanted, place), f"Rule {rule_name} added.")


@rule.command("set")
@NAME
@RULE
@RESET
@attribute_options(RULE_OPTIONS)
@editing
def rule_set(
    edit: Editor, name: str, rule_name: str, reset: tuple[str, ...], **values: Any
) -> None:
    """Change the rule RULE of the filter NAME."""
    edit(
        lambda draft: draft.set_rule(name, rule_name, given(values), names(reset)),
        f"Rule {rule_name} changed.",
    )


@rule.command("move")
@NAME
@RULE
@click.argument("place", type=click.IntRange(1))
@editing
def rule_move(edit: Editor, name: str, rule_name: str, place: int) -> None:
    """Move the rule RULE of the filter NAME to PLACE, 1 = first."""
    done = f"Rule {rule_name} moved to place {place}."
    edit(lambda draft: draft.move_rule(name, rule_name, place), done)


@rule.command("delete")
@NAME
@RULE
@editing
def rule_delete(edit: Editor, name: str, rule_name: str) -> None:
    """Delete the rule RULE of the filter NAME."""
    edit(lambda draft: draft.delete_rule(name, rule_name), f"Rule {rule_name} deleted.")
