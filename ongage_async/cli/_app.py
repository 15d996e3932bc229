"""The commands of ``ongage``, each with its options; what they do lives in the file of their name."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from ongage_async import __version__

__all__ = ["app"]

app = App(name="ongage", help="Use the Ongage email platform under its limits.", version=__version__)

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
