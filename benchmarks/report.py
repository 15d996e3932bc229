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


def median_and_spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, and the smallest and largest value as its spread."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def save(name: str, rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write one benchmark's rows, with what they were made on."""
    folder.mkdir(parents=True, exist_ok=True)
    made_on = {"cores": os.cpu_count(), "python": platform.python_version(), "versions": versions()}
    (folder / f"{name}.json").write_text(json.dumps({"made_on": made_on, "rows": list(rows)}, indent=1) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['median']:,.1f} ({value['least']:,.1f}–{value['most']:,.1f})"
    return f"{value:,.3g}" if isinstance(value, float) else str(value)
