"""What a user sets: credentials, limits, lanes, options of a call, and their reading from the environment.

Values only: nothing here opens, waits or sends. Every room may use it.
"""

import enum
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

from attrs import Attribute, field, frozen

from ongage_async.errors import ConfigurationError

__all__ = ["ApiKey", "Credentials", "Lane", "Limits", "from_env"]

NET_HOST = "https://api.ongage.net"
COM_HOST = "https://api.ongage.com"


class Lane(enum.IntEnum):
    """Say who waits for a call: lower numbers go first."""

    URGENT = 0
    """A person waits: sign-up forms, receipts."""
    NORMAL = 1
    """The default."""
    BULK = 2
    """Uploads and polling: paced evenly, so that the other lanes never find the bucket empty for long."""


class _Unpicklable:
    """Keep secrets out of pickles; copying gives the same object."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is not pickled, so that no secret lands in a queue or a file: "
            "build it in the other process, for instance with OngageClient.from_env()"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def _fits_a_header(_: object, attribute: "Attribute[str]", value: str) -> None:
    """Refuse what an HTTP header cannot carry, without showing it."""
    if not value.strip():
        raise ConfigurationError(f"{attribute.name} is empty: give the value from your Ongage account")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ConfigurationError(
            f"{attribute.name} holds a space, a line break or another character that an HTTP header cannot carry: "
            "copy it again"
        )


@frozen(repr=False)
class Credentials(_Unpicklable):
    """Hold a user name, password and account code (vendor page §1.2); masked everywhere.

    Args:
        username: The Ongage user's login; an Admin or General User.
        password: That user's password.
        account_code: The alphanumeric account code of the Account Profile page, *not* the numeric account id.
    """

    username: str = field(validator=_fits_a_header)
    password: str = field(validator=_fits_a_header)
    account_code: str = field(validator=_fits_a_header)

    def headers(self) -> dict[str, str]:
        """Return the three authentication headers."""
        return {"X_USERNAME": self.username, "X_PASSWORD": self.password, "X_ACCOUNT_CODE": self.account_code}

    @property
    def default_base_url(self) -> str:
        """The host that these credentials are made for."""
        return NET_HOST

    @property
    def account(self) -> str:
        """What names the account, for the ledger's key; hashed before it is stored."""
        return f"code:{self.account_code}"

    def __repr__(self) -> str:
        return "Credentials(‹masked›)"


@frozen(repr=False)
class ApiKey(_Unpicklable):
    """Hold an API key (vendor page §1.2); masked everywhere. Keys work on ``https://api.ongage.com`` only.

    Args:
        key: The key, as shown once by the Ongage user interface.
    """

    key: str = field(validator=_fits_a_header)

    def headers(self) -> dict[str, str]:
        """Return the authentication header."""
        return {"x-api-key": self.key}

    @property
    def default_base_url(self) -> str:
        """The host that a key is made for."""
        return COM_HOST

    @property
    def account(self) -> str:
        """What names the account, for the ledger's key; hashed before it is stored."""
        return f"key:{self.key}"

    def __repr__(self) -> str:
        return "ApiKey(‹masked›)"


@frozen(init=False)
class Limits:
    """Say what the account allows (Account Profile page; vendor page §2).

    Args:
        calls: Calls that may reach the vendor in any `per_s` seconds, at least 1; or ``"learn"``: begin at 300 and find
            the limit while working, at the cost of a 429 now and then.
        per_s: The window in seconds.
        parallel: Calls that may be open at once; at least 1.

    Attributes:
        learn: Whether the limit is to be found.
    """

    calls: int
    per_s: float
    parallel: int
    learn: bool = field(default=False, eq=False)

    if TYPE_CHECKING:

        def __attrs_init__(self, *values: Any) -> None: ...

    def __init__(self, calls: int | Literal["learn"] = 300, per_s: float = 60.0, parallel: int = 10) -> None:
        learn = calls == "learn"
        calls = 300 if calls == "learn" else calls
        if calls < 1:
            raise ConfigurationError(f"Limits(calls={calls}): at least one call per window is needed")
        if not (math.isfinite(per_s) and per_s > 0):
            raise ConfigurationError(f"Limits(per_s={per_s}): give a positive number of seconds")
        if parallel < 1:
            raise ConfigurationError(f"Limits(parallel={parallel}): at least one call at a time is needed")
        self.__attrs_init__(calls, per_s, parallel, learn)

    @property
    def interval_s(self) -> float:
        """Seconds between two calls that are spread evenly over the window."""
        return self.per_s / self.calls


def from_env(environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Read the client's settings from ``ONGAGE_*`` variables.

    Args:
        environ: Where to read; the process's environment by default.

    Returns:
        Keyword arguments for `OngageClient`: ``credentials`` always, the rest only where a variable is set.

    Raises:
        ConfigurationError: Credentials are missing, both kinds are given, or a number is not one.
    """
    settings: dict[str, object] = {"credentials": _credentials(environ)}
    if base_url := environ.get("ONGAGE_BASE_URL"):
        settings["base_url"] = base_url
    if environ.get("ONGAGE_LIST_ID"):
        settings["list_id"] = _whole_number(environ, "ONGAGE_LIST_ID")
    if governor := environ.get("ONGAGE_GOVERNOR"):
        settings["governor"] = governor
    calls, parallel = "ONGAGE_CALLS_PER_MINUTE", "ONGAGE_PARALLEL"
    if environ.get(calls) or environ.get(parallel):
        default = Limits()
        settings["limits"] = Limits(
            calls=_whole_number(environ, calls) if environ.get(calls) else default.calls,
            parallel=_whole_number(environ, parallel) if environ.get(parallel) else default.parallel,
        )
    return settings


def _credentials(environ: Mapping[str, str]) -> Credentials | ApiKey:
    names = ("ONGAGE_USERNAME", "ONGAGE_PASSWORD", "ONGAGE_ACCOUNT_CODE")
    given = [name for name in names if environ.get(name)]
    key = environ.get("ONGAGE_API_KEY")
    if key and given:
        raise ConfigurationError(f"ONGAGE_API_KEY and {given[0]} are both set: keep one kind of credentials")
    if key:
        return ApiKey(key.strip())
    if missing := [name for name in names if name not in given]:
        raise ConfigurationError(
            f"no credentials: set {', '.join(missing)}" + ("" if given else ", or ONGAGE_API_KEY alone")
        )
    return Credentials(*(environ[name].strip() for name in names))


def _whole_number(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number") from None
