"""``ongage config``: profiles, and the passwords that go with them; which one is used."""

import getpass
import sys
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from ongage_async.cli import _output
from ongage_async.cli._account import PLAINLY, Look
from ongage_async.cli._ending import Exit, UsageError, carried_out
from ongage_async.cli._profiles import API_KEY, Profiles, config_path, forget_secret, keep_secret, secret_of
from ongage_async.errors import ConfigurationError

__all__ = ["app"]

app = App(name="config", help="Keep settings under a name; passwords go to the system's keyring.")

Profile = Annotated[str | None, Parameter(help="The profile; the one in use if left out.")]


@app.command
def show(*, profile: Profile = None, look: Look = PLAINLY) -> int:
    """Show the profiles, or one of them; no password is ever shown."""

    def work() -> int:
        profiles = Profiles.read(config_path())
        names = [profile] if profile else sorted(profiles.named)
        told = {name: _facts(name, profiles.of(name)) for name in names}
        if look.json:
            _output.document({"path": str(profiles.path), "default": profiles.default, "profiles": told})
            return Exit.OK
        if not told:
            _output.say("No profiles yet. Make one: ongage config login --profile NAME")
        for name, facts in told.items():
            _output.say(f"{name}{' (in use)' if name == profiles.default else ''}")
            _output.facts({f"  {key}": value for key, value in facts.items()})
        return Exit.OK

    return carried_out(work, debug=look.debug)


def _facts(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    told = {key: _masked(value) for key, value in settings.items()}
    user = settings.get("username", API_KEY)
    return {**told, "secret": "in the keyring" if secret_of(name, user) is not None else "not in the keyring"}


def _masked(value: Any) -> Any:
    """Return a value without the password of a URL."""
    parts = urlsplit(value) if isinstance(value, str) and "://" in value else None
    if parts is None or parts.password is None:
        return value
    return parts._replace(netloc=f"‹masked›@{parts.netloc.rpartition('@')[2]}").geturl()


@app.command(name="set")
def set_value(key: str, value: str, /, *, profile: Profile = None, look: Look = PLAINLY) -> int:
    """Set one setting of a profile.

    Parameters
    ----------
    key:
        username, account_code, base_url, list_id, governor, calls_per_minute, parallel, stage or public_url.
    value:
        Its value; an empty one takes it away.
    """

    def work() -> int:
        profiles = Profiles.read(config_path())
        name = profile or profiles.default or "default"
        profiles.change(name, key, value or None)
        profiles.save()
        return _done(look, profiles, name, f"{key} of the profile {name} is set." if value else f"{key} is taken away.")

    return carried_out(work, debug=look.debug)


@app.command
def use(profile: str, /, *, look: Look = PLAINLY) -> int:
    """Use a profile whenever none is named.

    Parameters
    ----------
    profile:
        Its name.
    """

    def work() -> int:
        profiles = Profiles.read(config_path())
        profiles.of(profile)
        profiles.default = profile
        profiles.save()
        return _done(look, profiles, profile, f"The profile {profile} is in use.")

    return carried_out(work, debug=look.debug)


@app.command
def remove(profile: str, /, *, look: Look = PLAINLY) -> int:
    """Remove a profile, and its password from the keyring.

    Parameters
    ----------
    profile:
        Its name.
    """

    def work() -> int:
        profiles = Profiles.read(config_path())
        user = profiles.of(profile).get("username", API_KEY)
        profiles.remove(profile)
        profiles.save()
        had_one = forget_secret(profile, user)
        words = f"The profile {profile} is removed{', and its password from the keyring' if had_one else ''}."
        return _done(look, profiles, profile, words)

    return carried_out(work, debug=look.debug)


@app.command
def path(*, look: Look = PLAINLY) -> int:
    """Print where the profiles are."""

    def work() -> int:
        where = config_path()
        _output.document({"path": str(where), "exists": where.is_file()}) if look.json else _output.say(str(where))
        return Exit.OK

    return carried_out(work, debug=look.debug)


@app.command
def login(
    *, api_key: Annotated[bool, Parameter(negative="")] = False, profile: Profile = None, look: Look = PLAINLY
) -> int:
    """Ask for user name, account code and password, and keep them: the password in the system's keyring.

    Where there is no terminal, the password is the first line of the standard input.

    Parameters
    ----------
    api_key:
        Ask for an API key instead.
    """

    def work() -> int:
        profiles = Profiles.read(config_path())
        name = profile or profiles.default or "default"
        known = profiles.named.get(name, {})
        if api_key:
            user, word = API_KEY, "API key"
            for key in ("username", "account_code"):
                profiles.change(name, key, None)
        else:
            user, word = _asked("User name", known.get("username")), "Password"
            profiles.change(name, "username", user)
            profiles.change(name, "account_code", _asked("Account code", known.get("account_code")))
        profiles.save()
        try:
            keep_secret(name, user, _secret(word))
        except ConfigurationError as error:
            raise ConfigurationError(f"the profile {name} is kept, its secret is not: {error}") from None
        return _done(look, profiles, name, f"Kept as the profile {name}. Look whether it works: ongage doctor")

    return carried_out(work, debug=look.debug)


def _asked(question: str, known: str | None) -> str:
    if not sys.stdin.isatty():
        if known:
            return known
        raise UsageError(f"there is nobody to ask for the {question.lower()}: ongage config set {_KEY[question]} …")
    sys.stderr.write(f"{question}{f' [{known}]' if known else ''}: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip() or known
    if not answer:
        raise UsageError(f"a {question.lower()} is needed")
    return answer


_KEY = {"User name": "username", "Account code": "account_code"}


def _secret(word: str) -> str:
    """Return what is typed without showing it; it must be something that an HTTP header can carry."""
    typed = getpass.getpass(f"{word}: ") if sys.stdin.isatty() else sys.stdin.readline()
    secret = typed.strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise UsageError(f"the {word.lower()} is empty, or holds a letter that cannot be sent")
    return secret


def _done(look: Look, profiles: Profiles, name: str, words: str) -> int:
    _output.document({"path": str(profiles.path), "profile": name}) if look.json else _output.say(words)
    return Exit.OK
