"""The commands of ``ongage import``, each with its options; what they do is `_import.py`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from attrs import frozen
from cyclopts import App, Group, Parameter, validators

from ongage_async.cli import _import
from ongage_async.cli._account import AS_SET, PLAINLY, Account, Look
from ongage_async.cli._contacts import mapping_of
from ongage_async.cli._ending import Exit, UsageError, complain

__all__ = ["app"]

app = App(name="import", help="Load files into a list; go on after a stop; watch imports.")

ROWS = Group("Rows", sort_key=60)
STAGE = Group("Where Ongage fetches the files", sort_key=70)

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
File = Annotated[Path, Parameter(validator=validators.Path(exists=True, dir_okay=False))]
Journal = Annotated[Path, Parameter(validator=validators.Path(exists=True, file_okay=False))]


@Parameter(name="*", group=ROWS)
@frozen(kw_only=True)
class Rows:
    """How rows are read and checked."""

    map: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help='A column that is named otherwise than its field: "E-Mail=email"; "Notes=" leaves one out. Repeat it '
            "for each.",
        ),
    ] = None
    action: Annotated[
        Literal["add", "remove", "unsubscribe", "resubscribe", "bounce", "complaint"],
        Parameter(help="What to do with each address."),
    ] = "add"
    dedupe: Annotated[bool, Parameter(help="Send the first good row of each address only.")] = True
    unknown_columns: Annotated[
        Literal["drop", "refuse"], Parameter(help="Drop columns that the list lacks, or refuse the file.")
    ] = "drop"
    encoding: Annotated[str | None, Parameter(help="Encoding of the files; found out if left out.")] = None
    delimiter: Annotated[str | None, Parameter(help="Delimiter of the files; found out if left out.")] = None
    neutralise_formulas: Annotated[
        bool, Parameter(help="Put an apostrophe before text that a spreadsheet would take for a formula.")
    ] = False
    part_rows: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1), help="Most rows of a part; as suits the list if left out."),
    ] = None
    zip: Annotated[bool, Parameter(help="Send each part as a ZIP archive.")] = False

    def options(self) -> dict[str, Any]:
        """Return them as arguments of `imports.plan` and `imports.run`."""
        return {
            "mapping": mapping_of(self.map or []) or None,
            "import_action": self.action,
            "dedupe": self.dedupe,
            "unknown_columns": self.unknown_columns,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "neutralise_formulas": self.neutralise_formulas,
        }


@Parameter(name="*", group=STAGE)
@frozen(kw_only=True)
class Fetched:
    """Where the vendor fetches the files."""

    stage: Annotated[
        str | None,
        Parameter(
            help="s3://bucket/prefix, gs://, az://, or a directory that a web server publishes; or ONGAGE_STAGE."
        ),
    ] = None
    public_url: Annotated[
        str | None,
        Parameter(help="The address of that directory, or of what --listen serves; or ONGAGE_PUBLIC_URL."),
    ] = None
    listen: Annotated[
        str | None, Parameter(help="Serve the files from here, as host:port; behind a proxy that speaks https.")
    ] = None
    allow: Annotated[
        list[str] | None,
        Parameter(negative="", help="A network whose clients may fetch what --listen serves; repeat it for each."),
    ] = None

    def place(self, account: Account) -> _import.Place:
        """Return it with what the environment and the profile say."""
        held = account.variables()
        return _import.Place(
            stage=self.stage or held.get("ONGAGE_STAGE"),
            public_url=self.public_url or held.get("ONGAGE_PUBLIC_URL"),
            listen=self.listen,
            allow=self.allow or (),
        )


AS_FOUND = Rows()
ANYWHERE = Fetched()


@app.command
def run(
    *files: File,
    rows: Rows = AS_FOUND,
    overwrite: bool = True,
    ignore_empty: bool = False,
    side_file: Path | None = None,
    journal: Path | None = None,
    road: Literal["auto", "import", "calls"] = "import",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    fetched: Fetched = ANYWHERE,
    account: Account = AS_SET,
) -> int:
    """Load files: checked, staged, imported, followed, accounted for. Given again after a stop, it goes on.

    Parameters
    ----------
    files:
        CSV, TSV or TXT files, also packed as gzip or ZIP.
    overwrite:
        Change contacts that exist.
    ignore_empty:
        Let empty cells change nothing.
    side_file:
        Where rejected rows go; beside the file if left out.
    journal:
        Where the steps are recorded; FILE.ongage-journal if left out.
    road:
        By imports; by calls of up to 100 contacts, which need no place to be fetched from; or as the plan advises.
    dry_run:
        Say what it will be like, and load nothing; as `ongage import plan`.
    """
    if dry_run:
        return plan(*files, rows=rows, account=account)
    more = {"overwrite": overwrite, "ignore_empty": ignore_empty, "side_file": side_file, "road": road}
    try:
        wishes = _wishes(files, rows, journal, more)
    except UsageError as error:
        return complain(str(error), Exit.USAGE)
    return _import.run(wishes, lambda: fetched.place(account), account)


@app.command
def plan(*files: File, rows: Rows = AS_FOUND, account: Account = AS_SET) -> int:
    """Say what loading files will be like: rows, parts, calls, time. Loads nothing.

    Parameters
    ----------
    files:
        As for run.
    """
    try:
        wishes = _wishes(files, rows, None, {})
    except UsageError as error:
        return complain(str(error), Exit.USAGE)
    return _import.plan(wishes, account)


def _wishes(files: tuple[Path, ...], rows: Rows, journal: Path | None, more: dict[str, Any]) -> _import.Wishes:
    if not files:
        raise UsageError("name a file")
    options = rows.options() | more
    return _import.Wishes(files=files, journal=journal, options=options, part_rows=rows.part_rows, zip=rows.zip)


@app.command
def resume(journal: Journal, /, *, fetched: Fetched = ANYWHERE, account: Account = AS_SET) -> int:
    """Go on with a load from its journal alone.

    Parameters
    ----------
    journal:
        The journal's directory.
    """
    return _import.resume(journal, lambda: fetched.place(account), account)


@app.command
def status(journal: Journal, /, *, look: Look = PLAINLY) -> int:
    """Say how far a load is; asks its journal alone.

    Parameters
    ----------
    journal:
        The journal's directory.
    """
    return _import.status(journal, look)


@app.command
def abandon(journal: Journal, /, *, look: Look = PLAINLY) -> int:
    """Give a load up: remove its journal and what was not sent. Imports that were created go on at Ongage's.

    Parameters
    ----------
    journal:
        The journal's directory.
    """
    return _import.abandon(journal, look)


@app.command(name="list")
def list_imports(*, limit: AtLeastOne = 20, account: Account = AS_SET) -> int:
    """Show the latest imports of a list.

    Parameters
    ----------
    limit:
        How many at most.
    """
    return _import.list_imports(limit, account)


@app.command
def watch(import_id: int, /, *, account: Account = AS_SET) -> int:
    """Follow an import to its end, a line for each change; exit code 1 if it failed.

    Parameters
    ----------
    import_id:
        The import.
    """
    return _import.watch(import_id, account)
