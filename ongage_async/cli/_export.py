"""``ongage export``: contacts of segments or mailings as the vendor's export, and contacts found by conditions.

Both are made at the vendor's, followed, and streamed to a file that is whole or not there. The second is also what
``ongage contacts export`` does. A job that was begun goes on when the command is stopped, and is fetched later.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, UsageError, carried_out

__all__ = ["app", "export_found"]

app = App(name="export", help="Take contacts of segments or mailings out as a file.")

Ids = Annotated[list[int] | None, Parameter(negative="", validator=validators.Number(gte=1))]
Names = Annotated[list[str] | None, Parameter(negative="")]
Kind = Literal["active", "unjoin-member", "clicked", "opened", "inactive", "bounced", "complaint"]
Dates = Literal["mm/dd/yyyy", "mm/dd/yy", "mm-dd-yyyy", "mm-dd-yy", "dd/mm/yyyy", "dd/mm/yy", "dd-mm-yyyy", "dd-mm-yy"]
STDOUT = Path("-")


@app.command
def run(
    path: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    segment: Ids = None,
    mailing: Ids = None,
    status: Annotated[list[Kind] | None, Parameter(negative="")] = None,
    where: Names = None,
    either: Annotated[bool, Parameter(name="--any", negative="")] = False,
    fields: Names = None,
    dates: Dates = "dd/mm/yyyy",
    name: str = "ongage export",
    unzip: Annotated[bool, Parameter(negative="")] = False,
    account: Account = AS_SET,
) -> int:
    """Make an export, follow it, and stream it to a file.

    Parameters
    ----------
    path:
        The file, a ZIP as the vendor makes it; with --unzip a folder.
    segment:
        A segment; repeat it for each.
    mailing:
        A mailing instead; repeat it for each.
    status:
        Which contacts; active if left out. Repeat it for each.
    where:
        Conditions instead, as for `ongage contacts export`.
    either:
        With --where: one condition is enough.
    fields:
        A field to take out; repeat it for each, or part names by commas. All of the list's if left out.
    dates:
        How dates are written.
    name:
        What the export is called in the account.
    unzip:
        Unpack it into the folder.
    """
    wanted = [each.strip() for names in fields or [] for each in names.split(",") if each.strip()]
    if where and not (segment or mailing or unzip):
        return export_found(path, where, either=either, fields=wanted, search=None, keep=False, account=account)
    begun: dict[str, int] = {}

    async def work() -> int:
        if where or bool(segment) == bool(mailing):
            raise UsageError(
                "say what to export: --segment ID, --mailing ID or --where CONDITION, one of the three; "
                "--unzip goes with the first two"
            )
        async with account.opened() as ongage:
            made = await ongage.exports.create(
                name,
                date_format=dates,
                status=status or ["active"],
                segment_id=segment,
                mailing_id=mailing,
                fields_selected=wanted or None,
            )
            begun["export"] = made.id
            return await _fetched(ongage, made.id, path, unzip, account)

    return carried_out(work, debug=account.debug, goes_on=lambda: _export_goes_on(begun, path, unzip))


@app.command
def download(
    export_id: int,
    path: Path,
    /,
    *,
    unzip: Annotated[bool, Parameter(negative="")] = False,
    account: Account = AS_SET,
) -> int:
    """Fetch an export that was begun before; waits until it is there.

    Parameters
    ----------
    export_id:
        The export.
    path:
        The file; with --unzip a folder.
    unzip:
        Unpack it into the folder.
    """

    async def work() -> int:
        async with account.opened() as ongage:
            return await _fetched(ongage, export_id, path, unzip, account)

    return carried_out(work, debug=account.debug, goes_on=lambda: _export_goes_on({"export": export_id}, path, unzip))


async def _fetched(ongage: Any, export_id: int, path: Path, unzip: bool, account: Account) -> int:
    """Wait for an export and stream it; an export has no status, so only the time can be told."""
    from ongage_async.cli._progress import kept_told

    began = time.monotonic()

    def words() -> str:
        return f"Ongage makes export {export_id}: {time.monotonic() - began:.0f} s"

    async with kept_told(words, quiet=account.json):
        files = await ongage.exports.download(export_id, path, unzip=unzip)
    return _tell_files({"export_id": export_id}, files, account)


def _tell_files(facts: dict[str, Any], files: Sequence[Path], account: Account) -> int:
    told = [{"path": str(file), "size_bytes": file.stat().st_size} for file in files]
    if account.json:
        _output.document({**facts, "files": told})
    else:
        for each in told:
            _output.say(f"{each['path']}: {each['size_bytes']:,} bytes")
    return Exit.OK


def _export_goes_on(begun: dict[str, int], path: Path, unzip: bool) -> str:
    if "export" not in begun:
        return ""
    return (
        f"The export goes on at Ongage's; fetch it with:\n  ongage export download {begun['export']} {path}"
        f"{' --unzip' if unzip else ''}"
    )


# --- found by conditions ----------------------------------------------------------------------------------------------


def export_found(
    path: Path,
    where: Sequence[str],
    *,
    either: bool,
    fields: Sequence[str],
    search: int | None,
    keep: bool,
    account: Account,
) -> int:
    """Search contacts, follow the search, and stream what it found to a file or as lines of JSON; return the exit code.

    Args:
        path: The file; ``-`` prints lines.
        where: Conditions; none finds everybody.
        either: One of them is enough.
        fields: What to take out; none takes all of the list's.
        search: One that was begun before; it is fetched, and left in the account.
        keep: Leave the search in the account.
        account: Whose.
    """
    begun: dict[str, int] = {} if search is None else {"search": search}

    async def work() -> int:
        async with account.opened() as ongage:
            number = begun["search"] if search is not None else await _searched(ongage, where, either, fields)
            begun["search"] = number
            await _followed(ongage, number, account)
            if path == STDOUT:
                await _print_rows(ongage, number)
                files: tuple[Path, ...] = ()
            else:
                files = await ongage.contact_search.download(number, path)
            if search is None and not keep:
                await ongage.contact_search.delete(number)
        return Exit.OK if path == STDOUT else _tell_files({"search_id": number}, files, account)

    return carried_out(work, debug=account.debug, goes_on=lambda: _search_goes_on(begun, path))


async def _searched(ongage: Any, where: Sequence[str], either: bool, fields: Sequence[str]) -> int:
    """Begin a search and return its number."""
    from ongage_async.cli._conditions import criteria

    types = {own.name: own.type async for own in ongage.list_fields.each()}
    selected = list(fields) or ["email", *(name for name in types if name != "email")]
    made = await ongage.contact_search.create(
        "ongage contacts export", criteria(where, types, either=either), selected_fields=selected
    )
    return int(made.id)


async def _followed(ongage: Any, number: int, account: Account) -> None:
    from ongage_async.cli._progress import kept_told

    began = time.monotonic()

    def words() -> str:
        return f"Ongage searches contacts (search {number}): {time.monotonic() - began:.0f} s"

    async with kept_told(words, quiet=account.json):
        await ongage.contact_search.wait(number, just_created=True)


async def _print_rows(ongage: Any, number: int) -> None:
    """Print what a search found, an object a line: what was selected, and nothing that is not known."""
    async for row in ongage.contact_search.rows(number):
        told = _output.plain(row)
        own = {**told.pop("fields"), **told.pop("extra")}
        _output.line({name: value for name, value in told.items() if value is not None} | own)


def _search_goes_on(begun: dict[str, int], path: Path) -> str:
    if "search" not in begun:
        return ""
    return f"The search goes on at Ongage's; fetch it with:\n  ongage contacts export {path} --search {begun['search']}"
