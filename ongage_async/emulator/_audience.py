"""What the vendor remembers of questions about contacts: segments, and jobs that answer by the emulator's clock.

Here lives the storage; which contacts meet criteria is `_criteria.py`, what the API makes of it is in `families/`.
Source: vendor page §3.4 to §3.8, §3.11.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field

__all__ = ["Audience", "Job", "csv_of", "zip_of"]

PENDING, COMPLETED, FAILED = 1, 2, 3  # 3 by client code only


@define(kw_only=True, eq=False)
class Job:
    """Hold one count, search, report or export; what it answers is found when it is made, and shown when it is due.

    Args:
        id: Its number.
        list_id: The list that was asked.
        created: Unix time.
        due_at: When it is done, on the emulator's clock.
        asked: The body that made it.
        rows: The contacts that it found.
        numbers: What it counted.
        end: The status that it ends with.
    """

    id: int
    list_id: int
    created: int
    due_at: float
    asked: Mapping[str, Any]
    rows: Sequence[dict[str, Any]] = ()
    numbers: Mapping[str, int] = field(factory=dict)
    end: int = COMPLETED

    def status(self, now: float) -> int:
        """Return its status at a time of the emulator's clock."""
        return self.end if now >= self.due_at else PENDING

    def is_ready(self, now: float) -> bool:
        """Tell whether its answer is there."""
        return self.status(now) == COMPLETED


@define(eq=False)
class Audience:
    """Hold segments and jobs; the settings may be changed at any time.

    Args:
        ready_s: How long a job takes.
        end: The status that searches and reports made from now on end with: 2 completed, 3 failed.
    """

    ready_s: float = 0.02
    end: int = COMPLETED
    segments: dict[int, dict[str, Any]] = field(factory=dict, init=False)
    recipients: dict[int, list[str]] = field(factory=dict, init=False)
    counts: dict[int, Job] = field(factory=dict, init=False)
    reports: dict[str, dict[int, Job]] = field(factory=dict, init=False)
    exports: dict[int, Job] = field(factory=dict, init=False)

    def family(self, name: str) -> dict[int, Job]:
        """Return the jobs of one family of reports."""
        return self.reports.setdefault(name, {})


def csv_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Return rows as CSV with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([["" if row.get(name) is None else row[name] for name in columns] for row in rows])
    return text.getvalue().encode()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP that holds files by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return packed.getvalue()
