"""Numbers of workflows. Source: vendor page §3.21: one client's code, and nothing is known of the payloads."""

from datetime import date
from typing import Any

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.models._converter import OnDrift

_REPORT = "/analytics/api/v0/report"
WORKFLOWS = Operation("workflow_analytics.workflows", "GET", f"{_REPORT}/workflows", Repeat.SAFE, list_in=ListIn.QUERY)
MESSAGES = Operation(
    "workflow_analytics.messages", "GET", f"{_REPORT}/workflow/messages", Repeat.SAFE, list_in=ListIn.QUERY
)


class WorkflowAnalytics:
    """Ask how workflows do."""

    __slots__ = ("_caller",)

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:  # noqa: ARG002  # like all families
        self._caller = caller

    async def workflows(self, date_from: date | str, date_to: date | str, *, list_id: int | None = None) -> Any:
        """Get the numbers of a list's workflows.

        Args:
            date_from: First day; a date, or text as ``MM/DD/YY``.
            date_to: Last day.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes; its shape is not known.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.21, client code only.
        """
        return await self._ask(WORKFLOWS, date_from, date_to, list_id)

    async def messages(self, date_from: date | str, date_to: date | str, *, list_id: int | None = None) -> Any:
        """Get the numbers of the messages of a list's workflows.

        Args:
            date_from: First day; a date, or text as ``MM/DD/YY``.
            date_to: Last day.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes; its shape is not known.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.21, client code only.
        """
        return await self._ask(MESSAGES, date_from, date_to, list_id)

    async def _ask(self, operation: Operation, date_from: date | str, date_to: date | str, list_id: int | None) -> Any:
        query = {"date_from": _day(date_from), "date_to": _day(date_to)}
        return (await self._caller.call(operation, query=query, list_id=list_id)).payload


def _day(day: date | str) -> str:
    return day if isinstance(day, str) else f"{day:%m/%d/%y}"
