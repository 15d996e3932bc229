"""``ongage contacts``: look one up, write one or many, change what may be sent to them, take them out as a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from cyclopts import App, Parameter, validators

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, UsageError, carried_out
from ongage_async.cli._export import export_found

__all__ = ["app"]

app = App(name="contacts", help="Look contacts up, write them, change their status, take them out as a file.")

Many = Annotated[list[str] | None, Parameter(negative="")]
From = Annotated[str | None, Parameter(name="--from", allow_leading_hyphen=True)]
PerCall = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=500))]
Status = Literal["unsubscribe", "resubscribe", "remove", "bounce", "complaint", "soft_bounce"]


@app.command
def get(contact: str, /, *, account: Account = AS_SET) -> int:
    """Show one contact.

    Parameters
    ----------
    contact:
        Its address, or the vendor's id.
    """

    async def work() -> int:
        async with account.opened() as ongage:
            look = ongage.contacts.get_by_email if "@" in contact else ongage.contacts.get_by_id
            found = await look(contact)
        told = _output.plain(found)
        if account.json:
            _output.document(told)
        else:
            own = {**told.pop("fields"), **told.pop("extra")}
            _output.facts({**told, **own})
        return Exit.OK

    return carried_out(work, debug=account.debug)


@app.command
def upsert(
    contact: str | None = None,
    /,
    *values: str,
    source: From = None,
    map: Many = None,  # noqa: A002 - the option's name
    side_file: Path | None = None,
    journal: Path | None = None,
    per_call: PerCall = 50,
    encoding: str | None = None,
    delimiter: str | None = None,
    account: Account = AS_SET,
) -> int:
    """Create or overwrite one contact, `EMAIL field=value …`, or all of a file with `--from`.

    Above some thousands of rows `ongage import run` costs fewer calls.

    Parameters
    ----------
    contact:
        The address of one contact.
    values:
        Its fields, as in country=Chile; `field=` empties one.
    source:
        A CSV, TSV, gzip, ZIP or Parquet file with an email column; `-` reads the standard input.
    map:
        A column that is named otherwise than its field: "E-Mail=email"; "Notes=" leaves one out. Repeat it for each.
    side_file:
        Where rejected rows go, a JSON object a line, to mend and send again.
    journal:
        A file in which settled rows are recorded: after a stop the same command goes on behind them.
    per_call:
        Rows per call; the vendor advises 5 to 50.
    encoding:
        Encoding of the file; found out if left out.
    delimiter:
        Delimiter of the file; found out if left out.
    """
    state: dict[str, Any] = {}

    async def work() -> int:
        if (contact is None) == (source is None):
            raise UsageError("give one contact (EMAIL field=value …), or a file with --from; --from - reads a pipe")
        async with account.opened() as ongage:
            if contact is not None:
                many = ongage.contacts.upsert_many([{"email": contact, **_fields(values)}])
            else:
                many = state["many"] = ongage.contacts.upsert_many(
                    source if source == "-" else Path(str(source)),
                    mapping=mapping_of(map or []) or None,
                    per_call=per_call,
                    side_file=side_file,
                    journal=journal,
                    encoding=encoding,
                    delimiter=delimiter,
                )
            return await _followed(many, account)

    return carried_out(work, debug=account.debug, goes_on=lambda: _how_to_go_on(state, journal))


@app.command
def status(
    change_to: Status,
    /,
    *emails: str,
    source: From = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    per_call: PerCall = 50,
    account: Account = AS_SET,
) -> int:
    """Unsubscribe, resubscribe or mark contacts; `remove` deletes them for good, and asks first.

    Parameters
    ----------
    change_to:
        What to do, in the vendor's words.
    emails:
        Addresses.
    source:
        A file with an address a line, or a CSV file with an email column; `-` reads the standard input.
    yes:
        Do not ask before contacts are deleted for good.
    per_call:
        Addresses per call.
    """
    from ongage_async.cli._recipients import STDIN, addresses

    state: dict[str, Any] = {}

    def work() -> int:
        if not emails and source is None:
            raise UsageError("name an address, or a file with --from; --from - reads the standard input")
        if change_to == "remove":
            from ongage_async.cli._consent import ask

            whom = f"{len(emails)} contact{'s' if len(emails) > 1 else ''}" if source is None else "all of the file"
            if not ask(f"Delete {whom} for good?", yes=yes, stdin_is_used=source == STDIN):
                return Exit.FAILED
        return anyio.run(changing)

    async def changing() -> int:
        async with account.opened() as ongage:
            many = state["many"] = ongage.contacts.change_status_many(
                addresses(emails, source), change_to, per_call=per_call
            )
            return await _followed(many, account)

    return carried_out(work, debug=account.debug, goes_on=lambda: _how_to_go_on(state, None))


@app.command
def export(
    path: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    where: Many = None,
    either: Annotated[bool, Parameter(name="--any", negative="")] = False,
    fields: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    search: int | None = None,
    keep: Annotated[bool, Parameter(negative="")] = False,
    account: Account = AS_SET,
) -> int:
    """Take contacts out as a CSV file: those that meet conditions, or all. Streams, whatever the size.

    Parameters
    ----------
    path:
        The file; `-` prints a JSON object a line instead.
    where:
        A condition: "country=Chile|Peru", "age>=30", "name~ann", "ocx_created_date>2026-01-31". Repeat it for each.
    either:
        One condition is enough; else all must be met.
    fields:
        A field to take out; repeat it for each, or part names by commas. All of the list's if left out.
    search:
        A search that was begun before: take its result.
    keep:
        Leave the search in the account afterwards.
    """
    return export_found(
        path, where or [], either=either, fields=_names(fields or []), search=search, keep=keep, account=account
    )


async def _followed(many: Any, account: Account) -> int:
    """Wait for a stream of rows, say how far it is, and print its report."""
    from ongage_async.cli._progress import kept_told

    async with kept_told(lambda: _so_far(many.report), quiet=account.json):
        report = await many
    _output.say(report.as_json() if account.json else report.as_text())
    return Exit.OK if report.is_complete else Exit.FAILED


def _so_far(report: Any) -> str:
    told = [f"{count:,} {kind.value.replace('_', ' ')}" for kind, count in report.counts.items() if count]
    return f"{report.rows_read:,} rows read, {', '.join(told) or 'none answered yet'}"


def _how_to_go_on(state: Mapping[str, Any], journal: Path | None) -> str:
    if "many" not in state:
        return ""
    far = f"So far: {_so_far(state['many'].report)}."
    if journal is not None:
        return f"{far} Run the same command again: it goes on behind the rows of {journal}."
    return (
        f"{far} The same command again does it once more for all rows, which changes nothing for those that are done."
    )


def _names(given: list[str]) -> list[str]:
    return [name.strip() for each in given for name in each.split(",") if name.strip()]


def _fields(values: tuple[str, ...]) -> dict[str, str | None]:
    return {name: value or None for name, value in _pairs(values, "a field is written name=value, as in country=Chile")}


def mapping_of(pairs: list[str]) -> dict[str, str | None]:
    """Return column → field of ``column=field``.

    Raises:
        UsageError: One is not so.
    """
    found = {}
    for pair in pairs:
        column, sign, own = pair.rpartition("=")
        if not sign:
            raise UsageError('--map takes "column=field"')
        found[column] = own or None
    return found


def _pairs(values: tuple[str, ...], advice: str) -> Iterator[tuple[str, str]]:
    for value in values:
        name, sign, text = value.partition("=")
        if not sign or not name:
            raise UsageError(advice)
        yield name, text
