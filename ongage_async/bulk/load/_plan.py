"""Say what a load will be like before anything is sent: its rows, its road, its calls, its end.

A plan reads and checks the whole source as a run does, into a private directory that goes with it; what the vendor and
the account are asked is what the run would ask. `imports.plan` is the caller; the acting out is `_forecast.py`'s.
"""

import datetime as dt
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import anyio
from attrs import asdict, field, frozen

from ongage_async.bulk._ports import ListFields, Lists, Phase, Progress, ProgressListener
from ongage_async.bulk.check._clean import Tally
from ongage_async.bulk.load._forecast import Forecast, Pace, foretell_calls, foretell_imports
from ongage_async.bulk.load._passage import private_directory
from ongage_async.bulk.load._prepare import Desk, Order, at_hand, prepare
from ongage_async.bulk.load._road import CALLS, IMPORT, choose_road
from ongage_async.config import Lane
from ongage_async.errors import mask

__all__ = ["Budget", "Plan", "plan"]

Road = Literal["none", "calls", "import"]
ASSUMED_CALL_S = 0.3
"""Seconds of a call, where none was measured."""
_PACE = Pace()


class Budget(Protocol):
    """The account's budget as it is now (`Governor`)."""

    async def eta(self, lane: Lane = Lane.NORMAL, calls: int = 1) -> float:
        """Foretell in how many seconds the last of `calls` new calls could be granted."""
        ...


@frozen(kw_only=True)
class Plan:
    """Tell what a load will be like.

    Attributes:
        source: Name of the source.
        rows_read: Its records, without header and blank lines.
        rows_good: Rows that will be sent.
        rows_rejected: Reason → rows that will go to the side file.
        duplicates: Good rows whose address had come before.
        mapping: (column of the source, field of the list) of each column that will be sent.
        unknown_columns: Columns that the list lacks.
        parts: Rows of each part.
        size_bytes: Bytes that the vendor will fetch.
        concurrent: Parts that will be under way at once.
        road: ``import``, ``calls`` (of up to 100 contacts), or ``none``: there is no good row.
        why: Why this road.
        calls: Operation → calls that the road will cost.
        elapsed_s: Seconds that it will take from now, at the account's present budget.
        roads: Road → forecast of each that could be taken.
        pace: How fast the vendor is taken to be.
        planned_at: When this was found out; aware, UTC.
    """

    source: str = field(converter=mask)
    rows_read: int
    rows_good: int
    rows_rejected: Mapping[str, int]
    duplicates: int
    mapping: tuple[tuple[str, str], ...]
    unknown_columns: tuple[str, ...]
    parts: tuple[int, ...]
    size_bytes: int
    concurrent: int
    road: Road
    why: str
    calls: Mapping[str, int]
    elapsed_s: float
    roads: Mapping[str, Forecast]
    pace: Pace
    planned_at: dt.datetime = field(factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def calls_total(self) -> int:
        """All calls together."""
        return sum(self.calls.values())

    @property
    def done_at(self) -> dt.datetime:
        """When it will be over if it begins when it was planned."""
        return self.planned_at + dt.timedelta(seconds=self.elapsed_s)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = asdict(self) | {"planned_at": self.planned_at.isoformat(), "done_at": self.done_at.isoformat()}
        return plain | {"elapsed_s": round(self.elapsed_s, 1), "calls_total": self.calls_total}

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        return "\n".join((*_row_lines(self), *_road_lines(self)))


async def plan(
    order: Order,
    list_fields: ListFields,
    lists: Lists | None = None,
    *,
    budget: Budget | None = None,
    pace: Pace = _PACE,
    interval_s: float | None = None,
    progress: ProgressListener | None = None,
    work_dir: Path | None = None,
    count_calls: Callable[[], int] = lambda: 0,
) -> Plan:
    """Read the source and foretell its load; nothing is sent but questions about the list.

    Args:
        order: What is to be loaded.
        list_fields: The fields of its lists.
        lists: The lists, for the number of imports that one takes at once; None: one.
        budget: The account's budget; None: nothing is in the way.
        pace: How fast the vendor is.
        interval_s: Seconds between two looks at an import, as the run will have it.
        progress: Called on the event loop as it goes on.
        work_dir: Where the temporary directory is made.
        count_calls: Returns how many API calls were made so far.

    Raises:
        CSVError: The source cannot be used.
    """
    desk = Desk(list_fields, lists, order.list_id)

    def tell(phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        if progress is not None:
            progress(Progress(phase, done, total, unit, detail))

    began_s, calls_before = anyio.current_time(), count_calls()
    async with private_directory(work_dir) as directory:
        async with at_hand(order, work_dir) as (order_at_hand, _):
            cleaner, tally = await prepare(order_at_hand, desk, directory, directory / "rejected.csv", tell)
        concurrent = await desk.concurrent() if len(tally.parts) > 1 else 1
    asked = count_calls() - calls_before
    before = Forecast(calls={"about the list": asked}, elapsed_s=anyio.current_time() - began_s)
    roads = await _roads(tally, concurrent, pace, interval_s, before, budget, call_s=desk.call_s or ASSUMED_CALL_S)
    road, why = choose_road(order, tally.rows_clean)
    chosen = roads.get(road, before)
    return Plan(
        source=cleaner.name,
        rows_read=tally.rows_read,
        rows_good=tally.rows_clean,
        rows_rejected=dict(tally.rejected),
        duplicates=tally.duplicates,
        mapping=tuple(tally.mapping),
        unknown_columns=tally.unknown_columns,
        parts=tuple(part.rows for part in tally.parts),
        size_bytes=sum(part.size_bytes for part in tally.parts),
        concurrent=concurrent,
        road=road,
        why=why,
        calls=chosen.calls,
        elapsed_s=chosen.elapsed_s,
        roads=roads,
        pace=pace,
    )


async def _roads(
    tally: Tally,
    concurrent: int,
    pace: Pace,
    interval_s: float | None,
    before: Forecast,
    budget: Budget | None,
    *,
    call_s: float,
) -> dict[str, Forecast]:
    if not tally.rows_clean:
        return {}
    call_s = call_s if pace.call_s is None else pace.call_s
    rows = [part.rows for part in tally.parts]
    roads = {
        CALLS: foretell_calls(tally.rows_clean, call_s=call_s, parallel=4),
        IMPORT: foretell_imports(rows, concurrent=concurrent, pace=pace, call_s=call_s, interval_s=interval_s),
    }
    eta = budget.eta if budget is not None else _at_once
    return {name: await _in_budget(road, before, eta) for name, road in roads.items()}


async def _at_once(lane: Lane, calls: int) -> float:  # noqa: ARG001
    return 0.0


async def _in_budget(road: Forecast, before: Forecast, eta: Callable[[Lane, int], Awaitable[float]]) -> Forecast:
    """Add what comes first, and what the account's budget makes of it."""
    elapsed_s = max(await eta(Lane.NORMAL, 1) + road.elapsed_s, await eta(Lane.BULK, road.calls_total))
    return Forecast(calls=before.calls | road.calls, elapsed_s=before.elapsed_s + elapsed_s)


def _row_lines(plan: Plan) -> list[str]:
    rejected = sum(plan.rows_rejected.values())
    sum_of = f"{plan.rows_good:,} good + {rejected:,} bad + {plan.duplicates:,} duplicates"
    lines = [f"{plan.source}: {plan.rows_read:,} rows = {sum_of}"]
    lines += [f"  {count:>9,}  {reason}" for reason, count in sorted(plan.rows_rejected.items(), key=lambda r: -r[1])]
    lines.append("Columns: " + ", ".join(c if c == f else f"{c} → {f}" for c, f in plan.mapping))
    if plan.unknown_columns:
        lines.append(f"Columns that the list lacks, left out: {', '.join(map(mask, plan.unknown_columns))}")
    return lines


def _road_lines(plan: Plan) -> list[str]:
    if plan.road == "none":
        return ["Nothing would be sent: there is no good row"]
    parts = "1 part" if len(plan.parts) == 1 else f"{len(plan.parts)} parts, {plan.concurrent} at a time"
    told = ", ".join(f"{count} {name}" for name, count in plan.calls.items() if count)
    lines = [f"Road: {plan.road} ({plan.why})"]
    if plan.road == "import":
        lines.append(f"{parts}, {plan.size_bytes:,} bytes, at {plan.pace.rows_per_s:,.0f} rows a second")
    return [*lines, f"{plan.calls_total} calls ({told})", f"About {_duration(plan.elapsed_s)}: {_clock(plan.done_at)}"]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def _clock(at: dt.datetime) -> str:
    return f"over at {at.astimezone():%H:%M} on {at.astimezone():%d %b}"
