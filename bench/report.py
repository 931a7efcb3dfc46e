"""Markdown and plots from a run, with the paragraphs of notes.md where they belong."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.rows import Row, Run

# Data-sheet figures of the VPN 3000 series: sessions, encrypted throughput in Mbit/s.
VPN3000 = {"3005, 3015": (100, 4), "3030": (1_500, 50), "3060": (5_000, 100), "3080": (10_000, 100)}

# Paragraphs under headings: a section's name, or a pattern for the names of rows that fall short.
NOTES = Path(__file__).with_name("notes.md")
VERDICTS = {True: "met", False: "short", None: ""}


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line(row: Row) -> str:
    cells = (row.name, figure(row), against(row), row.target, VERDICTS[row.met], row.note)
    return "| " + " | ".join(cells) + " |"


def figure(row: Row) -> str:
    return f"{number(row.figure)} {row.unit}"


def against(row: Row) -> str:
    return f"{row.ratio:.2f}x {row.baseline}" if row.ratio is not None else row.baseline


def targets(rows: list[Row]) -> list[str]:
    """Every row that has a target, in one table."""
    found = [row for row in rows if row.target]
    if not found:
        return []
    met = sum(row.met is True for row in found)
    text = [f"## Beside their targets: {met} of {len(found)} met", ""]
    text += ["| section | what | median | against | target | |", "|---|---|---|---|---|---|"]
    for row in found:
        cells = (row.section, row.name, figure(row), against(row), row.target, VERDICTS[row.met])
        text.append("| " + " | ".join(cells) + " |")
    return [*text, ""]


def read_notes(text: str) -> dict[str, str]:
    """Paragraphs by their `## ` headings."""
    parts = (part.partition("\n") for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:])
    return {heading.strip(): body.strip() for heading, _, body in parts}


def shortfalls(rows: list[Row], notes: dict[str, str]) -> list[str]:
    """The rows that fall short, with what is known of why."""
    short = [row for row in rows if row.met is False]
    if not short:
        return []
    text = ["## Rows that fall short", ""]
    told = {row.name: _pattern(row.name, notes) for row in short}
    for pattern in dict.fromkeys(told.values()):
        names = "; ".join(name for name, found in told.items() if found == pattern)
        text += [f"*{names}*: {notes.get(pattern, 'nothing is written about it yet.')}", ""]
    return text


def _pattern(name: str, notes: dict[str, str]) -> str:
    """The heading that a row's name matches first, or nothing."""
    return next((pattern for pattern in notes if fnmatchcase(name, pattern)), "")


def table(rows: list[Row]) -> list[str]:
    head = ["| what | median | against | target | | note |", "|---|---|---|---|---|---|"]
    return head + [line(row) for row in rows]


def _amount(figure: float, unit: str) -> str:
    return f"{figure:,.0f} {unit}" if figure else f"{unit} not measured"


def _times(figure: float, limit: float) -> str:
    ratio = figure / limit
    return "" if not figure else f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def against_vpn3000(run: Run) -> list[str]:
    """The reference's limits beside our sessions and encrypted throughput, if there are any."""
    sessions = max((r.figure for r in run.rows if r.unit == "sessions"), default=0)
    encrypted = (r.figure for r in run.rows if r.unit == "Mbit/s" and r.name.startswith("MPPE"))
    speed = max(encrypted, default=0)
    if not sessions and not speed:
        return []
    text = ["## Beside the VPN 3000 series", ""]
    text.append(f"Ours in this run: {_amount(sessions, 'sessions')}, {_amount(speed, 'Mbit/s')}.")
    text += ["", "| model | sessions | ours | encrypted Mbit/s | ours |", "|---|---|---|---|---|"]
    for model, (limit, megabits) in VPN3000.items():
        held, carried = _times(sessions, limit), _times(speed, megabits)
        text.append(f"| {model} | {limit:,} | {held} | {megabits} | {carried} |")
    return [*text, ""]


def markdown(run: Run, plots: list[str], notes: dict[str, str]) -> str:
    text = ["# Bench report", ""]
    text += [f"- {key}: {value}" for key, value in run.machine.items()]
    text += [
        "",
        "Figures are medians; ratios are to a baseline of the same run.",
        "",
    ]
    text += [*targets(run.rows), *shortfalls(run.rows, notes)]
    for section, rows in groupby(run.rows, key=lambda row: row.section):
        text += [f"## {section}", "", *table(list(rows)), ""]
        for told in (notes, run.notes):
            text += [told[section], ""] if section in told else []
    text += against_vpn3000(run)
    text += [f"![{name}]({name})" for name in plots]
    return "\n".join(text) + "\n"


def plot(run: Run, folder: Path, stem: str) -> list[str]:
    """A chart of each section that has ratios; returns the files' names."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = stem
    from matplotlib import pyplot

    names = []
    for section, group in groupby(run.rows, key=lambda row: row.section):
        rows = [row for row in group if row.ratio is not None]
        if not rows:
            continue
        curves = _curves(rows)
        figure, axes = pyplot.subplots(figsize=(9, 5 if curves else 0.45 * len(rows) + 1.2))
        if curves:
            _draw_curves(axes, curves, rows[0].unit)
        else:
            _draw_bars(axes, rows)
        axes.set_title(section)
        figure.tight_layout()
        name = f"{stem}-{'-'.join(re.findall('[a-z0-9]+', section.lower().partition(',')[0]))}.svg"
        figure.savefig(folder / name, metadata={"Date": None})
        pyplot.close(figure)
        names.append(name)
    return names


def _curves(rows: list[Row]) -> dict[str, list[tuple[int, float]]]:
    """Name: points (calls, figure), where all rows are called `NAME, 1,000 calls`; or nothing."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        match = re.fullmatch(r"(.*), ([\d,]+) calls", row.name)
        if match is None:
            return {}
        curves.setdefault(match[1], []).append((int(match[2].replace(",", "")), row.figure))
    return curves


def _draw_curves(axes: Any, curves: dict[str, list[tuple[int, float]]], unit: str) -> None:
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("calls")
    axes.set_ylabel(unit)
    axes.legend()


def _draw_bars(axes: Any, rows: list[Row]) -> None:
    axes.barh([row.name for row in rows], [row.ratio or 0 for row in rows])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("ratio to the baseline")


def write(run: Run, folder: Path, stem: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    run.save(folder / f"{stem}.json")
    path = folder / f"{stem}.md"
    path.write_text(markdown(run, plot(run, folder, stem), read_notes(NOTES.read_text())))
    return path
