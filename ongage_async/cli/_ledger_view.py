"""Look at the shared budget of an account without changing it: for ``ongage budget``, ``top`` and ``doctor``.

Whoever joins a ledger brings limits, and the strictest hold; so an onlooker first asks which hold, with limits that
nobody's are above, and then joins with those.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ongage_async.cli._account import Account
from ongage_async.client import account_key
from ongage_async.config import ApiKey, Credentials, Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor import Governor, GovernorStatistics, from_url

__all__ = ["budget_facts", "file_of", "ledger_name", "look_at", "tokens_by_second"]

NOBODYS = Limits(calls=200_000, per_s=60.0, parallel=100_000)
"""Above what any account has, and within what a ledger file serves."""


@asynccontextmanager
async def look_at(account: Account) -> AsyncGenerator[Governor]:
    """Have a governor on the account's shared ledger while the block runs.

    Raises:
        ConfigurationError: No ledger is named, none is there yet, or it cannot be used.
    """
    held = account.variables()
    url = held.get("ONGAGE_GOVERNOR")
    if url is None or url.startswith("memory:"):
        raise ConfigurationError(
            "there is nothing to see without a shared ledger, since each process counts for itself: name one with "
            "--governor file:///path or redis://host, or ONGAGE_GOVERNOR, here and where the calls are made"
        )
    if (path := file_of(url)) is not None and not path.exists():
        raise ConfigurationError("there is no such ledger file yet: it is made by the first process that uses it")
    key = _key(held)
    onlooker = from_url(url, NOBODYS, account_key=key)
    try:
        await onlooker.start()
        limits = (await onlooker.statistics()).limits
    finally:
        await onlooker.aclose()
    governor = from_url(url, _limits(held) if limits == NOBODYS else limits, account_key=key)
    try:
        await governor.start()
        yield governor
    finally:
        await governor.aclose()


def _key(held: dict[str, str]) -> str:
    """Return what names the account in the ledger; a password is not needed for that."""
    code, api_key = held.get("ONGAGE_ACCOUNT_CODE"), held.get("ONGAGE_API_KEY")
    if not code and not api_key:
        raise ConfigurationError(
            "which account? Set ONGAGE_ACCOUNT_CODE (or ONGAGE_API_KEY), or name a profile with --profile"
        )
    who: Credentials | ApiKey = Credentials("-", "-", code) if code else ApiKey(str(api_key))
    return account_key(held.get("ONGAGE_BASE_URL") or who.default_base_url, who.account)


def _limits(held: dict[str, str]) -> Limits:
    """Return what the account allows as far as the settings tell."""
    calls, parallel = held.get("ONGAGE_CALLS_PER_MINUTE"), held.get("ONGAGE_PARALLEL")
    default = Limits()
    try:
        return Limits(int(calls or default.calls), default.per_s, int(parallel or default.parallel))
    except ValueError:
        raise ConfigurationError("ONGAGE_CALLS_PER_MINUTE and ONGAGE_PARALLEL must be whole numbers") from None


def file_of(url: str) -> Path | None:
    """Return the file that a ledger's URL names; None if it is elsewhere."""
    return Path(unquote(urlsplit(url).path)) if url.lower().startswith("file:") else None


def ledger_name(account: Account) -> str:
    """Return the ledger's URL without user, password and query."""
    parts = urlsplit(account.variables().get("ONGAGE_GOVERNOR", ""))
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    return f"{parts.scheme}://{host}{parts.path}"


def budget_facts(seen: GovernorStatistics) -> dict[str, Any]:
    """Return how the budget stands, as plain JSON values; the keys are documented in docs/shell.md."""
    return {
        "limits": {"calls": seen.limits.calls, "per_s": seen.limits.per_s, "parallel": seen.limits.parallel},
        "calls_in_force": seen.calls_in_force,
        "tokens_free": seen.tokens_free,
        "tokens_home_by_s": tokens_by_second(seen),
        "open": seen.open,
        "places_free": seen.places_free,
        "open_by_member": dict(seen.open_by_member),
        "members": max(0, seen.members - 1),
        "waiting": {lane.name.lower(): seen.waiting[lane] for lane in Lane},
        "hold_s": round(seen.hold_s, 3),
        "strikes": seen.strikes,
        "ledger_lost": seen.ledger_lost,
    }


def tokens_by_second(seen: GovernorStatistics) -> list[int]:
    """Return how many tokens come home in each second from now, one window long."""
    counts = [0] * max(1, round(seen.limits.per_s))
    for wait_s in seen.tokens_home_s:
        counts[min(max(0, int(wait_s)), len(counts) - 1)] += 1
    return counts
