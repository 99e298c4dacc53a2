"""Tables that sort without a network: HTML from rows of cells.

Owns the mark-up and the escaping; what stands in a cell is the page's. Called by `page`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """Text with the number it sorts by; a number stands on the right."""

    text: str
    value: float | None = None
    is_number: bool = False
    css: str = ""


@dataclass(frozen=True)
class Column:
    """A heading, and whether numbers stand below it."""

    name: str
    is_number: bool = False


def text(value: str, css: str = "") -> Cell:
    """Return words."""
    return Cell(value, css=css)


def number(value: float | None, form: str = ",.0f", css: str = "") -> Cell:
    """Return a number as formatted, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return Cell("–", math.nan, is_number=True, css=css)
    return Cell(format(value, form).replace("-", "−"), value, is_number=True, css=css)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    """Return the table; every heading is a button that sorts."""
    head = "".join(
        f'<th scope="col"{" class=n" if column.is_number else ""}>'
        f'<button type="button">{escape(column.name)}</button></th>'
        for column in columns
    )
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    classes = " ".join(name for name in ("n" if cell.is_number else "", cell.css) if name)
    css = f' class="{classes}"' if classes else ""
    value = f' data-value="{cell.value!r}"' if cell.is_number else ""
    return f"<td{css}{value}>{escape(cell.text)}</td>"
