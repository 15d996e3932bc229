"""``ongage lists`` and ``ongage fields``: what the account has, and what a list's contacts hold."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, carried_out

__all__ = ["app", "fields"]

app = App(name="lists", help="Show the account's lists.")

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_LIST = ("id", "name", "type", "last_count", "last_active_count", "default", "created")
_FIELD = ("id", "name", "title", "type", "format", "mandatory", "default")


@app.default
def lists(
    *,
    type: Literal["sending", "suppression"] | None = None,  # noqa: A002 - the vendor's name
    name_like: str | None = None,
    limit: AtLeastOne | None = None,
    account: Account = AS_SET,
) -> int:
    """Show the account's lists.

    Parameters
    ----------
    type:
        Lists of this kind only.
    name_like:
        Lists whose names hold this.
    limit:
        How many at most; all if left out.
    """
    wishes = {"type": type, "name_like": name_like}
    filters: Any = {name: value for name, value in wishes.items() if value is not None}

    async def work() -> int:
        found = []
        async with account.opened() as ongage:
            async for each in ongage.lists.each(**filters):
                found.append({name: getattr(each, name) for name in _LIST})
                if len(found) == limit:
                    break
        if account.json:
            _output.document(found)
        else:
            head = ("#id", "name", "type", "#contacts", "#active", "default", "created")
            _output.table(head, [_cells(row) for row in found], empty="The account has no such lists.")
        return Exit.OK

    return carried_out(work, debug=account.debug)


def _cells(row: dict[str, Any]) -> list[Any]:
    created = row["created"]
    return [
        str(row["id"]),
        *(row[name] for name in _LIST[1:5]),
        "default" if row["default"] else "",
        created.date() if created else None,
    ]


@app.command
def get(list_id: int, /, *, account: Account = AS_SET) -> int:
    """Show one list with all its settings.

    Parameters
    ----------
    list_id:
        The list.
    """

    async def work() -> int:
        async with account.opened() as ongage:
            found = await ongage.lists.get(list_id)
        told = _output.plain(found)
        _output.document(told) if account.json else _output.facts(told)
        return Exit.OK

    return carried_out(work, debug=account.debug)


def fields(*, account: Account = AS_SET) -> int:
    """Show the fields of a list."""

    async def work() -> int:
        async with account.opened() as ongage:
            found = [each async for each in ongage.list_fields.each()]
        found.sort(key=lambda own: (own.position or 0, own.id))
        rows = [{name: getattr(each, name) for name in _FIELD} for each in found]
        if account.json:
            _output.document(rows)
        else:
            told = [[str(row["id"]), *(row[name] for name in _FIELD[1:])] for row in rows]
            _output.table(("#id", *_FIELD[1:]), told, empty="The list has no fields.")
        return Exit.OK

    return carried_out(work, debug=account.debug)
