"""Load many contacts: check a file, put it where the vendor fetches it, follow the import, account for every row.

The public names of bulk loading, each imported when it is first used. The ways in are ``ongage.imports.run`` for files,
``ongage.contacts.upsert_many`` and ``coalesced`` for rows.
"""

import typing as _typing

from ongage_async import _lazy

if _typing.TYPE_CHECKING:
    from ongage_async.bulk._coalesce import Coalesced
    from ongage_async.bulk._fields import FieldRule
    from ongage_async.bulk._filedrop import FileDrop
    from ongage_async.bulk._forecast import Forecast, Pace
    from ongage_async.bulk._journal import Entry, Journal, MemoryJournal
    from ongage_async.bulk._many import Many
    from ongage_async.bulk._many_report import ManyReport
    from ongage_async.bulk._open import open_stage
    from ongage_async.bulk._parts import Packing
    from ongage_async.bulk._plan import Plan, plan
    from ongage_async.bulk._ports import Progress
    from ongage_async.bulk._prepare import Order
    from ongage_async.bulk._report import ImportReport, PartReport, VendorCounts
    from ongage_async.bulk._run import resume, run
    from ongage_async.bulk._sqlite_journal import SqliteJournal
    from ongage_async.bulk._stage import Fetch, HostedFile, Stage, StagedFile, UrlStage
else:
    __getattr__, __dir__ = _lazy.lazily(
        __name__,
        {
            "_coalesce": "Coalesced",
            "_fields": "FieldRule",
            "_filedrop": "FileDrop",
            "_forecast": "Forecast Pace",
            "_journal": "Entry Journal MemoryJournal",
            "_many": "Many",
            "_many_report": "ManyReport",
            "_open": "open_stage",
            "_parts": "Packing",
            "_plan": "Plan plan",
            "_ports": "Progress",
            "_prepare": "Order",
            "_report": "ImportReport PartReport VendorCounts",
            "_run": "resume run",
            "_sqlite_journal": "SqliteJournal",
            "_stage": "Fetch HostedFile Stage StagedFile UrlStage",
        },
    )

__all__ = [
    "Coalesced",
    "Entry",
    "Fetch",
    "FieldRule",
    "FileDrop",
    "Forecast",
    "HostedFile",
    "ImportReport",
    "Journal",
    "Many",
    "ManyReport",
    "MemoryJournal",
    "Order",
    "Pace",
    "Packing",
    "PartReport",
    "Plan",
    "Progress",
    "SqliteJournal",
    "Stage",
    "StagedFile",
    "UrlStage",
    "VendorCounts",
    "open_stage",
    "plan",
    "resume",
    "run",
]
