"""Who calls Ownpage: a customer with an API key, or a token that somebody else got; and both from the environment.

Values only. Masked in repr and str, refused by pickle. Source: vendor page §5.
"""

import os
from collections.abc import Mapping
from typing import Any, NoReturn, Self

from attrs import Attribute, field, frozen

from ongage_async.config import Limits
from ongage_async.errors import ConfigurationError

__all__ = ["Masked", "OwnpageCredentials", "OwnpageToken", "from_env"]


class _Unpicklable:
    """Keep secrets out of pickles; copying gives the same object."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is not pickled, so that no secret lands in a queue or a file: "
            "build it in the other process, for instance with OwnpageClient.from_env()"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}(‹masked›)"


class Masked(dict[str, Any]):
    """Hold headers or a body with a secret in it, and show nothing: tracebacks may show the locals of every frame."""

    def __repr__(self) -> str:
        return "‹masked›"


def _is_usable(_: object, attribute: "Attribute[str]", value: Any) -> None:
    """Refuse what cannot be meant, without showing it."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{attribute.name} is empty: give the value from your Ownpage account")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ConfigurationError(
            f"{attribute.name} holds a space at its ends, a line break or a strange character: copy it again"
        )


@frozen(repr=False)
class OwnpageCredentials(_Unpicklable):
    """Hold a customer id and an API key, from which tokens are made; masked everywhere.

    Args:
        username: The customer id.
        api_key: The API key.
    """

    username: str = field(validator=_is_usable)
    api_key: str = field(validator=_is_usable)


@frozen(repr=False)
class OwnpageToken(_Unpicklable):
    """Hold a temporary token; masked everywhere. How long one lives is not known.

    Args:
        value: The token.
    """

    value: str = field(validator=_is_usable)


def from_env(environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Read the client's settings from ``OWNPAGE_*`` variables.

    Args:
        environ: Where to read; the process's environment by default.

    Returns:
        Keyword arguments for `OwnpageClient`: ``credentials`` always, the rest only where a variable is set.

    Raises:
        ConfigurationError: Credentials are missing, both kinds are given, or a number is not one.
    """
    settings: dict[str, object] = {"credentials": _credentials(environ)}
    for name in ("BASE_URL", "GOVERNOR"):
        if value := environ.get(f"OWNPAGE_{name}"):
            settings[name.lower()] = value
    if environ.get("OWNPAGE_LIST_ID"):
        settings["list_id"] = _whole_number(environ, "OWNPAGE_LIST_ID")
    calls, parallel = "OWNPAGE_CALLS_PER_MINUTE", "OWNPAGE_PARALLEL"
    if environ.get(calls) or environ.get(parallel):
        default = Limits()
        settings["limits"] = Limits(
            calls=_whole_number(environ, calls) if environ.get(calls) else default.calls,
            parallel=_whole_number(environ, parallel) if environ.get(parallel) else default.parallel,
        )
    return settings


def _credentials(environ: Mapping[str, str]) -> OwnpageCredentials | OwnpageToken:
    username, key = environ.get("OWNPAGE_USERNAME"), environ.get("OWNPAGE_API_KEY")
    token = environ.get("OWNPAGE_TOKEN")
    if token and (username or key):
        raise ConfigurationError("OWNPAGE_TOKEN and OWNPAGE_USERNAME or OWNPAGE_API_KEY are set: keep one kind")
    if token:
        return OwnpageToken(token.strip())
    if username and key:
        return OwnpageCredentials(username.strip(), key.strip())
    missing = [f"OWNPAGE_{name}" for name, value in (("USERNAME", username), ("API_KEY", key)) if not value]
    raise ConfigurationError(
        f"no credentials: set {', '.join(missing)}{'' if username or key else ', or OWNPAGE_TOKEN'}"
    )


def _whole_number(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number") from None
