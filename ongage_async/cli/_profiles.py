"""Profiles: the settings of an account under a name, in the platform's configuration directory.

The file holds no password and no key; those are in the environment or in the system's keyring, under the service
``ongage:PROFILE``. What a command uses in the end is decided by `variables`: flag, then environment, then profile. A
profile that is named on the command line counts as a flag.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from ongage_async.errors import ConfigurationError

__all__ = ["KEYS", "Profiles", "config_path", "forget_secret", "keep_secret", "secret_of", "variables"]

KEYS = {
    "username": "ONGAGE_USERNAME",
    "account_code": "ONGAGE_ACCOUNT_CODE",
    "base_url": "ONGAGE_BASE_URL",
    "list_id": "ONGAGE_LIST_ID",
    "governor": "ONGAGE_GOVERNOR",
    "calls_per_minute": "ONGAGE_CALLS_PER_MINUTE",
    "parallel": "ONGAGE_PARALLEL",
    "stage": "ONGAGE_STAGE",
    "public_url": "ONGAGE_PUBLIC_URL",
}
"""What a profile may hold, and the variable that says the same."""

NUMBERS = frozenset({"list_id", "calls_per_minute", "parallel"})
SECRETS = frozenset({"password", "api_key", "apikey", "key", "token", "secret"})
API_KEY = "api-key"
"""Under this name a profile's API key is kept in the keyring; passwords are kept under the user's."""

_WHO = ("ONGAGE_USERNAME", "ONGAGE_ACCOUNT_CODE", "ONGAGE_API_KEY")


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the profiles are: ``ONGAGE_CONFIG``, else ``config.toml`` in the platform's directory."""
    if own := environ.get("ONGAGE_CONFIG"):
        return Path(own)
    import platformdirs

    return platformdirs.user_config_path("ongage", appauthor=False) / "config.toml"


@define
class Profiles:
    """Hold the profiles of a file.

    Attributes:
        default: The profile that is used when none is named.
        named: The settings of each.
    """

    path: Path
    default: str | None = None
    named: dict[str, dict[str, Any]] = field(factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Profiles":
        """Read the file; none is no profiles.

        Raises:
            ConfigurationError: Others may read it, it holds a password, or it cannot be understood.
        """
        if not path.is_file():
            return cls(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path} can be read by others than you: chmod 600 {path}")
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is no TOML"
            raise ConfigurationError(f"{path} cannot be read: {told}. Mend it or remove it") from None
        profiles = cls(path, content.get("default"), dict(content.get("profiles", {})))
        for name, settings in profiles.named.items():
            _check(path, name, settings)
        return profiles

    def of(self, name: str) -> dict[str, Any]:
        """Return the settings of a profile.

        Raises:
            ConfigurationError: There is none of that name.
        """
        if name not in self.named:
            known = ", ".join(sorted(self.named)) or "none yet"
            raise ConfigurationError(
                f"there is no profile {name} ({known}); make it: ongage config login --profile {name}"
            )
        return self.named[name]

    def change(self, name: str, key: str, value: str | None) -> None:
        """Set one setting of a profile, which is made if it is new; None takes it away.

        Raises:
            ConfigurationError: There is no such setting, or its value is wrong.
        """
        if key not in KEYS:
            advice = "run: ongage config login" if key in SECRETS else f"there are {', '.join(KEYS)}"
            raise ConfigurationError(f"{key} is no setting of a profile: {advice}")
        if not name or not name.isprintable():
            raise ConfigurationError("a profile's name has letters, digits and signs that can be seen")
        own = self.named.setdefault(name, {})
        self.default = self.default or name
        if value is None:
            own.pop(key, None)
        else:
            own[key] = _checked(key, value)

    def remove(self, name: str) -> None:
        """Remove a profile."""
        self.of(name)
        del self.named[name]
        if self.default == name:
            self.default = min(self.named, default=None)

    def save(self) -> None:
        """Write the file, for its owner only; it is the old one or the new one, never half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(self._lines()) + "\n")
        half.replace(self.path)

    def _lines(self) -> Iterator[str]:
        yield "# Written by `ongage config`. Passwords and keys do not belong here: `ongage config login` keeps them."
        if self.default is not None:
            yield f"default = {_toml(self.default)}"
        for name in sorted(self.named):
            yield f"\n[profiles.{_toml(name)}]"
            yield from (f"{key} = {_toml(value)}" for key, value in self.named[name].items())


def _toml(value: Any) -> str:
    """Return a value as TOML writes it; its strings are JSON's as long as all letters can be seen."""
    return json.dumps(value, ensure_ascii=False)


def _check(path: Path, name: str, settings: Any) -> None:
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{path}: write the profile {name} as [profiles.{name}] with a setting a line")
    if secret := SECRETS & {key.lower() for key in settings}:
        raise ConfigurationError(
            f"{path}: the profile {name} holds a {min(secret)}, which does not belong in a file: take it out, change "
            f"it, and run: ongage config login --profile {name}"
        )
    if strange := settings.keys() - KEYS.keys():
        raise ConfigurationError(f"{path}: {min(strange)} is no setting of a profile: there are {', '.join(KEYS)}")


def _checked(key: str, value: str) -> Any:
    if not value or not value.isprintable():
        raise ConfigurationError(f"{key}: give a value of letters that can be seen")
    if key not in NUMBERS:
        return value
    if not value.isdecimal() or int(value) < 1:
        raise ConfigurationError(f"{key} must be a whole number, at least 1")
    return int(value)


# --- what holds in the end --------------------------------------------------------------------------------------------


def variables(named: str | None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the ``ONGAGE_*`` variables that hold: the environment's, and the profile's where it says nothing.

    Args:
        named: The profile that the command line names; it goes before the environment. Who calls, and which host, is
            never mixed of both: a password must not travel to somebody else's.
        environ: The environment.

    Raises:
        ConfigurationError: There is no such profile, or the file cannot be used.
    """
    own = {name: value for name, value in environ.items() if name.startswith("ONGAGE_") and value}
    profiles = Profiles.read(config_path(environ))
    name = named or own.get("ONGAGE_PROFILE") or profiles.default
    if name is None:
        return own
    of_profile = {KEYS[key]: str(value) for key, value in profiles.of(name).items()}
    if not named and any(own.get(each) for each in _WHO):  # the environment says who calls
        others = {each: value for each, value in of_profile.items() if each not in (*_WHO, "ONGAGE_BASE_URL")}
        return {**others, **own}
    user = own.get("ONGAGE_USERNAME", of_profile.get("ONGAGE_USERNAME"))
    is_ours = user == of_profile.get("ONGAGE_USERNAME")
    dropped = (*_WHO, *(() if is_ours else ("ONGAGE_PASSWORD",)), *(("ONGAGE_BASE_URL",) if named else ()))
    held = {each: value for each, value in own.items() if each not in dropped}
    return _with_secret(name, {**held, **of_profile} if named else {**of_profile, **held})


def _with_secret(profile: str, held: dict[str, str]) -> dict[str, str]:
    user = held.get("ONGAGE_USERNAME")
    variable = "ONGAGE_PASSWORD" if user else "ONGAGE_API_KEY"
    if variable not in held and (secret := secret_of(profile, user or API_KEY)):
        held[variable] = secret
    return held


# --- the keyring ------------------------------------------------------------------------------------------------------


def secret_of(profile: str, user: str) -> str | None:
    """Return what the keyring holds; None if there is nothing, or no keyring."""
    try:
        with _keyring() as keyring:
            found: str | None = keyring.get_password(f"ongage:{profile}", user)
            return found
    except ConfigurationError:
        return None


def keep_secret(profile: str, user: str, secret: str) -> None:
    """Put a password or key into the keyring.

    Raises:
        ConfigurationError: There is no keyring, or it refuses.
    """
    with _keyring() as keyring:
        keyring.set_password(f"ongage:{profile}", user, secret)


def forget_secret(profile: str, user: str) -> bool:
    """Take it out of the keyring; say whether one was there."""
    if secret_of(profile, user) is None:
        return False
    with _keyring() as keyring:
        keyring.delete_password(f"ongage:{profile}", user)
    return True


@contextmanager
def _keyring() -> Iterator[Any]:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ConfigurationError("the keyring needs an extra: pip install 'ongage-async[cli]'") from None
    try:
        yield keyring
    except keyring.errors.KeyringError:
        raise ConfigurationError(
            "this machine has no keyring that can be used, so set ONGAGE_PASSWORD (or ONGAGE_API_KEY) in the "
            "environment beside the profile"
        ) from None
