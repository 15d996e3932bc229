"""What starts and stops a mailing that exists: hold, resume, abort, cancel, and the rest. Source: vendor page §3.12.

The part of `Mailings` that people use while mail goes out, so what stops takes the URGENT lane.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ongage_async._operation import Caller, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.models import Mailing
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._raw import body_of, ids

_ABORT = "/api/mailings/{mailing_id}/abort"
HOLD = Operation("mailings.hold", "PUT", _ABORT, Repeat.IF_UNSENT, Lane.URGENT)
RESUME = Operation("mailings.resume", "PUT", _ABORT, Repeat.NEVER)
ABORT = Operation("mailings.abort", "PUT", _ABORT, Repeat.IF_UNSENT, Lane.URGENT)
CANCEL = Operation("mailings.cancel", "PUT", "/api/mailings/{mailing_id}/cancel", Repeat.SAFE, Lane.URGENT)
UNSCHEDULE = Operation("mailings.unschedule", "PUT", "/api/mailings/{mailing_id}/unschedule", Repeat.SAFE, Lane.URGENT)
REVIVE = Operation("mailings.revive", "PUT", "/api/mailings/{mailing_id}/revive", Repeat.NEVER)
COPY = Operation("mailings.copy", "POST", "/api/mailings/{mailing_id}/duplicate", Repeat.IF_UNSENT)
DELETE = Operation("mailings.delete", "DELETE", "/api/mailings/{mailing_id}", Repeat.SAFE)


class MailingControl:
    """Start and stop mailings."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def hold(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Put a mailing that is going out on hold; `resume` lets it go on, `abort` ends it.

        Returns:
            The mailing as far as the vendor answers with it; `get` says what it is now.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane URGENT.
        Repeat: IF_UNSENT: the vendor says that the call toggles, so a second one might let it go on.
        Source: vendor page §3.12, PUT /api/mailings/<id>/abort with ``action`` ``hold`` (vendor doc).
        """
        return await self._do(HOLD, mailing_id, list_id, {"action": "hold"})

    async def resume(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Let a mailing on hold GO OUT again; what is sent cannot be called back.

        Returns:
            The mailing as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER: it reaches people.
        Source: vendor page §3.12, PUT /api/mailings/<id>/abort (vendor doc); ``action`` ``resume`` is client code of
            2014.
        """
        return await self._do(RESUME, mailing_id, list_id, {"action": "resume"})

    async def abort(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """End a mailing for good that is on hold; call `hold` first.

        Returns:
            The mailing as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane URGENT.
        Repeat: IF_UNSENT: the vendor says that the call toggles.
        Source: vendor page §3.12, PUT /api/mailings/<id>/abort with ``action`` ``abort`` (vendor doc).
        """
        return await self._do(ABORT, mailing_id, list_id, {"action": "abort"})

    async def cancel(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Cancel a mailing; `revive` may bring it back.

        Returns:
            The mailing as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane URGENT.
        Repeat: SAFE: it is cancelled after one send or two, and this one should get through.
        Source: vendor page §3.12, PUT /api/mailings/<id>/cancel (vendor doc): "cancels / deletes".
        """
        return await self._do(CANCEL, mailing_id, list_id)

    async def unschedule(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Take the time off a scheduled mailing, so that it does not go out; `update` sets another.

        Returns:
            The mailing as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane URGENT.
        Repeat: SAFE: it has no time after one send or two.
        Source: vendor page §3.12, PUT /api/mailings/<id>/unschedule (vendor doc); that it is new again is client code.
        """
        return await self._do(UNSCHEDULE, mailing_id, list_id)

    async def revive(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Bring a cancelled mailing back; it MAY GO OUT then, as what becomes of its time is not known.

        Returns:
            The mailing as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER: it may reach people.
        Source: vendor page §3.12, PUT /api/mailings/<id>/revive; client code only.
        """
        return await self._do(REVIVE, mailing_id, list_id)

    async def copy(
        self,
        mailing_id: int,
        *,
        email_message_id: int | None = None,
        segments: Sequence[int] | int | None = None,
        add_copy_to_title: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Mailing:
        """Duplicate a mailing.

        Args:
            mailing_id: The mailing.
            email_message_id: Another message.
            segments: Other segments.
            add_copy_to_title: Whether the name says that it is a copy.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Returns:
            The new mailing as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the copy was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.12, POST /api/mailings/<id>/duplicate; client code only.
        """
        body = body_of(
            extra,
            email_message_id=email_message_id,
            segments=ids(segments, "segments"),
            add_copy_to_title=add_copy_to_title,
        )
        answer = await self._caller.call(COPY, path={"mailing_id": mailing_id}, body=body, list_id=list_id)
        return self._read.changed(Mailing, answer, COPY)

    async def delete(self, mailing_id: int, *, list_id: int | None = None) -> None:
        """Delete a mailing for good, with its report as far as is known; `cancel` is what the vendor documents.

        Raises:
            NotFoundError: There is no such mailing; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.12, DELETE /api/mailings/<id>; client code of 2014 only.
        """
        await self._caller.call(DELETE, path={"mailing_id": mailing_id}, list_id=list_id)

    async def _do(
        self, operation: Operation, mailing_id: int, list_id: int | None, body: Mapping[str, Any] | None = None
    ) -> Mailing:
        answer = await self._caller.call(operation, path={"mailing_id": mailing_id}, body=body, list_id=list_id)
        return self._read.changed(Mailing, answer, operation, known_id=mailing_id)
