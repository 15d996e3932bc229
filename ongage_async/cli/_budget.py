"""``ongage budget``: one look at the account's shared budget; pause it, resume it, drain it."""

import time
from typing import Annotated

import anyio
from cyclopts import App, Parameter

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account, Duration
from ongage_async.cli._ending import Exit, carried_out
from ongage_async.cli._ledger_view import budget_facts, ledger_name, look_at
from ongage_async.config import Lane
from ongage_async.governor import Governor, GovernorStatistics

__all__ = ["app", "budget_lines", "drain_all"]

app = App(name="budget", help="Look at the account's shared budget; pause, resume or drain it.")

For = Annotated[Duration, Parameter(name="--for")]
DRAIN_LOOK_S = 0.2


@app.default
def budget(*, account: Account = AS_SET) -> int:
    """Look at the account's shared budget once: `ongage top` keeps looking."""

    async def work() -> int:
        async with look_at(account) as governor:
            seen = await governor.statistics()
        if account.json:
            _output.line({"ledger": ledger_name(account), **budget_facts(seen)})
        else:
            _output.say(ledger_name(account))
            _output.facts(budget_lines(seen))
        return Exit.OK

    return carried_out(work, debug=account.debug)


@app.command
def pause(*, for_s: For = 300.0, account: Account = AS_SET) -> int:
    """Let no call of the account out for a while; open ones end normally.

    Parameters
    ----------
    for_s:
        How long, as in 30s, 5m or 1h.
    """

    async def work() -> int:
        async with look_at(account) as governor:
            await governor.pause(for_s)
            seen = await governor.statistics()
        return _tell(account, seen, f"Paused for {_span(seen.hold_s)}. `ongage budget resume` ends it.")

    return carried_out(work, debug=account.debug)


@app.command
def resume(*, account: Account = AS_SET) -> int:
    """End every pause of the account now, one that a 429 made included."""

    async def work() -> int:
        async with look_at(account) as governor:
            await governor.resume()
            seen = await governor.statistics()
        return _tell(account, seen, "Calls go out again.")

    return carried_out(work, debug=account.debug)


@app.command
def drain(*, for_s: For = 900.0, account: Account = AS_SET) -> int:
    """Let no new call out, and wait until all open calls have ended; exit code 4 if some outlast the pause.

    Parameters
    ----------
    for_s:
        How long nothing goes out, as in 5m or 1h.
    """
    began: list[bool] = []

    async def work() -> int:
        async with look_at(account) as governor:
            began.append(True)
            seen = await drain_all(governor, for_s, account)
        if seen.open:
            return _tell(account, seen, f"{seen.open} calls are still open, and the pause is over.", Exit.BUDGET)
        words = f"All calls have ended. Nothing goes out for {_span(seen.hold_s)}; `ongage budget resume` ends that."
        return _tell(account, seen, words)

    def goes_on() -> str:
        return "The pause goes on; end it with:\n  ongage budget resume" if began else ""

    return carried_out(work, debug=account.debug, goes_on=goes_on)


async def drain_all(governor: Governor, for_s: float, account: Account) -> GovernorStatistics:
    """Pause, and wait until no call is open or the time is over; return what is seen then."""
    from ongage_async.cli._progress import kept_told

    await governor.pause(for_s)
    ends = time.monotonic() + for_s
    seen = await governor.statistics()
    async with kept_told(lambda: f"{seen.open} calls are open", quiet=account.json):
        while seen.open and time.monotonic() < ends:
            await anyio.sleep(DRAIN_LOOK_S)
            seen = await governor.statistics()
    return seen


def _tell(account: Account, seen: GovernorStatistics, words: str, code: Exit = Exit.OK) -> int:
    if account.json:
        _output.line({"ledger": ledger_name(account), **budget_facts(seen)})
    else:
        _output.say(words)
    return code


# --- in words ---------------------------------------------------------------------------------------------------------


def budget_lines(seen: GovernorStatistics) -> dict[str, str]:
    """Put the budget into words, a line for each side of it."""
    limits = seen.limits
    lines = {
        "limit": f"{limits.calls:,} calls per {limits.per_s:g} s, {limits.parallel} at once{_lowered(seen)}",
        "tokens": f"{max(0, seen.tokens_free):,} free{_coming_home(seen)}",
        "open": f"{seen.open} of {limits.parallel}",
        "waiting": ", ".join(f"{lane.name.lower()} {seen.waiting[lane]:,}" for lane in Lane),
        "processes": f"{max(0, seen.members - 1)}{_busy(seen)}",
        "pause": f"for {_span(seen.hold_s)} more{_strikes(seen)}" if seen.hold_s else f"none{_strikes(seen)}",
    }
    return lines | ({"ledger": "LOST: these are this process's own numbers"} if seen.ledger_lost else {})


def _lowered(seen: GovernorStatistics) -> str:
    if seen.calls_in_force == seen.limits.calls:
        return ""
    return f"; {seen.calls_in_force:,} in force, since others spend the account too"


def _coming_home(seen: GovernorStatistics) -> str:
    home = seen.tokens_home_s
    return f"; {len(home):,} come home within {_span(home[-1])}, the next in {_span(home[0])}" if home else ""


def _busy(seen: GovernorStatistics) -> str:
    shares = sorted(seen.open_by_member.items(), key=lambda one: -one[1])
    told = ", ".join(f"{name} {count}" for name, count in shares[:8])
    return f" (open calls: {told}{', …' if len(shares) > 8 else ''})" if told else ""


def _strikes(seen: GovernorStatistics) -> str:
    return f"; {seen.strikes} in a row by 429s" if seen.strikes else ""


def _span(wait_s: float) -> str:
    """Return a time as a person says it."""
    if wait_s < 1:
        return f"{wait_s:.1f} s"
    whole = round(wait_s)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
