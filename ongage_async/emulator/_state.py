"""What the vendor remembers of an account: its lists, their fields and contacts, its imports.

No HTTP here. Families read and write it; tests prepare and inspect it. Source: vendor page §3.1, §3.2, §4.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from ongage_async.emulator._audience import Audience
from ongage_async.emulator._clock import Clock
from ongage_async.emulator._contacts import Contact, ContactBook
from ongage_async.emulator._fields import ListField, accept_email
from ongage_async.emulator._import_job import ImportJob
from ongage_async.emulator._list_object import list_settings
from ongage_async.emulator._messages import Messages

__all__ = ["DEFAULT_FIELDS", "MailingList", "State"]

_TEXT_FIELDS = ("name", "address", "country", "first_name", "last_name", "gender", "ip", "language", "phone", "os")
_DIGEST_DIGITS = {"md5": 32, "sha256": 64, "sha512": 128}
DEFAULT_FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "email", "title": "email", "type": "email", "mandatory": True},
    *({"name": name, "title": name.replace("_", " ").title(), "type": "string"} for name in _TEXT_FIELDS),
    {"name": "product_id", "title": "Product Id", "type": "numeric"},
)


@define(kw_only=True, eq=False)
class MailingList:
    """Hold one list: its settings, fields and contacts."""

    id: int
    type: str
    settings: dict[str, Any]
    fields: list[ListField] = field(factory=list)
    contacts: ContactBook
    deleted: int | None = None

    def field(self, name: str) -> ListField | None:
        """Return the field of a name."""
        return next((own for own in self.fields if own.name == name), None)

    def accept_address(self, value: Any) -> str:
        """Return an address as this list stores it; a hashed suppression list takes digests instead.

        Raises:
            ValueError: It is neither.
        """
        digits = _DIGEST_DIGITS.get(self.settings["hash_type"])
        if digits is None:
            return accept_email(value)
        text = value.strip().lower() if isinstance(value, str) else ""
        if len(text) != digits or text.strip("0123456789abcdef"):
            raise ValueError(f"Please insert a valid {self.settings['hash_type']} hash")
        return text

    def add_contact(self, email: str, **values: Any) -> Contact:
        """Store a contact without asking anybody, to prepare a test."""
        return self.contacts.add(accept_email(email), values, created=self.settings["created"])

    def contact(self, email: str) -> dict[str, Any] | None:
        """Return the contact object of an address, or None, to inspect a test's end."""
        contact = self.contacts.get(email.strip().lower())
        return None if contact is None or contact.deleted else self.view(contact)

    def view(self, contact: Contact) -> dict[str, Any]:
        """Return a contact object with this list's fields."""
        return self.contacts.view(contact, [own.name for own in self.fields])


@define(eq=False)
class State:
    """Hold everything that outlives a call.

    Args:
        clock: Makes the timestamps.
        account_id: The numeric id of the account (not its code).
        default_list_id: The list that calls act on which name none (§1.3).
    """

    clock: Clock
    account_id: int = 60306
    default_list_id: int = 60299
    lists: dict[int, MailingList] = field(factory=dict, init=False)
    imports: dict[int, ImportJob] = field(factory=dict, init=False)
    audience: Audience = field(factory=Audience, init=False)
    messages: Messages = field(factory=Messages, init=False)
    zip_password: str | None = field(default=None, init=False)
    _last_ids: dict[str, int] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.add_list("my sending list", list_id=self.default_list_id)

    @property
    def default_list(self) -> MailingList:
        """Return the account's default list."""
        return self.lists[self.default_list_id]

    def next_id(self, kind: str, first: int) -> int:
        """Return a new number of its kind."""
        self._last_ids[kind] = self._last_ids.get(kind, first - 1) + 1
        return self._last_ids[kind]

    def add_list(
        self,
        name: str,
        *,
        type: str = "sending",  # noqa: A002 - the vendor's noun
        fields: Sequence[Mapping[str, Any]] | None = None,
        list_id: int | None = None,
        **settings: Any,
    ) -> MailingList:
        """Make a list.

        Args:
            name: Its name.
            type: ``sending`` or ``suppression``.
            fields: Field objects; None means the default set.
            list_id: Its number; None for the next one.
            **settings: Keys of the list object, such as ``imports_concurrent_limit``.
        """
        number = self.next_id("list", self.default_list_id + 1) if list_id is None else list_id
        mailing_list = MailingList(
            id=number,
            type=type,
            settings=list_settings(name, self.clock.unix(), settings),
            contacts=ContactBook(number),
        )
        self.lists[number] = mailing_list
        for position, each in enumerate(DEFAULT_FIELDS if fields is None else fields):
            self.add_field(mailing_list, {"position": position, **each})
        return mailing_list

    def add_field(self, mailing_list: MailingList, given: Mapping[str, Any]) -> ListField:
        """Make a field of a list from a checked field object."""
        now = self.clock.unix()
        made = ListField(
            id=self.next_id("field", 900001),
            account_id=self.account_id,
            list_id=mailing_list.id,
            name=given["name"],
            title=given.get("title") or given["name"],
            type=given["type"],
            format=given.get("format") or "",
            default=given.get("default"),
            mandatory=bool(given.get("mandatory", False)),
            position=int(given.get("position") or 0),
            created=now,
            modified=now,
        )
        mailing_list.fields.append(made)
        return made

    def live_lists(self) -> Iterator[MailingList]:
        """Go through the lists that are not deleted."""
        return (each for each in self.lists.values() if each.deleted is None)

    def find_field(self, field_id: int) -> tuple[MailingList, ListField] | None:
        """Return a field of any live list, with its list."""
        for mailing_list in self.live_lists():
            for own in mailing_list.fields:
                if own.id == field_id:
                    return mailing_list, own
        return None
