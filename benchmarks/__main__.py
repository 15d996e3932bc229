"""Run the benchmarks: `python -m benchmarks [--tiny] [--into FOLDER] [NAME ...]`.

Results go to `benchmarks/results/NAME.json`, tables to `docs/benchmarks.md`, plots to `docs/img/`. With ``--tiny``
every benchmark runs for a moment, to see that it runs.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    bulk,
    calls,
    grants,
    growth,
    guarantee,
    many,
    memory,
    models,
    quota,
    scale,
    sharing,
    start,
    telemetry,
)
from benchmarks.page import write_page
from benchmarks.report import DOCS, RESULTS, save

BENCHMARKS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "guarantee": guarantee.run,
    "grants": grants.run,
    "sharing": sharing.run,
    "calls": calls.run,
    "scale": scale.run,
    "bulk": bulk.run,
    "memory": memory.run,
    "many": many.run,
    "quota": quota.run,
    "growth": growth.run,
    "models": models.run,
    "telemetry": telemetry.run,
    "start": start.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--tiny", action="store_true", help="a moment each, written nowhere unless --into says so")
    parser.add_argument("--into", type=Path, help="where results go, instead of benchmarks/results and docs")
    given = parser.parse_args()
    for name in given.names or BENCHMARKS:
        rows = BENCHMARKS[name](tiny=given.tiny)
        if given.into or not given.tiny:
            save(name, rows, given.into or RESULTS)
        if name == "grants":
            bytes_per_waiter = grants.memory_per_waiter(500 if given.tiny else 10_000)
            print(f"one waiter costs {bytes_per_waiter:,.0f} bytes beside its task")
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    if not given.tiny:
        write_page(given.into or RESULTS, given.into or DOCS)


if __name__ == "__main__":
    main()
