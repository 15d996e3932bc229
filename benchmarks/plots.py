"""Plots of the results, as SVG for the docs; needs matplotlib."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["plot_grants", "plot_growth", "plot_scale"]


def _figure(panels: int = 1) -> tuple[Any, Any, Any]:
    importlib.import_module("matplotlib").use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    pyplot.rcParams.update({"svg.hashsalt": "ongage_async", "font.size": 9, "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(1, panels, figsize=(7, 3.6), layout="constrained", squeeze=False)
    for each in axes.flat:
        each.set_xscale("log")
        each.set_yscale("log")
        each.grid(visible=True, which="major", alpha=0.3)
    return pyplot, figure, axes[0, 0] if panels == 1 else axes[0]


def _save(pyplot: Any, figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def plot_grants(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw µs per grant over the number of waiters."""
    pyplot, figure, axes = _figure()
    for row in rows:
        name = next(iter(row.values()))
        points = [(column, value) for column, value in row.items() if column.endswith("waiters")]
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


def plot_growth(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw what one call, watcher or row costs, and the memory of all, over how many there are."""
    pyplot, figure, (costs, memory) = _figure(2)
    for what in dict.fromkeys(row["what"] for row in rows):
        points = [row for row in rows if row["what"] == what]
        counts = [row["how many"] for row in points]
        costs.plot(counts, [row["processor, µs each"] for row in points], marker="o", markersize=3, label=what)
        memory.plot(counts, [max(0.1, row["memory over idle, MiB"]) for row in points], marker="o", markersize=3)
    costs.set(xlabel="how many", ylabel="processor, µs each")
    memory.set(xlabel="how many", ylabel="memory over idle, MiB")
    costs.legend(fontsize=7)
    _save(pyplot, figure, path)
