"""Where figures go: JSON files beside the code, and one page of tables made from them."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import versions

__all__ = ["DOCS", "RESULTS", "median_and_spread", "save", "table"]

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parent.parent / "docs"

WIDEST = 12
"""Columns that a page has room for."""


def median_and_spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, and the smallest and largest value as its spread."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def save(name: str, rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write one benchmark's rows, with what they were made on."""
    folder.mkdir(parents=True, exist_ok=True)
    made_on = {"cores": os.cpu_count(), "python": platform.python_version(), "versions": versions()}
    (folder / f"{name}.json").write_text(json.dumps({"made_on": made_on, "rows": list(rows)}, indent=1) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a Markdown table; one that is too wide for a page is turned on its side."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if len(columns) > WIDEST:
        name, *measures = columns
        return table([{name: what, **{row[name]: row.get(what) for row in rows}} for what in measures])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        digits = 0 if abs(value["median"]) >= 1000 else 1
        median, least, most = (f"{value[what]:,.{digits}f}" for what in ("median", "least", "most"))
        return f"{median} ({least}–{most})"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
