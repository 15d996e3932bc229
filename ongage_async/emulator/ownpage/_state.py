"""What Ownpage remembers of an account: lists and subscribers, files, events, exports, templates, sent emails.

No HTTP here. `_routes.py` and `_files.py` read and write it; tests prepare and inspect it. Source: vendor page §5.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from ongage_async.emulator._clock import Clock
from ongage_async.emulator.ownpage.readings import OwnpageReadings

__all__ = ["File", "OwnpageList", "OwnpageState", "Subscriber", "Upsert", "is_address", "iso"]

is_address = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\".]+(?:\.[^\s@,;<>\".]+)+").fullmatch
_CAUSES = ("READER", "PUBLISHER")


def iso(unix: int | None) -> str | None:
    """Return a timestamp as the vendor writes it."""
    return None if unix is None else dt.datetime.fromtimestamp(unix, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@define(kw_only=True, eq=False)
class Subscriber:
    """Hold one subscriber."""

    email: str
    guid: str
    subscribed: bool = True
    subscribed_at: int | None = None
    unsubscribed_at: int | None = None
    unsubscribed_cause: str | None = None
    data: dict[str, Any] = field(factory=dict)

    def view(self) -> dict[str, Any]:
        """Return it as it goes on the wire."""
        return {
            "email": self.email,
            "guid": self.guid,
            **self.data,
            "subscribed": self.subscribed,
            "subscribed_at": iso(self.subscribed_at),
            "unsubscribed_at": iso(self.unsubscribed_at),
            "unsubscribed_cause": self.unsubscribed_cause,
            "last_sent_at": None,
            "last_open_at": None,
            "last_click_at": None,
            "send_count": 0,
            "open_count": 0,
            "click_count": 0,
        }


@define(eq=False)
class Upsert:
    """Gather what one call or file did."""

    unique_emails_count: int = 0
    duplicate_emails_count: int = 0
    duplicate_guid_count: int = 0
    nb_created: int = 0
    nb_subscribed: int = 0
    nb_unsubscribed: int = 0
    nb_data_changed: int = 0
    errors: list[str] = field(factory=list)
    emails: set[str] = field(factory=set)
    guids: set[str] = field(factory=set)

    def view(self, errors: str) -> dict[str, Any]:
        """Return the summary; `errors` is the reading of that name."""
        told: Any = self.errors
        if errors == "objects":
            told = [{"message": sentence} for sentence in self.errors]
        if errors == "number":
            told = len(self.errors)
        names = ("unique_emails_count", "duplicate_emails_count", "duplicate_guid_count", "nb_created")
        more = ("nb_subscribed", "nb_unsubscribed", "nb_data_changed")
        return {"errors": told, **{name: getattr(self, name) for name in (*names, *more)}}


@define(kw_only=True, eq=False)
class OwnpageList:
    """Hold one list with its subscribers, by address in lower case."""

    id: int
    name: str
    created: int
    readings: OwnpageReadings
    subscribers: dict[str, Subscriber] = field(factory=dict, repr=False)

    def view(self) -> dict[str, Any]:
        """Return it as it goes on the wire."""
        return {"id": self.id, "name": self.name, "created_at": iso(self.created), "updated_at": iso(self.created)}

    def get(self, email: str) -> Subscriber | None:
        """Return a subscriber by address."""
        return self.subscribers.get(email.lower())

    def put(self, row: Mapping[str, Any], now: int, done: Upsert) -> None:
        """Create or change one subscriber and count what was done."""
        email = str(row.get("email") or "").strip()
        if not is_address(email):
            done.errors.append(f"email is not valid {email}")
            return
        guid = str(row.get("guid") or "") or hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
        if email.lower() in done.emails:
            done.duplicate_emails_count += 1
            return
        if guid in done.guids:
            done.duplicate_guid_count += 1
            return
        done.emails.add(email.lower())
        done.guids.add(guid)
        done.unique_emails_count += 1
        self._store(email, guid, row, now, done)

    def _store(self, email: str, guid: str, row: Mapping[str, Any], now: int, done: Upsert) -> None:
        known = self.get(email)
        if known is None:
            stored = email if self.readings.stored_email == "as_sent" else email.lower()
            known = self.subscribers[email.lower()] = Subscriber(email=stored, guid=guid, subscribed=False)
            done.nb_created += 1
            wish = _flag(row.get("subscribed"))
            self._subscribe(known, True if wish is None else wish, row, now, done, new=True)
        else:
            known.guid = guid if row.get("guid") else known.guid
            wish = _flag(row.get("subscribed"))
            self._subscribe(known, known.subscribed if wish is None else wish, row, now, done)
        data = {key: value for key, value in row.items() if key.startswith("data_")}
        if known.data | data != known.data:
            done.nb_data_changed += 1
        known.data |= data

    def _subscribe(
        self, known: Subscriber, wish: bool, row: Mapping[str, Any], now: int, done: Upsert, *, new: bool = False
    ) -> None:
        if wish == known.subscribed and not new:
            return
        known.subscribed = wish
        if wish:
            known.subscribed_at, known.unsubscribed_at, known.unsubscribed_cause = now, None, None
            done.nb_subscribed += 1
        else:
            cause = row.get("unsubscribed_cause")
            known.unsubscribed_at, known.unsubscribed_cause = now, cause if cause in _CAUSES else "READER"
            done.nb_unsubscribed += 1

    def counts(self) -> dict[str, Any]:
        """Return the counts as they go on the wire."""
        everybody = self.subscribers.values()
        causes: dict[str, int] = {"HARD_BOUNCE": 0, "MULTIPLE_BOUNCES": 0, "PUBLISHER": 0, "READER": 0}
        for each in everybody:
            if not each.subscribed and each.unsubscribed_cause:
                causes[each.unsubscribed_cause] += 1
        subscribed = sum(each.subscribed for each in everybody)
        return {"subscribed": subscribed, "unsubscribed": len(everybody) - subscribed, "cause": causes}


def _flag(value: Any) -> bool | None:
    """Return what ``subscribed`` says; anything unclear counts as not given (seed S4)."""
    return {"true": True, "false": False}.get(str(value).strip().lower())


@define(kw_only=True, eq=False)
class File:
    """Hold one imported file."""

    id: int
    list_id: int
    url: str
    created: int
    size: int | None = None
    status: str = "uploaded"
    done: Upsert = field(factory=Upsert)
    problem: str = ""

    def view(self) -> dict[str, Any]:
        """Return it as it goes on the wire (seed S4)."""
        name = self.url.partition("?")[0].rsplit("/", 1)[-1]
        return {
            "id": self.id,
            "name": name,
            "url": self.url,
            "mediatype": "text",
            "subtype": "csv",
            "created_at": iso(self.created),
            "size": self.size,
            "status": self.status,
            "email_list_id": self.list_id,
        }


@define(eq=False)
class OwnpageState:
    """Hold everything that outlives a call.

    Args:
        clock: Makes the timestamps.
        readings: Switches for the unknown.
        first_list_id: The number of the list that is there from the beginning.
    """

    clock: Clock
    readings: OwnpageReadings
    first_list_id: int = 123
    lists: dict[int, OwnpageList] = field(factory=dict, init=False)
    files: dict[int, File] = field(factory=dict, init=False)
    events: dict[tuple[str, str], str] = field(factory=dict, init=False)
    exports: dict[str, tuple[str, str, float]] = field(factory=dict, init=False)
    templates: list[dict[str, Any]] = field(factory=list, init=False)
    outbox: list[dict[str, Any]] = field(factory=list, init=False)
    sign_ups: list[dict[str, Any]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.add_list("First list", list_id=self.first_list_id)

    @property
    def first_list(self) -> OwnpageList:
        """Return the list that is there from the beginning."""
        return self.lists[self.first_list_id]

    def add_list(self, name: str, *, list_id: int | None = None) -> OwnpageList:
        """Make a list."""
        number = max(self.lists, default=0) + 1 if list_id is None else list_id
        made = OwnpageList(id=number, name=name, created=self.clock.unix(), readings=self.readings)
        self.lists[number] = made
        return made

    def add_template(self, name: str) -> dict[str, Any]:
        """Make a template."""
        now = iso(self.clock.unix())
        made = {"id": len(self.templates) + 1, "name": name, "created_at": now, "updated_at": now}
        self.templates.append(made)
        return made

    def add_events(self, kind: str, day: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Lay down a day's events."""
        lines = [",".join(columns), *(",".join(row) for row in rows)]
        self.events[kind, day] = "\n".join(lines) + "\n"
