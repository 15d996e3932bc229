"""The vendor's "mutation result" of contact writes, gathered row by row.

Pure. Source: vendor page §3.3 (key set from client code).
"""

from typing import Any, Literal

from attrs import define, field

from ongage_async.emulator._answers import object_or_empty
from ongage_async.emulator._contacts import Contact
from ongage_async.emulator.readings import Readings

__all__ = ["Mutation"]

Outcome = Literal["created", "updated", "revived"]


@define
class Mutation:
    """Gather what became of each row of a contacts call."""

    readings: Readings
    rows: int
    _done: dict[str, dict[str, str]] = field(factory=lambda: {"created": {}, "updated": {}, "revived": {}}, init=False)
    _counts: dict[str, int] = field(factory=lambda: {"created": 0, "updated": 0, "revived": 0}, init=False)
    _failed: int = field(default=0, init=False)
    _reasons: dict[str, str] = field(factory=dict, init=False)

    def succeed(self, outcome: Outcome, sent: str, contact: Contact) -> None:
        """Note a row that was carried out."""
        key = sent if self.readings.result_keys == "sent" else contact.email
        self._done[outcome][key] = contact.id
        self._counts[outcome] += 1

    def fail(self, sent: str, reason: str) -> None:
        """Note a row that was not."""
        self._failed += 1
        self._reasons[sent] = reason

    def view(self) -> dict[str, Any]:
        """Return the payload: counts, and objects by address or ``[]``."""
        done = self._done
        shown: dict[str, Any] = {"rows": self.rows, "success": sum(self._counts.values()), "failed": self._failed}
        for outcome, emails in done.items():
            shown[outcome] = self._counts[outcome]
            shown[f"{outcome}_emails"] = object_or_empty(emails)
        shown["success_emails"] = object_or_empty({**done["created"], **done["updated"], **done["revived"]})
        shown["failed_emails"] = self._failed_emails()
        return shown

    def _failed_emails(self) -> Any:
        if self.readings.failed_emails == "reason":
            return object_or_empty(self._reasons)
        return list(self._reasons) if self.readings.failed_emails == "list" else []
