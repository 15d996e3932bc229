"""One import: what was asked, how far it is, and the two shapes in which the vendor shows it.

No I/O and no waiting: `_imports.py` moves the job on. Source: vendor page §4.2 to §4.4.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, define, field, frozen

__all__ = ["ERROR", "INVALID", "Counts", "ImportJob", "ImportRequest", "Script", "Step"]

QUEUED, VALIDATING, PROCESSING, COMPLETED, UPDATING_STATS = 40001, 40010, 40002, 40003, 40004
ERROR, INVALID = 90001, 90008
_DESCRIPTIONS = {
    QUEUED: "Queued",
    VALIDATING: "Validating",
    PROCESSING: "Processing",
    COMPLETED: "Complete",  # the sample's word; the table says Completed
    UPDATING_STATS: "Updating list stats",
    ERROR: "Error",
    INVALID: "Invalid",
}
FINAL_ERRORS_FROM = 90000


@frozen(kw_only=True)
class ImportRequest:
    """Hold the parameters of ``POST /api/import`` (§4.2), checked."""

    list_id: int
    file_url: str
    csv_delimiter: str = ","
    encoding: str = "UTF-8"
    overwrite: bool = False
    ignore_empty: bool = False
    overwrite_only_nulls: bool = False
    send_welcome_message: bool = False
    fields: Mapping[str, Any] | None = None
    import_action: str = "add"
    import_type: str = "sending"


@define
class Counts:
    """Count what became of the rows, one kind of failure each."""

    total: int = 0
    success: int = 0
    duplicate: int = 0
    existing: int = 0
    not_existing: int = 0
    incomplete: int = 0
    invalid: int = 0

    def shown(self, reading: str) -> dict[str, str]:
        """Return the counters as texts; `reading` is `Readings.counters`."""
        failures = self.existing + self.not_existing + self.incomplete + self.invalid
        failed = failures + (self.duplicate if reading == "sum" else 0)
        return {
            "total": str(self.total),
            "success": str(self.success),
            "failed": str(failed),
            "duplicate": str(self.duplicate),
            "existing": str(self.existing),
            "not_existing": str(self.not_existing),
            "incomplete": str(self.incomplete),
            "invalid": str(self.invalid),
        }


@frozen
class Step:
    """Describe one line of a scripted import.

    Args:
        status: The status to show; any number.
        for_s: How long it stands; None means until it was shown once.
        progress: Percent shown.
        info: The ``status_info`` shown.
        counts: Counters shown, by name, in place of the job's own.
    """

    status: int
    for_s: float | None = None
    progress: int = 0
    info: str = ""
    counts: Mapping[str, int] = Factory(dict)


@define
class Script:
    """Walk through steps, by time or by look; the last one stays."""

    steps: Sequence[Step]
    started_at: float
    _index: int = field(default=0, init=False)
    _looked: bool = field(default=False, init=False)

    def look(self, now: float) -> Step:
        """Return the step to show now, and remember that it was shown."""
        while self._index + 1 < len(self.steps) and self._is_over(now):
            self.started_at += self.steps[self._index].for_s or 0.0
            self._index += 1
            self._looked = False
        step = self.steps[self._index]
        if step.for_s is None:
            self.started_at = now
        self._looked = True
        return step

    def _is_over(self, now: float) -> bool:
        for_s = self.steps[self._index].for_s
        return self._looked if for_s is None else now >= self.started_at + for_s


@define(kw_only=True, eq=False)
class ImportJob:
    """Hold an import as the vendor sees it."""

    id: int
    account_id: int
    request: ImportRequest
    created: int
    file: str = ""
    status: int = QUEUED
    status_info: str = ""
    progress: int = 0
    size_bytes: int = 0
    modified: int = 0
    started: int = 0
    ended: int = 0
    counts: Counts = field(factory=Counts)
    script: Script | None = None

    @property
    def is_final(self) -> bool:
        """Tell whether the import is over."""
        return self.status == COMPLETED or self.status >= FINAL_ERRORS_FROM

    def follow_script(self, now: float) -> None:
        """Take over what the script, if there is one, says for now."""
        if self.script is None:
            return
        step = self.script.look(now)
        self.status, self.progress, self.status_info = step.status, step.progress, step.info
        for name, value in step.counts.items():
            setattr(self.counts, name, value)

    def strings(self, counters: str) -> dict[str, Any]:
        """Return the shape of the collection: everything is text (§4.4)."""
        request = self.request
        return {
            "id": str(self.id),
            "action": request.import_action,
            "name": request.file_url.partition("?")[0].rsplit("/", 1)[-1],
            "file": self.file,
            "file_url": None,
            "imported_by": "1035",
            "is_override": _digit(request.overwrite),
            "send_welcome_message": _digit(request.send_welcome_message),
            "send_email_notification": "0",
            "csv_delimiter": request.csv_delimiter,
            "encoding": request.encoding,
            "ignore_empty": _digit(request.ignore_empty),
            "overwrite_only_nulls": _digit(request.overwrite_only_nulls),
            "fields": json.dumps(request.fields or []),
            "progress": str(self.progress),
            "file_size_bytes": str(self.size_bytes),
            **self.counts.shown(counters),
            "status": str(self.status),
            "status_info": self.status_info,
            "remaining": "",
            "import_process_start_time": str(self.started),
            "import_process_end_time": str(self.ended),
            "account_id": str(self.account_id),
            "list_id": str(request.list_id),
            "created": str(self.created),
            "modified": str(self.modified),
            "deleted": "0",
            "can_be_aborted": _digit(not self.is_final),
            "type": request.import_type,
            "status_desc": self._description(),
        }

    def mixed(self, counters: str) -> dict[str, Any]:
        """Return the shape of the single GET: numbers and texts side by side (§4.4)."""
        shown = self.strings(counters)
        for absent in ("file_url", "ignore_empty", "overwrite_only_nulls", "fields", "remaining", "can_be_aborted"):
            del shown[absent]
        del shown["import_process_start_time"], shown["import_process_end_time"]
        if not self.status_info:
            del shown["status_info"]
        shown.update(
            id=self.id,
            list_id=self.request.list_id,
            type="import",
            is_override=self.request.overwrite,
            save_report=False,
            send_welcome_message=self.request.send_welcome_message,
            size=shown.pop("file_size_bytes"),
            status=self.status,
            created=self.created,
            modified=self.modified,
        )
        return shown

    def _description(self) -> str:
        name = _DESCRIPTIONS.get(self.status, f"Status {self.status}")
        return f"{name} ({self.progress}%)" if self.status == PROCESSING else name


def _digit(value: bool) -> str:
    return "1" if value else "0"
