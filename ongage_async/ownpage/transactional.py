"""Transactional emails and their templates. Source: vendor page §5 #13, #14."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import attrs

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import Page
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import OwnpageTemplate, SentEmail
from ongage_async.ownpage._session import ListCaller
from ongage_async.resources._answers import Each, Reader
from ongage_async.resources._inputs import given, text

PAGE = Operation("templates.page", "GET", "/transactional/templates", Repeat.SAFE, list_in=ListIn.NOWHERE)
SEND = Operation("transactional.send", "POST", "/transactional/send", Repeat.NEVER, list_in=ListIn.NOWHERE)
"""The vendor's page does not show the path (vendor page §5 #14): this one is a guess, hence `route=`."""

Person = str | Mapping[str, str]


class Templates:
    """Read the templates of transactional emails; they are made in Ownpage's own user interface."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def page(self) -> Page[OwnpageTemplate]:
        """Get all templates: this endpoint has one page only.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #13 (vendor doc).
        """
        return self._read.page(OwnpageTemplate, await self._caller.call(PAGE), PAGE, offset=0, limit=None)

    def each(self) -> AsyncIterator[OwnpageTemplate]:
        """Iterate over all templates; the iterator may be left at any time.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #13 (vendor doc).
        """

        async def fetch(_offset: int, _limit: int) -> Page[OwnpageTemplate]:
            page = await self.page()
            return Page(page.items, len(page))

        return Each(fetch, key=lambda item: item.id)


class Transactional:
    """Send transactional emails: they reach people at once and cannot be called back."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def send(
        self,
        *,
        subject: str,
        sender: Person,
        to: Sequence[Person] | Person,
        cc: Sequence[Person] = (),
        bcc: Sequence[Person] = (),
        reply_to: Person | None = None,
        headers: Mapping[str, str] | None = None,
        attachments: Sequence[Mapping[str, str]] = (),
        html: str | None = None,
        text: str | None = None,
        template_id: int | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
        route: str = SEND.route,
    ) -> SentEmail:
        """SEND one email, at once; it cannot be called back.

        The path of this endpoint is not known: the vendor's page loses it. Look it up in your Ownpage documentation
        and give it as `route`; the default is a guess.

        Args:
            subject: Of the message.
            sender: An address, or ``{"email": …, "name": …}``.
            to: Recipients, each as `sender`; they see each other.
            cc: Further recipients.
            bcc: Further recipients that nobody sees.
            reply_to: Where answers go.
            headers: Headers of the message.
            attachments: ``{"name": …, "content": base64}`` or ``{"name": …, "url": …}``; `url` wins.
            html: Body; ignored with `template_id`.
            text: Plain body; ignored with `template_id`.
            template_id: Template of the body.
            params: Values for the template, taken as HTML: escape what people wrote.
            tags: Tags of the message.
            extra: Further keys of the request, as they are.
            route: Path after ``/v1``.

        Returns:
            The message's id; the vendor shows a preview of it for 60 days.

        Raises:
            InvalidInputError: No recipient, no body, or an attachment without a name.
            OngageError: With `outcome` UNKNOWN it may have been sent.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER: twice is two emails in somebody's inbox.
        Source: vendor page §5 #14 (vendor doc; path: inferred, since the page does not show it).
        """
        if html is None and text is None and template_id is None:
            raise InvalidInputError("the email has no body: give html=, text= or template_id=")
        body = {
            "subject": _text(subject, "subject"),
            "sender": _person(sender, "sender"),
            "to": _people([to] if isinstance(to, (str, Mapping)) else to, "to"),
            **_some(cc=_people(cc, "cc", at_least=0), bcc=_people(bcc, "bcc", at_least=0), tags=list(tags)),
            **_some(attachment=[_attachment(each) for each in attachments]),
            **given(
                replyTo=None if reply_to is None else _person(reply_to, "reply_to"),
                headers=None if headers is None else dict(headers),
                htmlContent=html,
                textContent=text,
                templateId=template_id,
                params=None if params is None else dict(params),
            ),
            **(extra or {}),
        }
        operation = SEND if route == SEND.route else attrs.evolve(SEND, route=route)
        return self._read.changed(SentEmail, await self._caller.call(operation, body=body), SEND)


_text = text


def _some(**lists: list[Any]) -> dict[str, list[Any]]:
    return {name: items for name, items in lists.items() if items}


def _people(people: Sequence[Person], name: str, *, at_least: int = 1) -> list[dict[str, str]]:
    found = [_person(person, name) for person in people]
    if len(found) < at_least:
        raise InvalidInputError(f"`{name}` is empty: give at least one address")
    return found


def _person(person: Person, name: str) -> dict[str, str]:
    if isinstance(person, Mapping):
        return {**person, "email": _text(person.get("email"), f"the email of `{name}`")}
    return {"email": _text(person, f"`{name}`")}


def _attachment(attachment: Mapping[str, str]) -> dict[str, str]:
    _text(attachment.get("name"), "the name of an attachment")
    if not attachment.get("content") and not attachment.get("url"):
        raise InvalidInputError("an attachment has neither `content` (base64) nor `url`")
    return dict(attachment)
