"""How results look: a line a figure on the terminal, and benchmarks/RESULTS.md. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, Section


@dataclass(frozen=True, slots=True)
class Run:
    """What the whole file is about."""

    date: str
    command: str
    machine: Sequence[str]
    took_s: float
    is_quick: bool


def lines(section: Section) -> list[str]:
    """Return a section for the terminal."""
    return [section.title, *(f"  {_line(figure)}" for figure in section.figures)] + [
        f"  - {note}" for note in section.notes
    ]


def markdown(run: Run, sections: Iterable[Section]) -> str:
    """Return the results file."""
    parts = [
        "# Benchmark results",
        "",
        "Written by the run itself; do not edit. Every figure stands beside a floor that was taken",
        "in the same run, in alternating blocks: the same work by plain drivers, without our code.",
        "The ratio says how many times the floor's cost ours is; 1 is the floor itself. Absolute",
        "numbers belong to this machine, ratios travel better.",
        "",
        f"- date: {run.date}",
        f"- command: `{run.command}`",
        *(f"- {fact}" for fact in run.machine),
        f"- the run took {run.took_s:.0f} s",
    ]
    if run.is_quick:
        parts.append("- **quick run: too few samples for a p99; only good for trying things out**")
    for section in sections:
        parts += ["", *_section(section)]
    return "\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    rows = [
        f"## {section.title}",
        "",
        f"What for: {section.purpose}",
        "",
        f"How: {section.method}",
    ]
    if section.figures:
        rows += [
            "",
            "| figure | ours | floor | ratio | aim | met |",
            "| --- | ---: | ---: | ---: | --- | --- |",
            *(_row(figure) for figure in section.figures),
        ]
    if section.notes:
        rows += ["", *(f"- {note}" for note in section.notes)]
    return rows


def _row(figure: Figure) -> str:
    cells = (
        figure.name,
        _amount(figure.value, figure.unit),
        "" if figure.floor is None else _amount(figure.floor, figure.unit),
        _ratio(figure),
        figure.aim,
        _met(figure),
    )
    return "| " + " | ".join(cells) + " |"


def _line(figure: Figure) -> str:
    text = f"{figure.name}: {_amount(figure.value, figure.unit)}"
    if figure.floor is not None:
        text += f" (floor {_amount(figure.floor, figure.unit)}, ratio {_ratio(figure)})"
    if figure.aim:
        text += f"; aim {figure.aim}: {'met' if figure.is_met else 'MISSED'}"
    return text


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f}"


def _met(figure: Figure) -> str:
    return "" if figure.is_met is None else ("yes" if figure.is_met else "**no**")


def _amount(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if abs(value) >= 1_000 else f"{value:,.2f} {unit}"
