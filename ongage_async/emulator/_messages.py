"""What the message families remember: library, mailings, campaigns, events, connections, and what went out.

No HTTP here. Families read and write it; tests prepare it and read the outbox (``emulator.state.messages``). Source:
vendor page §3.12 to §3.20.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from ongage_async.emulator._mailing import Mailing

__all__ = ["Messages", "SentMessage", "texts"]

Rows = dict[int, dict[str, Any]]


def texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as most of these families show it: numbers and flags as text, ``deleted`` as ``"0"`` (§1.4)."""
    shown = {key: _text(value) for key, value in row.items()}
    if "deleted" in row and row["deleted"] is None:
        shown["deleted"] = "0"
    return shown


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else value


@frozen(kw_only=True)
class SentMessage:
    """Say that a transactional message went to a recipient.

    Args:
        recipient: As sent.
        list_id: List of the call.
        campaign_id: Campaign it counts under.
        message_id: Message of the library; None for one that came with the call.
        subject: Its subject.
        content: Its text.
        fields: Values of its dynamic fields for this recipient.
        connection_id: Connection that was asked for.
        at: Unix time.
    """

    recipient: str
    list_id: int
    campaign_id: int
    message_id: int | None
    subject: str
    content: str
    fields: Mapping[str, Any]
    connection_id: int | None
    at: int


def _connections() -> Rows:
    return {
        12345: {"id": 12345, "esp_id": 4, "esp_name": "Amazon SES", "name": "ses", "support_transactional": True},
        12346: {"id": 12346, "esp_id": 59, "esp_name": "Private SMTP", "name": "own", "support_transactional": False},
    }


@define(eq=False)
class Messages:
    """Hold what the message families remember.

    Args:
        sending_s: Seconds from the launch of a mailing to its completion.
        credits: Address validations that are left.
        verdicts: Address → ``(status, reason)`` of its validation; others are deliverable.
    """

    sending_s: float = 0.0
    credits: int = 1000
    verdicts: dict[str, tuple[str, str]] = field(factory=dict)
    mailings: dict[int, Mailing] = field(factory=dict, init=False)
    campaigns: Rows = field(factory=dict, init=False)
    emails: Rows = field(factory=dict, init=False)
    smses: Rows = field(factory=dict, init=False)
    tags: Rows = field(factory=dict, init=False)
    images: Rows = field(factory=dict, init=False)
    folders: Rows = field(factory=dict, init=False)
    events: Rows = field(factory=dict, init=False)
    connections: Rows = field(factory=_connections, init=False)
    addresses: Rows = field(factory=dict, init=False)
    outbox: list[SentMessage] = field(factory=list, init=False)
    stats: list[dict[str, Any]] = field(factory=list, init=False)

    def add_email(self, email_id: int, **row: Any) -> dict[str, Any]:
        """Put a message into the library without asking anybody, to prepare a test."""
        self.emails[email_id] = email_row(email_id, row)
        return self.emails[email_id]

    def has_message(self, message_id: Any) -> bool:
        """Tell whether the library has an email or an SMS message."""
        return isinstance(message_id, int) and (message_id in self.emails or message_id in self.smses)


_EMAIL_KEYS = (
    *("type", "account_id", "list_id", "name", "description", "subject", "content_html", "content_text"),
    *("unsubscribe_default_link", "unsubscribe_success_html", "unsubscribe_confirmation_html"),
    *("unsubscribe_confirmation_button", "created", "modified", "deleted", "mailing_id"),
)


def email_row(email_id: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an email object with all of its keys (§3.14)."""
    first = {"type": "email_message", "unsubscribe_default_link": True, "parent_id": 0, "favorite": False}
    return {"id": email_id, **dict.fromkeys(_EMAIL_KEYS), **first, **given}
