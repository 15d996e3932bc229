"""Which account a command is for, and how it tells: the options that commands share.

Cyclopts flattens these classes into the options of each command that takes one.
"""

import getpass
import re
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attrs import frozen
from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from ongage_async import OngageClient

__all__ = ["AS_SET", "PLAINLY", "Account", "Duration", "Look"]

OUTPUT = Group("Output", sort_key=80)
ACCOUNT = Group("Account", sort_key=90)

_WHO = ("ONGAGE_USERNAME", "ONGAGE_PASSWORD", "ONGAGE_ACCOUNT_CODE", "ONGAGE_API_KEY")
_WHO_BY_PASSWORD = {"ONGAGE_USERNAME", "ONGAGE_ACCOUNT_CODE"}
_SECRETS = {"ONGAGE_PASSWORD", "ONGAGE_API_KEY"}
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@cache
def _typed_password(user: str) -> str:
    """Ask a person for what neither environment nor keyring has, once; Ctrl-C ends the command and not just a task."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(f"Password of {user}: ")
    finally:
        signal.signal(signal.SIGINT, before)


def _duration(_type: Any, tokens: Sequence[Any]) -> float:
    """Return the seconds of ``90``, ``90s``, ``5m``, ``1.5h``."""
    text = str(tokens[0].value).strip()
    if (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text)) is None:
        raise ValueError(f'"{text[:20]}" is no duration: write 90s, 5m or 1h')
    return float(found[1]) * _UNITS[found[2]]


Duration = Annotated[float, Parameter(converter=_duration)]


@Parameter(name="*")
@frozen(kw_only=True)
class Look:
    """How a command tells."""

    json: Annotated[
        bool, Parameter(negative="", group=OUTPUT, help="Print JSON for programs, and show no progress.")
    ] = False
    debug: Annotated[bool, Parameter(negative="", group=OUTPUT, help="Show the traceback of an error.")] = False


@Parameter(name="*")
@frozen(kw_only=True)
class Account(Look):
    """Which account a command is for, and how patient its calls are."""

    profile: Annotated[
        str | None, Parameter(group=ACCOUNT, help="A profile of `ongage config`; or ONGAGE_PROFILE.")
    ] = None
    list_id: Annotated[
        int | None,
        Parameter(name="--list", group=ACCOUNT, help="The list; or ONGAGE_LIST_ID, else the account's default."),
    ] = None
    governor: Annotated[
        str | None,
        Parameter(group=ACCOUNT, help="The shared budget: file:///path or redis://host; or ONGAGE_GOVERNOR."),
    ] = None
    lane: Annotated[
        Literal["urgent", "normal", "bulk"] | None,
        Parameter(group=ACCOUNT, help="Who waits for the calls; as suits each call if left out."),
    ] = None
    max_wait: Annotated[
        Duration | None,
        Parameter(group=ACCOUNT, help="Longest wait of a call before it is sent, as in 30s or 5m."),
    ] = None

    def variables(self) -> dict[str, str]:
        """Return the ``ONGAGE_*`` variables that hold for this command."""
        from ongage_async.cli._profiles import variables

        flags = {"ONGAGE_LIST_ID": self.list_id, "ONGAGE_GOVERNOR": self.governor}
        return variables(self.profile) | {name: str(value) for name, value in flags.items() if value is not None}

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the client.

        Raises:
            ConfigurationError: A setting is missing or wrong.
        """
        from ongage_async.config import from_env
        from ongage_async.errors import ConfigurationError

        held = self.variables()
        if not any(held.get(name) for name in _WHO):
            raise ConfigurationError(
                "no credentials: run `ongage config login`, or set ONGAGE_USERNAME, ONGAGE_PASSWORD and "
                "ONGAGE_ACCOUNT_CODE, or ONGAGE_API_KEY alone"
            )
        if sys.stdin.isatty() and not _WHO_BY_PASSWORD - held.keys() and not held.keys() & _SECRETS:
            held["ONGAGE_PASSWORD"] = _typed_password(held["ONGAGE_USERNAME"])
        return from_env(held)

    @asynccontextmanager
    async def opened(self, *, quiet: bool = False, **overrides: Any) -> "AsyncGenerator[OngageClient]":
        """Have a client while the block runs; its calls keep to the options, and a person is told why they wait.

        Args:
            quiet: Tell nothing.
            overrides: Arguments of the client that win over the settings.
        """
        from ongage_async import Lane, OngageClient
        from ongage_async.cli._patience import told_why

        options: dict[str, Any] = {} if self.lane is None else {"lane": Lane[self.lane.upper()]}
        options |= {} if self.max_wait is None else {"max_wait_s": self.max_wait}
        client = OngageClient(**{**self.settings(), **overrides})
        async with nullcontext() if self.json or quiet else told_why(client), client:
            yield client.with_options(**options) if options else client


PLAINLY = Look()
AS_SET = Account()
"""What a command is given when no option is: the environment's account, or the profile's."""
