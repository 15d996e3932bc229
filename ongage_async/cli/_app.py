"""The commands of ``ongage``, each with its options; what they do lives in the file of their name."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from ongage_async import __version__
from ongage_async.cli._import_commands import app as imports

__all__ = ["app"]

app = App(name="ongage", help="Use the Ongage email platform under its limits.", version=__version__)

app.command(imports)

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@app.command
def demo(
    *,
    rows: AtLeastOne = 100_000,
    file: Annotated[Path | None, Parameter(validator=validators.Path(exists=True, dir_okay=False))] = None,
    folder: Path = Path("demo"),
    quick: bool = False,
) -> int:
    """Load a file of contacts into an emulated account: checked, staged, imported, followed, accounted for.

    Parameters
    ----------
    rows:
        Rows of the file that is made up.
    file:
        A CSV file of your own instead; it needs an email column.
    folder:
        Where the made-up file and the rejected rows go.
    quick:
        Let the emulator import as fast as it can instead of at a speed that can be watched.
    """
    from ongage_async.cli._demo import run_demo

    return run_demo(rows, file, folder, quick=quick)


@app.command
def codegen(
    *,
    list_id: Annotated[int | None, Parameter(name="--list")] = None,
    class_name: Annotated[str, Parameter(name="--class")] = "MyContact",
) -> int:
    """Write a class for the fields of a list to standard output: ``ongage codegen --list 123 > my_fields.py``.

    The account is the one of ONGAGE_USERNAME, ONGAGE_PASSWORD and ONGAGE_ACCOUNT_CODE, or ONGAGE_API_KEY.

    Parameters
    ----------
    list_id:
        The list; ONGAGE_LIST_ID, else the account's default list, if left out.
    class_name:
        What the class is called.
    """
    from ongage_async.cli._codegen import run_codegen

    return run_codegen(list_id, class_name)


@app.command
def emulator(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    calls: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 300,
    parallel: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 10,
    per_s: float = 60.0,
    window: Literal["fixed", "sliding"] = "fixed",
    rows_per_s: float | None = None,
    json: bool = False,
) -> int:
    """Serve an emulated Ongage account until Ctrl-C.

    Parameters
    ----------
    host:
        Address to listen on.
    port:
        Port to listen on; 0 takes a free one.
    calls:
        Calls per window; 0 for no limit.
    parallel:
        Calls at once; 0 for no limit.
    per_s:
        Length of the window in seconds.
    window:
        Whether the window is cut by the clock or slides.
    rows_per_s:
        Speed of imports; at once if left out.
    json:
        Say where it serves as one line of JSON.
    """
    from ongage_async.emulator.__main__ import serve_forever

    serve_forever(
        host, port, calls=calls, parallel=parallel, per_s=per_s, window=window, rows_per_s=rows_per_s, as_json=json
    )
    return 0


@app.command
def s3_policy(
    *,
    bucket: str,
    cidr: Annotated[list[str], Parameter(negative="")],
    prefix: str = "",
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws",
) -> int:
    """Print the policy of a bucket from which only given networks fetch staged files: ``--cidr 203.0.113.0/24``.

    Parameters
    ----------
    bucket:
        Its name.
    cidr:
        A network that may fetch; repeat it for each. The vendor's support names theirs.
    prefix:
        The part of the bucket that the policy is about, as in s3://bucket/prefix.
    partition:
        The part of the world that the bucket is in.
    """
    from ongage_async.cli._policy import run_policy

    return run_policy(bucket, cidr, prefix=prefix, partition=partition)
