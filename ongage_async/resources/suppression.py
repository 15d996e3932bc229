"""Suppression lists: addresses and whole domains that are not sent to. Source: vendor page §3.9.

A suppression list itself is made with `lists.create(type="suppression")`.
"""

from collections.abc import Sequence

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.models import SuppressionAction, SuppressionResult
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import choice, texts

UPDATE = Operation("suppression.update", "PUT", "/api/suppression", Repeat.SAFE, list_in=ListIn.BODY)


class Suppression:
    """Add addresses to suppression lists, or take them off."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def update(
        self, list_id: int, emails: Sequence[str], action: SuppressionAction | str = SuppressionAction.ADD
    ) -> SuppressionResult:
        """Add addresses to a suppression list, or remove them; removed ones are sent to again.

        Args:
            list_id: The suppression list; the vendor requires it.
            emails: 1 to 500 addresses; ``*@domain.com`` stands for a whole domain.
            action: ``add`` or ``remove``.

        Returns:
            How many were given, and how many done.

        Raises:
            InvalidInputError: No addresses, more than 500, a blank one, or an unknown action.
            NotFoundError: There is no such list.
            ValidationError: The vendor refused the call.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: an address is on the list, or off it, after one send or two.
        Source: vendor page §3.9, PUT /api/suppression (vendor doc); 500 is the limit of contacts calls, other clients'
            code.
        """
        addresses = texts(emails, "addresses", "make several calls, or use imports.create")
        body = {"action": choice(SuppressionAction, action, "action").value, "emails": addresses}
        answer = await self._caller.call(UPDATE, body=body, list_id=list_id)
        return self._read.one(SuppressionResult, answer, UPDATE)

    async def add(self, list_id: int, emails: Sequence[str]) -> SuppressionResult:
        """Add addresses to a suppression list; see `update`.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: an address is on the list after one send or two.
        Source: vendor page §3.9, PUT /api/suppression.
        """
        return await self.update(list_id, emails, SuppressionAction.ADD)

    async def remove(self, list_id: int, emails: Sequence[str]) -> SuppressionResult:
        """Remove addresses from a suppression list, so that they are sent to again; see `update`.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: an address is off the list after one send or two.
        Source: vendor page §3.9, PUT /api/suppression.
        """
        return await self.update(list_id, emails, SuppressionAction.REMOVE)
