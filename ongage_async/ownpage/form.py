"""The public subscribe form: double opt-in, without a token, with limits of its own. Source: vendor page §5 #9.

Its limits are few calls a minute by address, so it has a governor of its own: a wait here holds nothing else up.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.config import Lane, Limits
from ongage_async.errors import InvalidInputError
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import DATA, Success
from ongage_async.ownpage._session import ListCaller
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import text

FORM_LIMITS = Limits(calls=5, per_s=60.0, parallel=1)
"""5 requests per address of the network and minute (§5 #9); of calls in parallel the vendor says nothing: *assumed*."""

_ROUTE = "/subscribe/{tracking_key}"
CREATE = Operation("form.create", "POST", _ROUTE, Repeat.NEVER, lane=Lane.URGENT, list_in=ListIn.NOWHERE)
CHANGE = attrs.evolve(CREATE, repeat=Repeat.SAFE)
UPDATE = Operation("form.update", "PUT", _ROUTE, Repeat.SAFE, lane=Lane.URGENT, list_in=ListIn.NOWHERE)


class SubscribeForm:
    """Subscribe people who then confirm by email: what a form on a website does."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(
        self,
        email: str,
        *,
        tracking_key: str,
        form_key: str,
        data: Mapping[str, Any] | None = None,
        update: bool = False,
    ) -> Success:
        """Sign somebody up; the vendor sends an email to confirm at once, and a reminder after some days.

        With more than 5 a minute this waits; ``with_options(max_wait_s=…)`` refuses instead, with `retry_after_s`.

        Args:
            email: Address.
            tracking_key: Of the account, from Ownpage.
            form_key: Of the form, from Ownpage.
            data: Attributes, without the ``data_`` of the wire.
            update: Change the attributes of somebody who is there, without another email.

        Returns:
            The vendor's sentence.

        Raises:
            BadRequestError: The vendor refuses the request.
            RateLimitedError: Others behind the same network address sign people up as well.

        Cost: 1 call of the form's own budget, lane URGENT.
        Repeat: NEVER, since it sends an email; SAFE with `update`.
        Source: vendor page §5 #9 (vendor doc).
        """
        body: dict[str, Any] = {"email": text(email, "email"), "form_key": text(form_key, "form_key"), **_wired(data)}
        if update:
            body["update"] = True
        operation = CHANGE if update else CREATE
        answer = await self._caller.call(operation, path={"tracking_key": tracking_key}, body=body)
        return self._read.changed(Success, answer, operation)

    async def update(self, guid: str, data: Mapping[str, Any], *, tracking_key: str) -> Success:
        """Change the attributes of somebody who has confirmed.

        Args:
            guid: The subscriber's id in your database, or the MD5 of the address.
            data: Attributes, without the ``data_`` of the wire.
            tracking_key: Of the account, from Ownpage.

        Returns:
            The vendor's sentence.

        Raises:
            InvalidInputError: No attributes.
            BadRequestError: The vendor does not know the subscriber.

        Cost: 1 call of the form's own budget, lane URGENT; that this endpoint shares it is *assumed*.
        Repeat: SAFE: it sets the same values again.
        Source: doc.ownpage.fr, api-reference/subscriber-acquisition/update-subscriber-data.html (vendor doc).
        """
        if not data:
            raise InvalidInputError("no attributes: give at least one")
        body = {"guid": text(guid, "guid"), **_wired(data)}
        answer = await self._caller.call(UPDATE, path={"tracking_key": tracking_key}, body=body)
        return self._read.changed(Success, answer, UPDATE)


def _wired(data: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{DATA}{key}": value for key, value in (data or {}).items()}
