"""Start the emulator from a shell: ``python -m ongage_async.emulator --port 8080``.

`serve_forever` is also what the library's own command line calls.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Literal

from ongage_async.emulator import Emulator, Readings
from ongage_async.emulator.ownpage import OwnpageEmulator

__all__ = ["main", "serve_forever"]


def serve_forever(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    calls: int | None = 300,
    parallel: int | None = 10,
    per_s: float = 60.0,
    window: Literal["fixed", "sliding"] = "fixed",
    rows_per_s: float | None = None,
    as_json: bool = False,
) -> None:
    """Serve until Ctrl-C, after saying on standard output where and for whom, as variables to set.

    Args:
        host: Address to listen on.
        port: Port, 0 for a free one.
        calls: Most calls in a window; None or 0 for no limit.
        parallel: Most calls at once; None or 0 for no limit.
        per_s: Length of the window.
        window: Kind of the window.
        rows_per_s: Speed of imports; None for as fast as possible.
        as_json: Whether it is said as one line of JSON.
    """
    emulator = Emulator(
        host=host, port=port, calls=calls or None, parallel=parallel or None, per_s=per_s, rows_per_s=rows_per_s,
        readings=Readings(window=window),
    )  # fmt: skip

    def announce(url: str) -> None:
        sys.stdout.write(f"{_told(emulator, url, as_json=as_json)}\n")
        sys.stdout.flush()

    emulator.serve_forever(announce)


def _told(emulator: Emulator, url: str, *, as_json: bool) -> str:
    known = emulator.credentials
    facts = {
        "url": url,
        "username": known.username,
        "password": known.password,
        "account_code": known.account_code,
        "api_key": emulator.api_key,
        "default_list_id": emulator.default_list_id,
    }
    if as_json:
        return json.dumps(facts)
    variables = {
        "ONGAGE_BASE_URL": url,
        "ONGAGE_USERNAME": known.username,
        "ONGAGE_PASSWORD": known.password,
        "ONGAGE_ACCOUNT_CODE": known.account_code,
    }
    return "\n".join(
        (
            f"An emulated Ongage account serves at {url} until Ctrl-C. To use it, in another terminal:",
            "",
            *(f"  export {name}={shlex.quote(value)}" for name, value in variables.items()),
            "",
            f"API key {emulator.api_key} · default list {emulator.default_list_id} · nothing of it is kept",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, serve, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ongage_async.emulator", description="Emulate the Ongage API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--calls", type=int, default=300, help="calls per window; 0 for no limit")
    parser.add_argument("--parallel", type=int, default=10, help="calls at once; 0 for no limit")
    parser.add_argument("--per-s", type=float, default=60.0, help="length of the window in seconds")
    parser.add_argument("--window", choices=("fixed", "sliding"), default="fixed", help="kind of window")
    parser.add_argument("--rows-per-s", type=float, default=None, help="speed of imports; default: at once")
    parser.add_argument("--openapi", action="store_true", help="print the OpenAPI document of the API, and end")
    parser.add_argument("--ownpage", action="store_true", help="with --openapi: that of Ownpage")
    parser.add_argument("--json", action="store_true", dest="as_json", help="say where it serves as a line of JSON")
    given = vars(parser.parse_args(arguments))
    of_ownpage = given.pop("ownpage")
    if given.pop("openapi"):
        emulator = OwnpageEmulator() if of_ownpage else Emulator()
        sys.stdout.write(json.dumps(emulator.openapi(), indent=2) + "\n")
    elif of_ownpage:
        parser.error("--ownpage goes with --openapi")
    else:
        serve_forever(**given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
