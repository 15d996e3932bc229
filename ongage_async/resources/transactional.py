"""Transactional messages: one message to the people who wait for it, and the campaigns it is counted under.

Thousands of recipients are cut into calls by `_transactional_many.py`. Source: vendor page §3.13, seed S1.
"""

import warnings
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

import attrs

from ongage_async._operation import Answer, Caller, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.models import Page, SendResult, SentChunk, TransactionalCampaign
from ongage_async.models._converter import OnDrift, structure
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import text, texts
from ongage_async.resources._raw import Objects, body_of
from ongage_async.resources._transactional_many import SendMany

PAGE = Operation("transactional.page", "GET", "/api/transactional", Repeat.SAFE)
CREATE = Operation("transactional.create", "POST", "/api/transactional", Repeat.IF_UNSENT)
UPDATE = Operation("transactional.update", "PUT", "/api/transactional/{campaign_id}", Repeat.SAFE)
DELETE = Operation("transactional.delete", "DELETE", "/api/transactional/{campaign_id}", Repeat.SAFE)
SEND = Operation("transactional.send", "POST", "/api/transactional/send", Repeat.NEVER, Lane.URGENT)
SEND_MANY = attrs.evolve(SEND, lane=Lane.BULK)
SEND_EMBED_CONTENT = Operation(
    "transactional.send_embed_content", "POST", "/api/transactional/send_embed_content", Repeat.NEVER, Lane.URGENT
)
NOTIFY = Operation("transactional.notify", "POST", "/api/notify_transactions", Repeat.NEVER, Lane.URGENT)

_MANY = "use send_many"


class SendOptions(TypedDict, total=False):
    """Name the settings that all ways of sending share.

    Attributes:
        campaign_id: Transactional campaign to count it under; None: the list's default one.
        sending_connection_id: Connection to send by; not every one supports transactional messages.
        check_status: Whether contacts that are not active are spared; the vendor's default is NO.
        check_global_and_list_suppression: Whether suppression lists are heeded; the vendor's default is NO.
        message_dynamic_fields: Values of the message's dynamic fields (client code).
        message_dynamic_fields_per_recipient: Address → values; its exact shape is not known (client code).
        create_contact: Whether recipients become contacts of the list (client code).
        extra: More keys, as they are; older pages say `check_suppression` for the suppression lists.
    """

    campaign_id: int | None
    sending_connection_id: int | None
    check_status: bool
    check_global_and_list_suppression: bool
    message_dynamic_fields: Mapping[str, Any]
    message_dynamic_fields_per_recipient: Mapping[str, Any]
    create_contact: bool
    extra: Mapping[str, Any]


class Transactional:
    """Send transactional messages and keep their campaigns."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def send(
        self,
        message_id: int,
        recipients: str | Sequence[str],
        *,
        list_id: int | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """SEND a message to people; it cannot be called back, and unsubscribed people get it too unless you say no.

        By default the vendor ignores status and suppression lists here: `check_status` and
        `check_global_and_list_suppression` turn the checks on.

        Args:
            message_id: An email or SMS message.
            recipients: One address, or 1 to 500; a mobile number for a test of an SMS message.
            list_id: The list; None: this client's.
            options: See `SendOptions`.

        Returns:
            The vendor's counters; `models.transactional.per_recipient` tells them recipient by recipient.

        Raises:
            InvalidInputError: No recipients, more than 500, or a blank one.
            NotFoundError: There is no such message or campaign.
            OngageError: With `outcome` UNKNOWN it may have been sent: look before you send it again.

        Cost: 1 call, lane URGENT: somebody waits for a receipt or a password.
        Repeat: NEVER: twice sends it twice.
        Source: vendor page §3.13, POST /api/transactional/send (seed, vendor doc; answer: client code).
        """
        body = _message_body(message_id, options, _some(recipients))
        return self._sent(await self._caller.call(SEND, body=body, list_id=list_id), SEND)

    def send_many(
        self,
        message_id: int,
        recipients: Iterable[str] | AsyncIterable[str],
        *,
        per_call: int = 100,
        list_id: int | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncIterator[SentChunk]:
        """SEND a message to thousands, call by call, and tell at once what became of each call.

        Iterating is what sends. Write down each chunk before you take the next: what was not given to you was not
        begun. No call is repeated when its outcome is uncertain. The iteration ends with an error when going on makes
        no sense: credentials, rights, a message that does not exist, our own budget; or three calls in a row without
        an answer. The chunks given until then hold, and the chunk that a cancelled iteration was at is uncertain.

        Args:
            message_id: An email or SMS message.
            recipients: Any (async) iterable; taken as it is needed. A repeated address is sent to twice.
            per_call: Recipients per call, 1 to 500.
            list_id: The list; None: this client's.
            options: See `SendOptions`; fields per recipient go with the call that has the recipient.

        Returns:
            An iterator of `SentChunk`, in input order; it may be left at any time.

        Raises:
            InvalidInputError: `per_call` is out of range; while iterating: a recipient is blank.
            OngageError: While iterating, as above; the call it tells of was not executed, or was given as UNKNOWN.

        Cost: 1 call per `per_call` recipients, lane BULK, one after the other.
        Repeat: NEVER.
        Source: vendor page §3.13; 500 is a cap of other families, from client code (§2).
        """

        async def send(chunk: Sequence[str]) -> SendResult:
            own = dict(options.get("message_dynamic_fields_per_recipient") or {})
            mine: SendOptions = {**options}
            if own:
                mine["message_dynamic_fields_per_recipient"] = {each: own[each] for each in chunk if each in own}
            body = _message_body(message_id, mine, list(chunk))
            return self._sent(await self._caller.call(SEND_MANY, body=body, list_id=list_id), SEND_MANY)

        return SendMany(send, recipients, per_call)

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
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """SEND a message whose text comes with the call; it cannot be called back. See `send` for who gets it.

        Args:
            recipients: One address, or 1 to 500.
            subject: Its subject.
            content_html: Its text as HTML.
            content_text: Its text as plain text.
            addresses: `from_name`, `from_address`, `reply_address`.
            message: More keys of the message, such as settings for unsubscribing (client code).
            schedule_date: When; None: now. An aware datetime, or Unix seconds.
            list_id: The list; None: this client's.
            options: See `SendOptions`.

        Returns:
            The vendor's counters.

        Raises:
            InvalidInputError: As for `send`, or there is no subject.
            OngageError: With `outcome` UNKNOWN it may have been sent.

        Cost: 1 call, lane URGENT.
        Repeat: NEVER: twice sends it twice.
        Source: vendor page §3.13, POST /api/transactional/send_embed_content (vendor doc); much of it is client code.
        """
        inner = body_of(
            message,
            subject=text(subject, "subject"),
            content_html=content_html,
            content_text=content_text,
            addresses=addresses,
        )
        body = _body(options, message=inner, schedule_date=schedule_date, recipients=_some(recipients))
        answer = await self._caller.call(SEND_EMBED_CONTENT, body=body, list_id=list_id)
        return self._sent(answer, SEND_EMBED_CONTENT)

    async def notify(
        self,
        recipients: str | Sequence[str],
        *,
        email_message_id: int | None = None,
        email_message: Mapping[str, Any] | None = None,
        campaign_id: int | None = None,
        distribution: Objects | None = None,
        check_status: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> SendResult:
        """SEND a message by the vendor's deprecated call; use `send` or `send_embed_content`.

        Args:
            recipients: One address, or 1 to 500.
            email_message_id: The message.
            email_message: Or its text: `subject`, `content_html`, `addresses` (an array of objects here).
            campaign_id: Campaign to count it under.
            distribution: Objects with `esp_connection_id` and `domain` (``default``).
            check_status: Whether contacts that are not active are spared.
            extra: More keys, as they are (older pages: `mailing_id`).
            list_id: The list; None: this client's.

        Returns:
            `mailing_id`, and `not_active` addresses.

        Raises:
            NotFoundError: There is no such message or campaign.

        Cost: 1 call, lane URGENT.
        Repeat: NEVER: twice sends it twice.
        Source: vendor page §3.13, POST /api/notify_transactions (vendor doc), deprecated there.
        """
        warnings.warn("notify is deprecated by the vendor: use transactional.send", DeprecationWarning, stacklevel=2)
        body = body_of(
            extra,
            recipients=_some(recipients),
            email_message_id=email_message_id,
            email_message=email_message,
            campaign_id=campaign_id,
            distribution=distribution,
            check_status=check_status,
        )
        return self._sent(await self._caller.call(NOTIFY, body=body, list_id=list_id), NOTIFY)

    async def page(
        self,
        *,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[TransactionalCampaign]:
        """Get one page of a list's transactional campaigns.

        Args:
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.13, GET /api/transactional (vendor doc); the items' shape is not known.
        """
        answer = await self._caller.call(PAGE, query=paging(sort, order, offset, limit), list_id=list_id)
        return self._read.page(TransactionalCampaign, answer, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[TransactionalCampaign]:
        """Iterate over all transactional campaigns of a list.

        Returns:
            An iterator that gives each campaign once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.13, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[TransactionalCampaign]:
            return await self.page(sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        description: str,
        *,
        message_type: str | None = "email",
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> TransactionalCampaign:
        """Create a transactional campaign; it sends nothing by itself.

        Args:
            name: Its name.
            description: What it is for; required.
            message_type: As in the vendor's sample.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Returns:
            The campaign as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the campaign was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.13, POST /api/transactional (vendor doc).
        """
        body = body_of(extra, name=text(name, "name"), description=description, message_type=message_type)
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(TransactionalCampaign, answer, CREATE)

    async def update(
        self,
        campaign_id: int,
        *,
        name: str,
        description: str,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> TransactionalCampaign:
        """Rename a transactional campaign.

        Args:
            campaign_id: The campaign.
            name: Required even when it stays.
            description: Required even when it stays.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: There is no such campaign.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.13, PUT /api/transactional/<id> (vendor doc).
        """
        body = body_of(extra, name=text(name, "name"), description=description)
        answer = await self._caller.call(UPDATE, path={"campaign_id": campaign_id}, body=body, list_id=list_id)
        return self._read.changed(TransactionalCampaign, answer, UPDATE, known_id=campaign_id)

    async def delete(self, campaign_id: int, *, list_id: int | None = None) -> None:
        """Delete a transactional campaign for good.

        Raises:
            NotFoundError: There is no such campaign; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.13, DELETE /api/transactional/<id> (vendor doc).
        """
        await self._caller.call(DELETE, path={"campaign_id": campaign_id}, list_id=list_id)

    def _sent(self, answer: Answer, operation: Operation) -> SendResult:
        """Read the answer to something that was sent: its shape must never make it look as if it was not."""
        payload = answer.payload
        document = payload if isinstance(payload, dict) else {} if payload in (None, [], "") else {"payload": payload}
        return structure(SendResult, document, operation=operation.name, on_drift=self._read.on_drift)


def _some(recipients: str | Sequence[str]) -> list[str]:
    return texts([recipients] if isinstance(recipients, str) else recipients, "recipients", _MANY)


def _message_body(message_id: int, options: SendOptions, recipients: list[str]) -> dict[str, Any]:
    return _body(options, message_id=message_id, recipients=recipients)


def _body(options: SendOptions, **known: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = dict(options)
    extra = chosen.pop("extra", None)
    return body_of(extra, **known, **chosen)
