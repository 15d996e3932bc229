"""What an app shows of the account's budget: as JSON, as a page that draws it each second, and in one word of health.

The counts of the account are those of the ledger, so they hold for all workers, whichever of them answers. Waits and
refusals are the answering worker's own.
"""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import anyio
from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse, Response

from ongage_async.client import OngageClient
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError
from ongage_async.governor import Governor, GovernorStatistics, LedgerLostError

__all__ = ["as_json", "budget_routes"]

BINS = 60
"""In how many steps of a window the homecoming of tokens is told."""

LEDGER_S = 2.0
"""How long a look at the ledger may take before a worker counts as ill."""

UNCACHED = {"Cache-Control": "no-store"}


def as_json(seen: GovernorStatistics) -> dict[str, Any]:
    """Return the budget as the page reads it.

    Args:
        seen: What the governor tells.

    Returns:
        ``spent``: calls whose tokens are out; ``home``: how many of them come home in each sixtieth of a window from
        now; ``lanes``: who waits in all processes, and how this worker's callers fared.
    """
    limits = seen.limits
    return {
        "limits": {"calls": limits.calls, "per_s": limits.per_s, "parallel": limits.parallel},
        "calls_in_force": seen.calls_in_force,
        "spent": seen.calls_in_force - seen.tokens_free,
        "open": seen.open,
        "places_taken": limits.parallel - seen.places_free,
        "home": _binned(seen.tokens_home_s, limits.per_s / BINS),
        "hold_s": round(seen.hold_s, 1),
        "strikes": seen.strikes,
        "processes": seen.members,
        "ledger_lost": seen.ledger_lost,
        "worker": os.getpid(),
        "lanes": {
            lane.name: {
                "waiting": seen.waiting[lane],
                "granted": seen.lanes[lane].granted,
                "refused": seen.lanes[lane].refused,
                "wait_p50_s": round(seen.lanes[lane].wait_p50_s, 3),
                "wait_p99_s": round(seen.lanes[lane].wait_p99_s, 3),
            }
            for lane in Lane
        },
    }


def _binned(dates_s: Iterable[float], step_s: float) -> list[int]:
    """Count dates by steps from now; what comes after the last step is counted in it."""
    bins = [0] * BINS
    for date_s in dates_s:
        bins[min(BINS - 1, max(0, math.floor(date_s / step_s)))] += 1
    return bins


def budget_routes(client: Callable[[], OngageClient], prefix: str, dependencies: Sequence[Any]) -> APIRouter:
    """Return the routes ``budget``, ``budget.json`` and ``health``.

    Args:
        client: Returns this worker's client.
        prefix: Their path.
        dependencies: What guards the budget; whoever balances load asks for health without a password.
    """
    routes = APIRouter(prefix=prefix, include_in_schema=False)

    async def page() -> Response:
        return HTMLResponse(_page(), headers=UNCACHED)

    async def numbers() -> Response:
        try:
            seen = await client().governor.statistics()
        except LedgerLostError:
            return JSONResponse({"detail": "the shared ledger is lost"}, 503, headers=UNCACHED)
        return JSONResponse(as_json(seen), headers=UNCACHED)

    async def health() -> Response:
        status, word = await _health(client)
        return JSONResponse({"status": word}, status, headers=UNCACHED)

    routes.add_api_route("/budget", page, dependencies=list(dependencies))
    routes.add_api_route("/budget.json", numbers, dependencies=list(dependencies))
    routes.add_api_route("/health", health)
    return routes


async def _health(client: Callable[[], OngageClient]) -> tuple[int, str]:
    """Return a status and a word: 200 while calls go out, now or later; a pause is not the worker's illness."""
    try:
        governor: Governor = client().governor
        with anyio.fail_after(LEDGER_S):
            seen = await governor.statistics()
    except ConfigurationError:
        return 503, "closed"
    except (LedgerLostError, TimeoutError):
        return 503, "ledger lost"
    if seen.ledger_lost:
        return 200, "ledger lost, on a safe share"
    return 200, "paused" if seen.hold_s else "ok"


@cache
def _page() -> str:
    return files("ongage_async.integrations.fastapi").joinpath("budget.html").read_text("utf-8")
