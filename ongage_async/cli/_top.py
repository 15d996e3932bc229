"""``ongage top``: the account's shared budget, live: tokens coming home, open calls, lanes, processes, imports.

On a terminal it redraws and takes keys; piped, it prints a line every few seconds, or with ``--json`` an object.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import anyio
from attrs import define, field
from cyclopts import Parameter, validators
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._budget import budget_lines
from ongage_async.cli._ending import Exit, carried_out
from ongage_async.cli._ledger_view import budget_facts, ledger_name, look_at, tokens_by_second
from ongage_async.governor import Governor, GovernorStatistics

__all__ = ["View", "top"]

LOOK_S = 0.5
IMPORTS_S = 10.0
"""How often the imports are asked for: six calls a minute, on the BULK lane."""
MOST_IMPORTS = 8
PAUSE_S, DRAIN_S = 300.0, 900.0
_BARS = " ▁▂▃▄▅▆▇█"
_BARS_ASCII = " .:-=+*#%"
END = "\x04"
"""Ctrl-D, and what a terminal that was closed gives."""
KEYS = "p pause 5 min · r resume · d drain · q quit"


def top(
    *,
    imports: bool = True,
    every: Annotated[float, Parameter(validator=validators.Number(gte=0.1))] = LOOK_S,
    looks: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    account: Account = AS_SET,
) -> int:
    """Watch the account's shared budget: `p` pauses it, `r` resumes, `d` drains, `q` quits.

    Parameters
    ----------
    imports:
        Show the list's imports that are under way; costs six calls a minute, on the BULK lane.
    every:
        Seconds between looks.
    looks:
        End after so many looks.
    """

    async def work() -> int:
        async with look_at(account) as governor:
            view = View(ledger_name(account))
            async with anyio.create_task_group() as tasks:
                if imports and not account.json:
                    tasks.start_soon(_keep_asking, view, governor, account)
                await _watch(view, governor, every, looks, account)
                tasks.cancel_scope.cancel()
        return Exit.OK

    return carried_out(work, debug=account.debug)


async def _watch(view: "View", governor: Governor, every: float, looks: int | None, account: Account) -> None:
    console = Console(highlight=False)
    if account.json or not console.is_terminal:
        await _print_lines(view, governor, every, looks, account)
        return
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while looks is None or view.looks < looks:
            view.take(await governor.statistics())
            live.update(view.draw(console.width, ascii_only=console.options.ascii_only), refresh=True)
            if await _heed(pressed, view, governor, every):
                return


async def _print_lines(view: "View", governor: Governor, every: float, looks: int | None, account: Account) -> None:
    while True:
        seen = await governor.statistics()
        view.take(seen)
        if account.json:
            _output.line({"at": time.time(), **budget_facts(seen)})
        else:
            _output.say("; ".join(f"{name} {words}" for name, words in budget_lines(seen).items()))
        if looks is not None and view.looks >= looks:
            return
        await anyio.sleep(every)


async def _heed(pressed: Callable[[], str], view: "View", governor: Governor, for_s: float) -> bool:
    """Wait for a key so long and do what it says; return whether to end."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        match pressed():
            case "q" | "\x04":
                return True
            case "p":
                await governor.pause(PAUSE_S)
                view.told = "Paused for 5 minutes"
                return False
            case "d":
                await governor.pause(DRAIN_S)
                view.told = "Draining: nothing goes out for 15 minutes; wait until no call is open"
                return False
            case "r":
                await governor.resume()
                view.told = "Calls go out again"
                return False
        await anyio.sleep(0.05)
    return False


@contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the key that was pressed, or nothing; lines are not waited for meanwhile."""
    import select

    if not sys.stdin.isatty():
        yield lambda: ""
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)

    def pressed() -> str:
        if not select.select([terminal], [], [], 0)[0]:
            return ""
        try:
            return os.read(terminal, 1).decode(errors="replace") or END
        except OSError:  # the terminal is gone
            return END

    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


# --- imports ----------------------------------------------------------------------------------------------------------


async def _keep_asking(view: "View", governor: Governor, account: Account) -> None:
    """Keep the imports that are under way fresh; what goes wrong is a line of the view, not its end."""
    from ongage_async import Lane, OngageError

    try:
        async with account.opened(quiet=True, governor=governor, limits=None) as ongage:
            bulk = ongage.with_options(lane=Lane.BULK, max_wait_s=IMPORTS_S)
            while True:
                try:
                    found = await bulk.imports.page(limit=50)
                    view.imports = [each for each in found if not each.is_final][:MOST_IMPORTS]
                    view.trouble = ""
                except OngageError as error:
                    view.trouble = str(error)
                await anyio.sleep(IMPORTS_S)
    except OngageError as error:
        view.trouble = str(error)


# --- drawing ----------------------------------------------------------------------------------------------------------


@define
class View:
    """What is on the screen.

    Attributes:
        ledger: Where the budget is kept.
        told: What the last key did.
        trouble: Why the imports are not known.
        imports: Those under way; None before the first answer.
        looks: How often the budget was looked at.
        pauses: How many pauses by 429s began meanwhile.
    """

    ledger: str
    told: str = ""
    trouble: str = ""
    imports: list[Any] | None = None
    looks: int = 0
    pauses: int = 0
    _seen: GovernorStatistics | None = field(default=None, init=False)

    def take(self, seen: GovernorStatistics) -> None:
        """Take what is seen now."""
        if self._seen is not None:
            self.pauses += max(0, seen.strikes - self._seen.strikes)
        self._seen = seen
        self.looks += 1

    def draw(self, width: int, *, ascii_only: bool = False) -> Group:
        """Return what to show now."""
        seen = self._seen
        if seen is None:
            return Group(Text("…"))
        head = Text.assemble(("ongage top", "bold"), f"  {self.ledger}  {time.strftime('%H:%M:%S')}")
        rows = budget_lines(seen)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row("tokens", _level(seen.tokens_free, seen.calls_in_force, width))
        grid.add_row("", rows.pop("tokens"))
        grid.add_row("home", _homecoming(tokens_by_second(seen), width - 14, ascii_only=ascii_only))
        grid.add_row("", _ruler(seen.limits.per_s, len(_buckets(tokens_by_second(seen), width - 14))))
        pause = rows.pop("pause") + (f"; {self.pauses} by 429s since you look" if self.pauses else "")
        for name, words in rows.items():
            grid.add_row(name, words)
        grid.add_row("pause", Text(pause, style="bold red" if seen.hold_s else ""))
        told = [Text(self.told, style="bold")] if self.told else []
        return Group(head, Text(), grid, Text(), self._imports(width), Text(), *told, Text(KEYS, style="dim"))

    def _imports(self, width: int) -> Any:
        if self.trouble:
            return Text(f"imports  {self.trouble}", style="yellow")
        if not self.imports:
            return Text("imports  none under way" if self.imports == [] else "")
        grid = Table.grid(padding=(0, 2))
        for each in self.imports:
            percent = each.progress_pct or 0
            words = "" if each.success is None else f"{each.success:,} rows"
            bar = ProgressBar(total=100, completed=percent, width=max(10, min(40, width // 3)))
            grid.add_row(f"import {each.id}", bar, f"{percent:.0f} %", each.status_desc or "", words)
        return grid


def _level(free: int, of: int, width: int) -> ProgressBar:
    return ProgressBar(total=max(1, of), completed=max(0, free), width=max(10, min(60, width - 14)))


def _buckets(counts: Sequence[int], width: int) -> list[int]:
    """Join seconds until they fit the width."""
    joined = list(counts)
    while len(joined) > max(10, width):
        joined = [sum(joined[at : at + 2]) for at in range(0, len(joined), 2)]
    return joined


def _homecoming(counts: Sequence[int], width: int, *, ascii_only: bool) -> Text:
    """Draw a column for each second from now: how many tokens come home in it."""
    bars = _BARS_ASCII if ascii_only else _BARS
    buckets = _buckets(counts, width)
    most = max(buckets, default=0) or 1
    drawn = (bars[0] if not count else bars[max(1, round(count / most * (len(bars) - 1)))] for count in buckets)
    return Text("".join(drawn), style="green", no_wrap=True)


def _ruler(per_s: float, columns: int) -> Text:
    left, right = "now", f"{per_s:g} s"
    return Text(left + right.rjust(max(len(right) + 1, columns - len(left))), style="dim", no_wrap=True)
