"""Load many contacts: check a file, put it where the vendor fetches it, follow the import, account for every row.

The public names of bulk loading. The way in is ``ongage.imports.run``.
"""

from ongage_async.bulk._fields import FieldRule
from ongage_async.bulk._filedrop import FileDrop
from ongage_async.bulk._journal import Entry, Journal, MemoryJournal
from ongage_async.bulk._ports import Progress
from ongage_async.bulk._report import ImportReport, VendorCounts
from ongage_async.bulk._run import run
from ongage_async.bulk._stage import Fetch, HostedFile, Stage, StagedFile, UrlStage

__all__ = [
    "Entry",
    "Fetch",
    "FieldRule",
    "FileDrop",
    "HostedFile",
    "ImportReport",
    "Journal",
    "MemoryJournal",
    "Progress",
    "Stage",
    "StagedFile",
    "UrlStage",
    "VendorCounts",
    "run",
]
