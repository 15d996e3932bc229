"""Suppression: what a call does with addresses, and what became of them. Source: vendor page §3.9."""

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from ongage_async.models import _shape


class SuppressionAction(enum.StrEnum):
    """Name what `suppression.update` does with addresses."""

    ADD = "add"
    REMOVE = "remove"


@attrs.frozen(kw_only=True, slots=False)
class SuppressionResult:
    """Hold the answer to a change of a suppression list: how many were given, and how many done."""

    rows: int | None = _shape.wire()
    success: int | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()
