"""Transactional messages: their campaigns, and what became of each recipient of a send. Source: vendor page §3.13.

`per_recipient` is a pure rule and never guesses: a recipient that the answer does not settle is UNKNOWN.
"""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from ongage_async.errors import OngageError
from ongage_async.models import _shape


@attrs.frozen(kw_only=True, slots=False)
class TransactionalCampaign:
    """Hold a transactional campaign; the vendor shows none of its fields, so the known ones are a mailing's."""

    id: int
    name: str | None = _shape.wire()
    description: str | None = _shape.quiet()
    type: str | None = _shape.wire()
    message_type: str | None = _shape.wire()
    list_id: int | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    status: int | None = _shape.quiet()
    status_desc: str | None = _shape.quiet()
    status_date: datetime | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class SendResult:
    """Hold the answer to a send: the vendor's counters, of which none is certain to be there.

    Attributes:
        success: Recipients that were sent to.
        failed: Recipients that were not.
        failed_emails: Which; the shape of its items is not known (vendor page §6.2 #4).
        message: What the vendor says beside it.
        mailing_id: Answer of the deprecated call only.
        not_active: Answer of the deprecated call only: addresses that are not active.
    """

    success: int | None = _shape.wire()
    failed: int | None = _shape.wire()
    failed_emails: Any = _shape.quiet()
    message: str | None = _shape.quiet()
    mailing_id: int | None = _shape.wire()
    not_active: Any = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


class SendKind(enum.StrEnum):
    """Say what became of a recipient, or of a call with many."""

    SENT = "sent"
    """The vendor took it; whether a mailbox did is another matter."""
    REJECTED = "rejected"
    """The vendor said no: nothing was sent."""
    NOT_SENT = "not_sent"
    """The vendor has not seen it: sending it again is safe."""
    UNKNOWN = "unknown"
    """It may have been sent. Never send it again without looking."""


@attrs.frozen
class SendOutcome:
    """Say what became of one recipient.

    Attributes:
        recipient: As it was given.
        kind: What became of it.
        reason: The vendor's words, when it says why not.
    """

    recipient: str = attrs.field(repr=_shape.show_address)
    kind: SendKind
    reason: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class SentChunk:
    """Say what became of one call of `transactional.send_many`.

    Attributes:
        index: Which call, from 0.
        first: Place of its first recipient in the input, from 0.
        recipients: Those of this call, in input order.
        kind: What became of the call; SENT may still hold recipients that the vendor refused: see `outcomes`.
        reason: Why not, in words that may stand in a log.
        result: The vendor's answer, when there was one.
        error: What was raised, when something was.
    """

    index: int
    first: int
    recipients: tuple[str, ...] = attrs.field(repr=lambda them: f"‹{len(them)}›")
    kind: SendKind
    reason: str | None = None
    result: SendResult | None = attrs.field(default=None, repr=False)
    error: OngageError | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def outcomes(self) -> tuple[SendOutcome, ...]:
        """One outcome per recipient, in input order."""
        if self.kind is SendKind.SENT and self.result is not None:
            return per_recipient(self.recipients, self.result)
        return tuple(SendOutcome(each, self.kind, self.reason) for each in self.recipients)

    def __len__(self) -> int:
        return len(self.recipients)


def per_recipient(recipients: Sequence[str], result: SendResult) -> tuple[SendOutcome, ...]:
    """Tell the vendor's answer to one send recipient by recipient.

    Args:
        recipients: As sent.
        result: The answer.
    """
    named = {key: reason for source in (result.failed_emails, result.not_active) for key, reason in _named(source)}
    refused = [each for each in recipients if _key(each) in named]
    rest = _rest(result, len(recipients), len(refused))
    return tuple(
        SendOutcome(each, SendKind.REJECTED, named[_key(each)])
        if _key(each) in named
        else SendOutcome(each, rest, result.message if rest is SendKind.REJECTED else None)
        for each in recipients
    )


def _rest(result: SendResult, size: int, refused: int) -> SendKind:
    """Return the kind of those whom the answer does not name."""
    left = size - refused
    if result.success is not None and result.success >= left > 0 and (result.failed or 0) <= refused:
        return SendKind.SENT
    if result.failed is not None and result.failed >= size and not result.success:
        return SendKind.REJECTED
    if result.success is None and result.failed is not None and result.failed <= refused:
        return SendKind.SENT
    return SendKind.UNKNOWN


def _key(recipient: str) -> str:
    return recipient.strip().lower()


def _named(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield recipient and reason from an array of addresses or objects, or an object address → reason."""
    match value:
        case str():
            yield _key(value), None
        case list():
            for item in value:
                yield from _named(item)
        case Mapping() if isinstance(address := value.get("email", value.get("recipient")), str):
            reason = value.get("reason", value.get("message"))
            yield _key(address), reason if isinstance(reason, str) else None
        case Mapping():
            for key, detail in value.items():
                if key.isdecimal() and isinstance(detail, (str, Mapping)):  # "0": "a@b.c", as PHP numbers an array
                    yield from _named(detail)
                else:
                    yield _key(key), detail if isinstance(detail, str) else None
