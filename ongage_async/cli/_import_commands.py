"""The commands of ``ongage import``, each with its options; what they do is `_import.py`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter, validators

__all__ = ["app"]

app = App(
    name="import",
    help="Load files into a list; go on after a stop. Credentials come from ONGAGE_* variables.",
)

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
File = Annotated[Path, Parameter(validator=validators.Path(exists=True, dir_okay=False))]
Journal = Annotated[Path, Parameter(validator=validators.Path(exists=True, file_okay=False))]
ListId = Annotated[int | None, Parameter(name="--list", env_var="ONGAGE_LIST_ID")]
StageUrl = Annotated[str | None, Parameter(name="--stage", env_var="ONGAGE_STAGE")]
PublicUrl = Annotated[str | None, Parameter(name="--public-url", env_var="ONGAGE_PUBLIC_URL")]
Allow = Annotated[list[str] | None, Parameter(name="--allow", negative="")]
Action = Literal["add", "remove", "unsubscribe", "resubscribe", "bounce", "complaint"]


@app.command
def run(
    *files: File,
    list_id: ListId = None,
    stage: StageUrl = None,
    public_url: PublicUrl = None,
    listen: str | None = None,
    allow: Allow = None,
    dry_run: bool = False,
    map: Annotated[list[str] | None, Parameter(negative="")] = None,  # noqa: A002 - the option's name
    action: Action = "add",
    overwrite: bool = True,
    ignore_empty: bool = False,
    dedupe: bool = True,
    unknown_columns: Literal["drop", "refuse"] = "drop",
    encoding: str | None = None,
    delimiter: str | None = None,
    part_rows: AtLeastOne | None = None,
    zip: bool = False,  # noqa: A002 - the option's name
    neutralise_formulas: bool = False,
    side_file: Path | None = None,
    journal: Path | None = None,
    json: bool = False,
) -> int:
    """Load files: checked, staged, imported, followed, accounted for. Given again after a stop, it goes on.

    Parameters
    ----------
    files:
        CSV, TSV or TXT files, also packed as gzip or ZIP.
    list_id:
        The list; the account's default if left out.
    stage:
        Where Ongage fetches the files: s3://bucket/prefix, gs://, az://, or a directory that a web server publishes.
    public_url:
        The address of that directory, or of what --listen serves.
    listen:
        Serve the files from here, as host:port; behind a proxy that speaks https.
    allow:
        A network whose clients may fetch what --listen serves; repeat it for each.
    dry_run:
        Say what it will be like, and load nothing.
    map:
        A column that is named otherwise than its field: "E-Mail=email"; "Notes=" leaves one out. Repeat it for each.
    action:
        What to do with each address.
    overwrite:
        Change contacts that exist.
    ignore_empty:
        Let empty cells change nothing.
    dedupe:
        Send the first good row of each address only.
    unknown_columns:
        Drop columns that the list lacks, or refuse the file.
    encoding:
        Encoding of the files; found out if left out.
    delimiter:
        Delimiter of the files; found out if left out.
    part_rows:
        Most rows of a part; as suits the list if left out.
    zip:
        Send each part as a ZIP archive.
    neutralise_formulas:
        Put an apostrophe before text that a spreadsheet would take for a formula.
    side_file:
        Where rejected rows go; beside the file if left out.
    journal:
        Where the steps are recorded; FILE.ongage-journal if left out.
    json:
        Print the report, or the plan, as JSON, and no progress.
    """
    from ongage_async.cli import _import

    if not files:
        return _import.refuse("name a file")
    if (mapping := _mapping(map or [])) is None:
        return _import.refuse('--map takes "column=field"')
    options: dict[str, Any] = {
        "mapping": mapping or None,
        "import_action": action,
        "overwrite": overwrite,
        "ignore_empty": ignore_empty,
        "dedupe": dedupe,
        "unknown_columns": unknown_columns,
        "encoding": encoding,
        "delimiter": delimiter,
        "neutralise_formulas": neutralise_formulas,
        "side_file": side_file,
    }
    wishes = _import.Wishes(
        files=files, list_id=list_id, journal=journal, options=options, part_rows=part_rows, zip=zip
    )
    if dry_run:
        return _import.plan(wishes, as_json=json)
    place = _import.Place(stage=stage, public_url=public_url, listen=listen, allow=allow or ())
    return _import.run(wishes, place, as_json=json)


@app.command
def resume(
    journal: Journal,
    /,
    *,
    stage: StageUrl = None,
    public_url: PublicUrl = None,
    listen: str | None = None,
    allow: Allow = None,
    json: bool = False,
) -> int:
    """Go on with a load from its journal alone.

    Parameters
    ----------
    journal:
        The journal's directory.
    stage:
        As for run.
    public_url:
        As for run.
    listen:
        As for run.
    allow:
        As for run.
    json:
        Print the report as JSON, and no progress.
    """
    from ongage_async.cli import _import

    place = _import.Place(stage=stage, public_url=public_url, listen=listen, allow=allow or ())
    return _import.resume(journal, place, as_json=json)


@app.command
def status(journal: Journal, /, *, json: bool = False) -> int:
    """Say how far a load is; asks its journal alone.

    Parameters
    ----------
    journal:
        The journal's directory.
    json:
        Print it as JSON.
    """
    from ongage_async.cli import _import

    return _import.status(journal, as_json=json)


@app.command
def abandon(journal: Journal, /, *, json: bool = False) -> int:
    """Give a load up: remove its journal and what was not sent. Imports that were created go on at Ongage's.

    Parameters
    ----------
    journal:
        The journal's directory.
    json:
        Say what was done as JSON.
    """
    from ongage_async.cli import _import

    return _import.abandon(journal, as_json=json)


@app.command(name="list")
def list_imports(*, list_id: ListId = None, limit: AtLeastOne = 20, json: bool = False) -> int:
    """Show the latest imports of a list.

    Parameters
    ----------
    list_id:
        The list; the account's default if left out.
    limit:
        How many at most.
    json:
        Print them as JSON.
    """
    from ongage_async.cli import _import

    return _import.list_imports(list_id, limit, as_json=json)


@app.command
def watch(import_id: int, /, *, list_id: ListId = None, json: bool = False) -> int:
    """Follow an import to its end, a line for each change; exit code 1 if it failed.

    Parameters
    ----------
    import_id:
        The import.
    list_id:
        Its list; the account's default if left out.
    json:
        Print each line as JSON.
    """
    from ongage_async.cli import _import

    return _import.watch(import_id, list_id, as_json=json)


def _mapping(pairs: list[str]) -> dict[str, str | None] | None:
    """Return column → field of ``column=field``; None if one is not so."""
    if any("=" not in pair for pair in pairs):
        return None
    parts = (pair.rpartition("=") for pair in pairs)
    return {column: field or None for column, _, field in parts}
