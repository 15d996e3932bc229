"""``ongage doctor``: is everything there that a load needs? Each check says ok, warn or fail, and what to do."""

import enum
import importlib.metadata
import importlib.util
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from attrs import frozen
from cyclopts import Parameter

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, carried_out
from ongage_async.cli._ledger_view import budget_facts, file_of, ledger_name, look_at
from ongage_async.cli._outside import clock_off_s, fetch, probe_file
from ongage_async.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    OngageError,
    PermissionDeniedError,
    TransportError,
)

__all__ = ["Finding", "State", "doctor"]

MOST_OFF_S = 5.0
"""Clocks that differ by more make signed URLs and dates in reports wrong."""

EXTRAS = {
    "stores": "obstore",
    "drop": "uvicorn",
    "redis": "redis",
    "parquet": "arro3.io",
    "zip": "pyzipper",
}
_KEYRING = "keyring"
_REFUSED = "the vendor refuses the credentials: mend the ONGAGE_* variables if they are set, else: ongage config login"


class State(enum.StrEnum):
    """Say how a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    """Hold what one check found.

    Attributes:
        check: What was looked at.
        state: Whether it is good.
        words: What was seen.
        advice: What to do, when it is not good.
    """

    check: str
    state: State
    words: str
    advice: str = ""


def doctor(
    *,
    stage: Annotated[str | None, Parameter(env_var="ONGAGE_STAGE")] = None,
    public_url: Annotated[str | None, Parameter(env_var="ONGAGE_PUBLIC_URL")] = None,
    listen: str | None = None,
    journals: Path = Path(),
    account: Account = AS_SET,
) -> int:
    """Check credentials, API access, the list, the clock, the ledger, the stage; exit code 1 if something fails.

    Costs two calls. With a stage, a small file without contacts is put there, fetched from here, and removed.

    Parameters
    ----------
    stage:
        Where Ongage fetches files, as for `ongage import run`.
    public_url:
        The address of that directory, or of what --listen serves.
    listen:
        Serve files from here, as host:port.
    journals:
        Where journals will be written.
    """

    async def work() -> int:
        found = []
        async for finding in _findings(stage, public_url, listen, journals, account):
            found.append(finding)
            if not account.json:
                _tell(finding)
        failed = [each.check for each in found if each.state is State.FAIL]
        if account.json:
            _output.document({"ok": not failed, "checks": found})
        else:
            _output.say(f"\nNot ready: {', '.join(failed)}." if failed else "\nReady.")
        return Exit.FAILED if failed else Exit.OK

    return carried_out(work, debug=account.debug)


def _tell(finding: Finding) -> None:
    advice = f"→ {finding.advice}" if finding.advice else ""
    if not sys.stdout.isatty():
        _output.say(f"{finding.state.value:<5} {finding.check:<12} {finding.words}")
        if advice:
            _output.say(f"{'':<18} {advice}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1))
    row.add_column(width=4)
    row.add_column(width=12)
    row.add_column(overflow="fold")
    colour = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}[finding.state]
    words = Text("\n".join(filter(None, (finding.words, advice))))
    row.add_row(Text(finding.state.value, style=colour), finding.check, words)
    Console(highlight=False).print(row)


async def _findings(
    stage: str | None, public_url: str | None, listen: str | None, journals: Path, account: Account
) -> AsyncIterator[Finding]:
    yield _installed()
    yield _extras()
    try:
        settings = account.settings()
    except (ConfigurationError, OSError) as error:
        advice = "ongage config login; without an account: ongage emulator"
        yield Finding("credentials", State.FAIL, str(error), advice)
    else:
        yield Finding("credentials", State.OK, _whence(account, settings))
        async for finding in _vendor(account):
            yield finding
    yield await _ledger(account)
    yield await _stage(stage, public_url, listen, account)
    yield _writable(journals)


# --- here -------------------------------------------------------------------------------------------------------------


def _installed() -> Finding:
    from ongage_async import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("version", State.OK, f"ongage-async {__version__}, Python {version} on {sys.platform}")


def _extras() -> Finding:
    there = [extra for extra, module in EXTRAS.items() if _is_there(module)]
    missing = [extra for extra in EXTRAS if extra not in there]
    words = f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    if not _is_there(_KEYRING):
        return Finding("extras", State.WARN, words, "passwords need the keyring: pip install 'ongage-async[cli]'")
    return Finding("extras", State.OK, words)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _whence(account: Account, settings: dict[str, Any]) -> str:
    kind = type(settings["credentials"]).__name__
    words = "an API key" if kind == "ApiKey" else "user name, password and account code"
    named = account.profile
    return f"{words} are set" + (f" (profile {named})" if named else "")


def _writable(folder: Path) -> Finding:
    where = folder.absolute()
    try:
        with probe_file(folder):
            return Finding("journals", State.OK, f"{where} can be written")
    except OSError as error:
        told = f"{where} cannot be written: {error.strerror}"
        return Finding("journals", State.FAIL, told, "name another place with --journal, or give yourself the right")


# --- the vendor -------------------------------------------------------------------------------------------------------


async def _vendor(account: Account) -> AsyncIterator[Finding]:
    try:
        async with account.opened() as ongage:
            once = ongage.with_options(max_wait_s=60.0 if account.max_wait is None else account.max_wait)
            access = await _access(once)
            yield access
            if access.state is State.OK:
                yield await _list(once, account)
            yield await _clock(ongage.base_url)
    except OngageError as error:
        yield Finding("API access", State.FAIL, str(error), "mend the setting, and look again")


async def _access(ongage: Any) -> Finding:
    from ongage_async import RetryPolicy

    try:
        page = await ongage.with_options(retry=RetryPolicy.none()).lists.page(limit=1)
    except AuthenticationError as error:
        return Finding("API access", State.FAIL, str(error), _REFUSED)
    except PermissionDeniedError as error:
        advice = "ask Ongage to switch API access on for the account, and for a user who is Admin or General User"
        return Finding("API access", State.FAIL, str(error), advice)
    except TransportError as error:
        advice = "look at network, proxy (HTTPS_PROXY) and ONGAGE_BASE_URL"
        return Finding("API access", State.FAIL, str(error), advice)
    except OngageError as error:
        return Finding("API access", State.FAIL, str(error), "try again later; ongage budget shows pauses")
    seen = "" if page.total is None else f"; lists that the user sees: {page.total:,}"
    return Finding("API access", State.OK, f"{ongage.base_url} answers{seen}")


async def _list(ongage: Any, account: Account) -> Finding:
    number = account.variables().get("ONGAGE_LIST_ID")
    which = f"list {number}" if number else "the account's default list"
    try:
        page = await ongage.list_fields.page(limit=100)
    except (NotFoundError, PermissionDeniedError) as error:
        advice = "ongage lists shows those that the user may see; name one with --list or ONGAGE_LIST_ID"
        return Finding("list", State.FAIL, f"{which}: {error}", advice)
    except OngageError as error:
        return Finding("list", State.FAIL, f"{which}: {error}", "try again later")
    return Finding("list", State.OK, f"{which} has {page.total or len(page.items)} fields")


async def _clock(base_url: str) -> Finding:
    off_s = await clock_off_s(base_url)
    if off_s is None:
        return Finding("clock", State.WARN, "the vendor told no date", "see that this machine's clock is kept by NTP")
    if abs(off_s) > MOST_OFF_S:
        way = "ahead of" if off_s > 0 else "behind"
        told = f"this machine's clock is {abs(off_s):.0f} s {way} the vendor's"
        return Finding("clock", State.WARN, told, "set it (NTP): signed URLs and dates would be wrong")
    return Finding("clock", State.OK, "within a few seconds of the vendor's")


# --- ledger and stage -------------------------------------------------------------------------------------------------


async def _ledger(account: Account) -> Finding:
    try:
        url = account.variables().get("ONGAGE_GOVERNOR")
        if not url:
            told = "none is shared: each process keeps the limits for itself"
            return Finding("ledger", State.WARN, told, "with more than one process: --governor or ONGAGE_GOVERNOR")
        if (path := file_of(url)) is not None and not path.exists():
            return _new_ledger(path)
        async with look_at(account) as governor:
            facts = budget_facts(await governor.statistics())
    except (ConfigurationError, OSError) as error:
        return Finding("ledger", State.FAIL, str(error), "mend it, or share the budget elsewhere")
    told = f"{ledger_name(account)}: {facts['tokens_free']} of {facts['limits']['calls']} calls are free"
    if facts["hold_s"]:
        advice = "wait, or: ongage budget resume"
        return Finding("ledger", State.WARN, f"{told}; paused for {facts['hold_s']:.0f} s", advice)
    return Finding("ledger", State.OK, told)


def _new_ledger(path: Path) -> Finding:
    try:
        with probe_file(path.parent):
            return Finding("ledger", State.OK, f"{path} is made when it is first used")
    except OSError as error:
        told = f"{path.parent} cannot be written: {error.strerror}"
        return Finding("ledger", State.FAIL, told, "make that directory, for this user alone")


async def _stage(stage: str | None, public_url: str | None, listen: str | None, account: Account) -> Finding:
    from ongage_async.cli._import import Place

    try:
        held = account.variables()
        stage = stage or held.get("ONGAGE_STAGE")
        if stage is None and listen is None:
            return Finding("stage", State.WARN, "not looked at", "before a load: ongage doctor --stage s3://…")
        place = Place(stage=stage, public_url=public_url or held.get("ONGAGE_PUBLIC_URL"), listen=listen)
        async with place.opened(held.get("ONGAGE_BASE_URL", "https://api.ongage.net")) as opened:
            with probe_file(Path(tempfile.gettempdir())) as (path, content):
                staged = await opened.put(path, path.name)
                try:
                    trouble = await fetch(staged.url, content)
                finally:
                    await opened.remove(staged)
    except (OngageError, OSError) as error:
        return Finding("stage", State.FAIL, str(error), "mend the stage's settings and rights")
    if trouble:
        return Finding("stage", State.FAIL, trouble, "open the way from outside: Ongage fetches files over the network")
    return Finding("stage", State.OK, "a file was put, fetched from here, and removed; Ongage must reach it as well")
