"""Counts of contacts, made in the background. Source: vendor page §3.4."""

from collections.abc import Mapping
from typing import Any

import attrs

from ongage_async.models import _shape


@attrs.frozen(kw_only=True, slots=False)
class ContactCount:
    """Hold one count; until it is done all numbers are None.

    Attributes:
        total: Sum of the four, from the answer's metadata; that it is null until the count is done is from another
            client's code.
    """

    id: int
    total: int | None = _shape.wire(strict=True)
    active: int | None = _shape.wire()
    bounced: int | None = _shape.wire()
    complaint: int | None = _shape.wire()
    unsubscribed: int | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def is_final(self) -> bool:
        """Whether the count is done."""
        return self.total is not None
