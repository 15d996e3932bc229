"""The figures of the README: a few cells of the result files, so that no figure there is written by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import table

__all__ = ["headlines"]

Row = Mapping[str, Any]


def headlines(results: Path) -> str:
    """Return the README's table of figures, from the results that are there."""
    return table([row for make in (_limits, _call, _grant, _files, _memory, _start) for row in make(results)])


def _limits(results: Path) -> list[dict[str, str]]:
    rows = {row["limiter"]: row for row in _rows(results, "guarantee") if row.get("network") == "2 to 20 ms"}
    if not rows:
        return []
    ours, other = rows["governor"], rows["aiolimiter"]
    return [
        _line(
            f"worst window of an account with {ours['limit']} calls",
            f"{ours['worst window']} calls, {ours['refused by a strict server']} refused",
            f"aiolimiter: {other['worst window']} calls, {other['refused by a strict server']} refused",
        )
    ]


def _call(results: Path) -> list[dict[str, str]]:
    lines = []
    for what, shown in (
        ("contacts.get_by_email", "`contacts.get_by_email`"),
        ("contacts.create, 100 rows", "`contacts.create` of 100 rows"),
    ):
        rows = {row["by"]: row for row in _rows(results, "calls") if row["10 in parallel"] == what}
        if rows:
            ours, other = rows["ongage_async"], rows["what users write today"]
            here, there = (row["CPU, µs a call"]["median"] for row in (ours, other))
            lines.append(
                _line(
                    f"{shown}, processor time a call",
                    f"{here:,.0f} µs ({ours['of what users write today']:.2f} ×)",
                    f"httpx, a semaphore and aiolimiter: {there:,.0f} µs",
                )
            )
    return lines


def _grant(results: Path) -> list[dict[str, str]]:
    rows = {row["µs per grant"]: row for row in _rows(results, "grants")}
    if not rows:
        return []
    ours, other = rows["governor"], rows["aiolimiter"]
    few, many = "1 waiters", "100,000 waiters"
    return [
        _line(
            "a grant, rate and place together; the same with 100,000 waiting",
            f"{ours[few]['median']:.1f} µs; {ours[many]['median']:.0f} µs",
            f"aiolimiter and a semaphore: {other[few]['median']:.1f} µs; {other[many]['median']:.0f} µs",
        )
    ]


def _files(results: Path) -> list[dict[str, str]]:
    lines = []
    for name, kind, ours, other, what in (
        ("bulk", "CSV to ZIP", "ongage_async", "csv and zipfile, nothing checked", "a file, checked, to ZIP parts"),
        (
            "many",
            "CSV to JSON",
            "ongage_async, checked, merged and cut",
            "csv and json, nothing checked",
            "a file, checked, to calls of JSON",
        ),
    ):
        rows: dict[str, Row] = {}
        for row in _rows(results, name):
            rows.setdefault(row[kind], row)  # the first of each name is the one that was paired
        if rows:
            speed = [rows[each]["rows a second"]["median"] for each in (ours, other)]
            lines.append(
                _line(
                    what,
                    f"{speed[0]:,.0f} rows/s ({speed[0] / speed[1]:.2f} ×)",
                    f"{other}: {speed[1]:,.0f} rows/s",
                )
            )
    return lines


def _memory(results: Path) -> list[dict[str, str]]:
    rows = [row for row in _rows(results, "memory") if row["load"] == "imports.run" and not row["rejected"]]
    if not rows:
        return []
    told = ", ".join(f"{row['memory over idle, MiB']:.0f} MiB for {row['rows']:,} rows" for row in rows)
    return [_line("memory of a whole load, over the idle client", told, "")]


def _start(results: Path) -> list[dict[str, str]]:
    rows = {row["a process that runs"]: row for row in _rows(results, "start")}
    if not rows:
        return []
    column = "CPU, times the libraries"
    ready = next(row[column] for name, row in rows.items() if "OngageClient(" in name)
    times, wall_ms = rows["import ongage_async"][column], rows["ongage --help"]["wall, ms"]["median"]
    return [
        _line(
            "`import ongage_async`; until a client is made", f"{times:.2f} ×; {ready:.2f} × importing its libraries", ""
        ),
        _line("`ongage --help`", f"{wall_ms:,.0f} ms", ""),
    ]


def _line(what: str, ours: str, beside: str) -> dict[str, str]:
    return {"what": what, "here": ours, "beside it, in the same run": beside}


def _rows(results: Path, name: str) -> list[Row]:
    path = results / f"{name}.json"
    rows: list[Row] = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    return rows
