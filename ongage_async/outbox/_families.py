"""The families of an outbox: the client's own methods, which keep the call instead of making it.

Each method takes what the client's method of the same name takes, and `key`, `expires_in_s`, `lane` and `tenant` beside
it (`PutOptions`). It checks the arguments as that one does, and returns a handle once the call is safe.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypedDict, Unpack

from attrs import frozen

from ongage_async.config import Lane
from ongage_async.models import ChangeTo, ContactRow, ContactsReport, MutationResult, SendResult, SuppressionResult
from ongage_async.outbox._calls import rows_as_json
from ongage_async.outbox._handle import Handle
from ongage_async.resources import SendOptions

__all__ = ["KeptContacts", "KeptSuppression", "KeptTransactional", "PutOptions"]


class PutOptions(TypedDict, total=False):
    """Name what may be said about keeping a call.

    Attributes:
        key: What this call is known by: put again under the same key, it is the same entry. At most 200 characters.
        expires_in_s: Seconds after which it is not sent any more; without it, it waits as long as it must.
        lane: Instead of the operation's own lane.
        tenant: On whose behalf.
    """

    key: str | None
    expires_in_s: float | None
    lane: Lane | None
    tenant: str


class _SendOptions(SendOptions, PutOptions, total=False):
    """Both."""


class Putting(Protocol):
    """What the families need of an outbox."""

    async def __call__(self, kind: str, arguments: Mapping[str, Any], options: PutOptions) -> Handle[Any]:
        """Keep a call."""
        ...


def _parted(options: _SendOptions) -> tuple[dict[str, Any], PutOptions]:
    """Part the options of the call from those of its keeping."""
    names = PutOptions.__annotations__
    own: Any = {name: value for name, value in options.items() if name in names}
    return {name: value for name, value in options.items() if name not in names}, own


@frozen
class KeptTransactional:
    """Keep transactional messages until they are sent."""

    _put: Putting

    async def send(
        self,
        message_id: int,
        recipients: str | Sequence[str],
        *,
        list_id: int | None = None,
        **options: Unpack[_SendOptions],
    ) -> Handle[SendResult]:
        """SEND a message to people, as soon as the account allows; see `Transactional.send`.

        Args:
            message_id: An email or SMS message.
            recipients: One address, or 1 to 500.
            list_id: The list; None: the client's.
            options: See `SendOptions` and `PutOptions`.

        Raises:
            InvalidInputError: The arguments cannot be sent, or the key is that of another call. Nothing was kept.
            OutboxError: The store cannot be used.

        Repeat: NEVER: an uncertain outcome stays uncertain until a person decides.
        """
        call, keeping = _parted(options)
        arguments = {"message_id": message_id, "recipients": recipients, "list_id": list_id, **call}
        return await self._put("transactional.send", arguments, keeping)

    async def send_embed_content(
        self,
        recipients: str | Sequence[str],
        *,
        subject: str,
        content_html: str | None = None,
        content_text: str | None = None,
        addresses: Mapping[str, str] | None = None,
        message: Mapping[str, Any] | None = None,
        schedule_date: datetime | int | None = None,
        list_id: int | None = None,
        **options: Unpack[_SendOptions],
    ) -> Handle[SendResult]:
        """SEND a message whose text comes with the call; see `Transactional.send_embed_content`.

        Raises:
            InvalidInputError: The arguments cannot be sent, or the key is that of another call. Nothing was kept.
            OutboxError: The store cannot be used.

        Repeat: NEVER.
        """
        call, keeping = _parted(options)
        arguments = {
            "recipients": recipients,
            "subject": subject,
            "content_html": content_html,
            "content_text": content_text,
            "addresses": addresses,
            "message": message,
            "schedule_date": schedule_date,
            "list_id": list_id,
            **call,
        }
        return await self._put("transactional.send_embed_content", arguments, keeping)


@frozen
class KeptContacts:
    """Keep changes of contacts until they are made."""

    _put: Putting

    async def create(
        self,
        contacts: Iterable[ContactRow],
        *,
        overwrite: bool = False,
        list_id: int | None = None,
        **options: Unpack[PutOptions],
    ) -> Handle[ContactsReport]:
        """Create the contacts of a list, or overwrite the ones that exist; see `Contacts.create`.

        Raises:
            InvalidInputError: A row cannot be sent, or the key is that of another call. Nothing was kept.
            OutboxError: The store cannot be used.

        Repeat: SAFE if all rows overwrite, which is what should be kept; else an uncertain outcome stays uncertain.
        """
        rows = rows_as_json(contacts, are_new=not overwrite)
        return await self._put(
            "contacts.create", {"contacts": rows, "overwrite": overwrite, "list_id": list_id}, options
        )

    async def update(
        self, contacts: Iterable[ContactRow], *, list_id: int | None = None, **options: Unpack[PutOptions]
    ) -> Handle[ContactsReport]:
        """Update contacts that exist; see `Contacts.update`.

        Repeat: SAFE.
        """
        rows = rows_as_json(contacts, are_new=False)
        return await self._put("contacts.update", {"contacts": rows, "list_id": list_id}, options)

    async def change_status(
        self,
        emails: Sequence[str],
        change_to: ChangeTo | str,
        *,
        ocx_child_id: int | None = None,
        ocx_connection_id: int | None = None,
        list_id: int | None = None,
        **options: Unpack[PutOptions],
    ) -> Handle[ContactsReport]:
        """Unsubscribe, resubscribe or mark contacts, or delete them for good; see `Contacts.change_status`.

        Repeat: SAFE; IF_UNSENT for ``remove``, and with a credit.
        """
        arguments = {
            "emails": emails,
            "change_to": change_to,
            "ocx_child_id": ocx_child_id,
            "ocx_connection_id": ocx_connection_id,
            "list_id": list_id,
        }
        return await self._put("contacts.change_status", arguments, options)

    async def change_email(
        self, email: str, new_email: str, *, list_id: int | None = None, **options: Unpack[PutOptions]
    ) -> Handle[ContactsReport]:
        """Change the address of one contact; see `Contacts.change_email`.

        Repeat: IF_UNSENT.
        """
        arguments = {"email": email, "new_email": new_email, "list_id": list_id}
        return await self._put("contacts.change_email", arguments, options)

    async def delete(
        self, contact_ids: str | Sequence[str], *, list_id: int | None = None, **options: Unpack[PutOptions]
    ) -> Handle[MutationResult]:
        """Delete contacts by id, for good; see `Contacts.delete`.

        Repeat: IF_UNSENT.
        """
        return await self._put("contacts.delete", {"contact_ids": contact_ids, "list_id": list_id}, options)


@frozen
class KeptSuppression:
    """Keep changes of suppression lists until they are made."""

    _put: Putting

    async def add(
        self, list_id: int, emails: Sequence[str], **options: Unpack[PutOptions]
    ) -> Handle[SuppressionResult]:
        """Add addresses to a suppression list; see `Suppression.add`.

        Repeat: SAFE.
        """
        return await self._put("suppression.add", {"list_id": list_id, "emails": emails}, options)

    async def remove(
        self, list_id: int, emails: Sequence[str], **options: Unpack[PutOptions]
    ) -> Handle[SuppressionResult]:
        """Remove addresses from a suppression list; see `Suppression.remove`.

        Repeat: SAFE.
        """
        return await self._put("suppression.remove", {"list_id": list_id, "emails": emails}, options)
