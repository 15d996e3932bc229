"""Load many contacts: check a file, put it where the vendor fetches it, follow the import, account for every row.

The public names of bulk loading, each imported when it is first used. The ways in are ``ongage.imports.run`` for files,
``ongage.contacts.upsert_many`` and ``coalesced`` for rows.
"""

import typing as _typing

from ongage_async import _lazy

if _typing.TYPE_CHECKING:
    from ongage_async.bulk._fields import FieldRule
    from ongage_async.bulk._ports import Progress
    from ongage_async.bulk.check._parts import Packing
    from ongage_async.bulk.load._forecast import Forecast, Pace
    from ongage_async.bulk.load._journal import Entry, Journal, MemoryJournal
    from ongage_async.bulk.load._plan import Plan, plan
    from ongage_async.bulk.load._prepare import Order
    from ongage_async.bulk.load._report import ImportReport, PartReport, VendorCounts
    from ongage_async.bulk.load._run import resume, run
    from ongage_async.bulk.load._sqlite_journal import SqliteJournal
    from ongage_async.bulk.many._coalesce import Coalesced
    from ongage_async.bulk.many._many import Many
    from ongage_async.bulk.many._many_report import ManyReport
    from ongage_async.bulk.stages._filedrop import FileDrop
    from ongage_async.bulk.stages._open import open_stage
    from ongage_async.bulk.stages._stage import Fetch, HostedFile, Stage, StagedFile, UrlStage
else:
    __getattr__, __dir__ = _lazy.lazily(
        __name__,
        {
            "many._coalesce": "Coalesced",
            "_fields": "FieldRule",
            "stages._filedrop": "FileDrop",
            "load._forecast": "Forecast Pace",
            "load._journal": "Entry Journal MemoryJournal",
            "many._many": "Many",
            "many._many_report": "ManyReport",
            "stages._open": "open_stage",
            "check._parts": "Packing",
            "load._plan": "Plan plan",
            "_ports": "Progress",
            "load._prepare": "Order",
            "load._report": "ImportReport PartReport VendorCounts",
            "load._run": "resume run",
            "load._sqlite_journal": "SqliteJournal",
            "stages._stage": "Fetch HostedFile Stage StagedFile UrlStage",
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
