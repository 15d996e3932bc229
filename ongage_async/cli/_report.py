"""``ongage report``: numbers, selected, grouped, filtered and sorted by the vendor, as a table, CSV or JSON."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ongage_async.cli import _output
from ongage_async.cli._account import AS_SET, Account
from ongage_async.cli._ending import Exit, UsageError, carried_out

__all__ = ["report"]

Words = Annotated[list[str] | None, Parameter(negative="")]


def report(
    *select: str,
    source: Annotated[Literal["mailing", "list", "event"], Parameter(name="--from")] = "mailing",
    group: Words = None,
    where: Words = None,
    order: Words = None,
    lists: Annotated[str | None, Parameter(name="--lists")] = None,
    time_zone: str | None = None,
    rates: Annotated[bool, Parameter(negative="")] = False,
    page_size: int | None = None,
    csv: Annotated[bool, Parameter(negative="")] = False,
    account: Account = AS_SET,
) -> int:
    """Ask for numbers: `ongage report mailing_name "sum(sent)" --group mailing_name --order sent:desc`.

    Of mailings, without a condition on stats_date, the vendor gives the last month only.

    Parameters
    ----------
    select:
        Columns: names, "sum(sent)", "count(…)", "min(…)", "max(…)", "sum(clicks) as clicked".
    source:
        What is counted: mailings, the contacts of lists, or events.
    group:
        What rows are made for: mailing_name, or stats_date:day (week, month, year). Repeat it for each.
    where:
        A condition: "stats_date>=2026-01-01", "sent>0", "mailing_name='July'". Repeat it for each; all must hold.
    order:
        A column to sort by, and :desc for largest first. Repeat it for each.
    lists:
        Lists by id, parted by commas, or all.
    time_zone:
        Name of the zone in which days are cut.
    rates:
        Have rates beside the numbers.
    page_size:
        Rows per call; all in one call if left out.
    csv:
        Print CSV.
    """
    from ongage_async.cli._conditions import columns, filters, groups, orders

    async def work() -> int:
        if not select:
            raise UsageError('name the columns, as in: ongage report mailing_name "sum(sent)" --group mailing_name')
        async with account.opened() as ongage:
            rows = ongage.reports.query(
                columns(select),
                source=source,
                group=groups(group or []),
                where=filters(where or []),
                order=orders(order or []),
                list_ids=_lists(lists),
                time_zone=time_zone,
                calculate_rates=rates or None,
                page_size=page_size,
            )
            found = await rows.all()
        _tell(found, rows.question.columns, account, csv=csv)
        return Exit.OK

    return carried_out(work, debug=account.debug)


def _lists(words: str | None) -> list[int] | Literal["all"] | None:
    if words is None:
        return None
    if words == "all":
        return "all"
    numbers = [each.strip() for each in words.split(",")]
    if not all(each.isdecimal() for each in numbers):
        raise UsageError("--lists takes ids parted by commas, or all")
    return [int(each) for each in numbers]


def _tell(rows: Sequence[dict[str, Any]], asked: Iterable[str], account: Account, *, csv: bool) -> None:
    if account.json:
        _output.document(rows)
        return
    names = list(dict.fromkeys([*asked, *(name for row in rows for name in row)]))
    if csv:
        _output.write_csv(names, rows)
        return
    numeric = {name for name in names if all(isinstance(row.get(name), int | float) for row in rows)}
    heads = [f"#{name}" if name in numeric and not name.endswith("_id") else name for name in names]
    _output.table(heads, [[row.get(name) for name in names] for row in rows], empty="No rows.")
