"""SMS messages: a campaign of them is a mailing, one to a person is `transactional.send`. Source: vendor page §3.15.

The vendor shows one call. That messages can be read, changed or deleted here is not known.
"""

from collections.abc import Mapping
from typing import Any

from ongage_async._operation import Caller, Operation, Repeat
from ongage_async.models import Sms
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import text
from ongage_async.resources._raw import body_of

CREATE = Operation("sms.create", "POST", "/api/smses", Repeat.IF_UNSENT)


class SmsMessages:
    """Make SMS messages."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(
        self,
        name: str,
        description: str,
        content_text: str,
        *,
        prefix: str | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Sms:
        """Create an SMS message; it sends nothing.

        Args:
            name: Its name.
            description: What it is for.
            content_text: Its text.
            prefix: Phone prefix, ``"44"``.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Returns:
            The message.

        Raises:
            DecodeError: The answer holds no id; the message was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.15, POST /api/smses (vendor doc).
        """
        body = body_of(
            extra,
            name=text(name, "name"),
            description=text(description, "description"),
            content_text=text(content_text, "content_text"),
            prefix=prefix,
        )
        return self._read.changed(Sms, await self._caller.call(CREATE, body=body, list_id=list_id), CREATE)
