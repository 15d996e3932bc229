"""Read what the vendor sends to your endpoint: bounces, unsubscribes, complaints. Source: vendor page §3.22.

The vendor POSTs a JSON array every ten minutes, with everything since the last delivery, and keeps what was not
delivered. It describes no signature: let the endpoint's path hold a secret, and take nothing for proven that comes.
Answer 2xx only when the events are stored; after anything else the same ones come again, so store them in such a way
that a second time changes nothing. Opens and clicks do not come this way.

    @app.post("/ongage/{secret}")
    async def receive(request: Request) -> Response:
        for event in ongage_async.webhook.parse(await request.body()):
            ...
"""

import json
from typing import Any, NoReturn

from ongage_async.errors import DecodeError
from ongage_async.models import WebhookEvent, WebhookStatus
from ongage_async.models._converter import OnDrift, structure_many

__all__ = ["WebhookEvent", "WebhookStatus", "parse"]

_NAME = "webhook.parse"


def parse(body: bytes | str, *, on_drift: OnDrift | None = None) -> tuple[WebhookEvent, ...]:
    """Read one delivery.

    New kinds of events and unknown keys are kept: an unknown `status` is one whose `is_known` is false. A delivery is
    read as a whole or not at all, so that none of it is acknowledged by mistake.

    Args:
        body: As received.
        on_drift: Told once for each unknown key and value.

    Returns:
        The events in the vendor's order; empty for an empty array.

    Raises:
        DecodeError: It is no JSON array of objects with a `status`: somebody else sends here. `path` says where.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        _refuse("it is no JSON", "$")
    if not isinstance(document, list):
        _refuse("it is no array", "$")
    for number, item in enumerate(document):
        if not isinstance(item, dict):
            _refuse("an object was expected", f"$[{number}]")
    return _read(document, on_drift)


def _read(document: list[Any], on_drift: OnDrift | None) -> tuple[WebhookEvent, ...]:
    try:
        return structure_many(WebhookEvent, document, operation=_NAME, on_drift=on_drift)
    except DecodeError as error:
        _refuse("a status was expected", error.path.replace("$.payload", "$", 1))


def _refuse(reason: str, path: str) -> NoReturn:
    raise DecodeError(f"not a delivery of Ongage's webhook: {reason} at {path}", path=path, operation=_NAME) from None
