"""Plots of the results, as SVG for the docs; needs matplotlib."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["plot_grants", "plot_scale"]


def _figure() -> tuple[Any, Any, Any]:
    importlib.import_module("matplotlib").use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    pyplot.rcParams.update({"svg.hashsalt": "ongage_async", "font.size": 9, "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(visible=True, which="major", alpha=0.3)
    return pyplot, figure, axes


def _save(pyplot: Any, figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def plot_grants(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw µs per grant over the number of waiters."""
    pyplot, figure, axes = _figure()
    for row in rows:
        name, points = next(iter(row.values())), list(row.items())[1:]
        counts = [int(column.split()[0].replace(",", "")) for column, _ in points]
        axes.plot(counts, [value["median"] for _, value in points], marker="o", markersize=3, label=name)
    axes.set(xlabel="waiters", ylabel="µs per grant")
    axes.legend(fontsize=7)
    _save(pyplot, figure, path)


def plot_scale(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw ledger commands a call and the median wait over the size of the fleet."""
    pyplot, figure, axes = _figure()
    sizes = [row["processes"] for row in rows]
    for column, style in (
        ("commands a call, saturated", "o-"),
        ("commands a call, at half load", "o--"),
        ("wait p50, s, saturated", "s-"),
        ("wait p99, s, at half load", "s--"),
    ):
        axes.plot(sizes, [max(0.01, row[column]) for row in rows], style, markersize=3, label=column)
    axes.set(xlabel="processes")
    axes.legend(fontsize=7)
    _save(pyplot, figure, path)
