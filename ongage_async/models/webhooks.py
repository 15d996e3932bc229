"""What the vendor tells by webhook. Reading a delivery is `ongage_async.webhook`. Source: vendor page §3.22."""

# the calls in class bodies make attrs fields

from collections.abc import Mapping
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class WebhookStatus(OpenStrEnum):
    """Say what happened to an address; a new word of the vendor's is kept."""

    SOFT_BOUNCE = "soft"
    HARD_BOUNCE = "hard"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"


@attrs.frozen(kw_only=True, slots=False)
class WebhookEvent:
    """Hold one thing that happened; it carries no time and no id of its own.

    Attributes:
        status: What happened.
        email: To whom; repr shows its first letter.
        list_id: In which list.
        esp_name: Through which sending vendor.
        extra: What this version does not know.
    """

    status: WebhookStatus = attrs.field(metadata={_shape.STRICT: True})
    email: str | None = _shape.wire(show=_shape.show_address)
    list_id: int | None = _shape.wire()
    esp_name: str | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()
