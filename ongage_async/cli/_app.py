"""The command line put together: every command, by name and one line of help; it is imported when it is called.

Four small ones, whose work lives in files of their names, have their options here.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter, ValidationError, validators
from rich.console import Console

from ongage_async import __version__
from ongage_async.cli._account import AS_SET, Account

__all__ = ["app"]


def _in_a_sentence(error: CycloptsError) -> str:
    """Say what is wrong with a command line; what was typed may hold an address."""
    from ongage_async.cli._ending import laid_out
    from ongage_async.errors import mask

    chain = " ".join(("ongage", *(error.command_chain or ())))
    own = error.exception_message if isinstance(error, ValidationError) else ""
    words = own if '"' in own else str(error)  # that names the file which is missing; before it stands a repr of all
    return laid_out(f"ongage: {mask(words).strip()} See: {chain} --help")


def _default_in_words(value: Any) -> str | None:
    """Return what stands for an option that is left out; that a switch is off needs no words."""
    return None if value is False or value is None else "on" if value is True else str(value)


DATA = Group("Contacts and numbers", sort_key=10)
LOADS = Group("Loading", sort_key=20)
BUDGET = Group("Budget", sort_key=30)
SETTING_UP = Group("Setting up", sort_key=40)
TRYING_OUT = Group("Trying out", sort_key=50)

app = App(
    name="ongage",
    help="Use the Ongage email platform under its limits. Each command has its own --help.",
    version=__version__,
    default_parameter=Parameter(show_default=_default_in_words),
    error_console=Console(stderr=True, soft_wrap=True, highlight=False),
    error_formatter=_in_a_sentence,
)

COMMANDS = (
    (DATA, "lists", "_lists:app", "Show the account's lists, or one of them."),
    (DATA, "fields", "_lists:fields", "Show the fields of a list."),
    (DATA, "contacts", "_contacts:app", "get, upsert, status, export: contacts of a list."),
    (DATA, "export", "_export:app", "Take contacts of segments or mailings out as a file."),
    (DATA, "report", "_report:report", "Ask for numbers: a table, CSV or JSON."),
    (DATA, "send", "_send:send", "SEND a transactional message; asks first."),
    (LOADS, "import", "_import_commands:app", "Load files; go on after a stop; watch imports."),
    (BUDGET, "budget", "_budget:app", "Look at the shared budget; pause, resume, drain it."),
    (BUDGET, "top", "_top:top", "Watch the shared budget, live."),
    (SETTING_UP, "config", "_config:app", "Profiles and passwords: login, show, set, use."),
    (SETTING_UP, "doctor", "_doctor:doctor", "Check credentials, access, clock, ledger, stage."),
    (SETTING_UP, "completion", "_completion:completion", "Print the completion for bash, zsh, fish."),
)
"""Group, name, file and function, one line of help."""

for group, name, where, words in COMMANDS:
    app.command(f"ongage_async.cli.{where}", name=name, group=group, help=words)

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@app.command(group=TRYING_OUT)
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


@app.command(group=SETTING_UP)
def codegen(*, class_name: Annotated[str, Parameter(name="--class")] = "MyContact", account: Account = AS_SET) -> int:
    """Write a class for the fields of a list to standard output: `ongage codegen --list 123 > my_fields.py`.

    Parameters
    ----------
    class_name:
        What the class is called.
    """
    from ongage_async.cli._codegen import run_codegen

    return run_codegen(account, class_name)


@app.command(group=TRYING_OUT)
def emulator(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))] = 0,
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
    from ongage_async.cli._ending import Exit, UsageError, carried_out
    from ongage_async.emulator.__main__ import serve_forever

    options: dict[str, Any] = {"calls": calls, "parallel": parallel, "per_s": per_s, "window": window}

    def serve() -> int:
        try:
            serve_forever(host, port, **options, rows_per_s=rows_per_s, as_json=json)
        except OSError as error:
            why = (error.strerror or "it cannot be used").lower()
            raise UsageError(f"{host}:{port}: {why}. Name another --port, or none for a free one") from None
        return Exit.OK

    return carried_out(serve)


@app.command(group=LOADS)
def s3_policy(
    *,
    bucket: str,
    cidr: Annotated[list[str], Parameter(negative="")],
    prefix: str = "",
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws",
) -> int:
    """Print the policy of a bucket from which only given networks fetch staged files: `--cidr 203.0.113.0/24`.

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
