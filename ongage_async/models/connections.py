"""Sending connections, and the validation of addresses. Source: vendor page §3.19 and §3.20."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class Esp(enum.IntEnum):
    """Name the vendors of sending connections whose number is known; there are others, so any number may be given."""

    AMAZON_SES = 4
    SMTP_COM = 9
    DYN = 10
    SENDGRID = 19
    SOCKETLABS = 43
    MYSMTP = 51
    MAILGUN = 58
    PRIVATE_SMTP = 59
    MANDRILL = 61
    MAILJET_V3 = 81
    SPARKPOST = 86
    INBOXROAD = 92
    SPARKPOST_ENTERPRISE = 93
    OPENTEXT = 97
    SPARKPOST_MOMENTUM = 110
    """Client code only."""
    BIRD = 131


@attrs.frozen(kw_only=True, slots=False)
class EspConnection:
    """Hold a sending connection, as an option to choose from or as one just made."""

    id: int
    name: str | None = _shape.wire()
    esp_id: int | None = _shape.wire()
    esp_name: str | None = _shape.wire()
    support_transactional: bool | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    creator_id: int | None = _shape.quiet()
    currency: str | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    unsubscribe_keywords: Any = _shape.quiet()
    help_message_id: Any = _shape.quiet()
    help_transactional_id: Any = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


class Deliverability(OpenStrEnum):
    """Say whether an address takes mail."""

    DELIVERABLE = "Deliverable"
    UNKNOWN_ADDRESS = "Unknown"
    """The vendor could not find out; not to be taken for a word that this version does not know."""
    RISKY = "Risky"
    UNDELIVERABLE = "Undeliverable"


@attrs.frozen(kw_only=True, slots=False)
class AddressVerdict:
    """Hold what the validation says of one address."""

    status: Deliverability = attrs.field(metadata={_shape.STRICT: True})
    reason: str | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()
