"""Profiles: what holds in the end, and where passwords never are."""

import json
import os
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from ongage_async.cli._profiles import variables
from ongage_async.emulator import Emulator
from ongage_async.errors import ConfigurationError
from tests.cli.shell import Run

SECRET = "s3same-0pen"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]  # keyring declares a property and reads a class attribute

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch) -> Drawer:
    """Have a keyring that works."""
    own = Drawer()
    monkeypatch.setattr(keyring, "get_password", own.get_password)
    monkeypatch.setattr(keyring, "set_password", own.set_password)
    monkeypatch.setattr(keyring, "delete_password", own.delete_password)
    return own


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type answers at a terminal."""

    def at_once(*answers: str, password: str = SECRET) -> None:
        lines = iter(answers)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stdin.readline", lambda: f"{next(lines)}\n", raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: password)

    return at_once


def test_login_keeps_the_password_in_the_keyring_and_nowhere_else(
    ongage: Run, drawer: Drawer, typed: Any, nobodys_settings: Path
):
    typed("jane@acme.com", "acme1")
    told = ongage("config", "login", "--profile", "acme")
    assert told.code == 0
    assert drawer.held == {("ongage:acme", "jane@acme.com"): SECRET}
    assert nobodys_settings.stat().st_mode & 0o777 == 0o600
    shown = ongage("config", "show")
    assert "in the keyring" in shown.out
    assert SECRET not in told.out + told.err + shown.out + nobodys_settings.read_text()
    assert ongage("config", "remove", "acme").code == 0
    assert drawer.held == {}


def test_a_profile_that_was_logged_in_calls_the_account(
    ongage: Run, account: Emulator, drawer: Drawer, typed: Any, monkeypatch: pytest.MonkeyPatch
):
    known = account.credentials
    typed(known.username, known.account_code, password=known.password)
    ongage("config", "login")
    ongage("config", "set", "base_url", account.url)
    for name in ("ONGAGE_USERNAME", "ONGAGE_PASSWORD", "ONGAGE_ACCOUNT_CODE", "ONGAGE_BASE_URL"):
        monkeypatch.delenv(name)
    assert ongage("lists").code == 0
    drawer.held.clear()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    unset = ongage("lists")
    assert (unset.code, "ONGAGE_PASSWORD" in unset.err) == (3, True)
    monkeypatch.setenv("ONGAGE_PASSWORD", known.password)
    assert ongage("lists").code == 0


def test_an_api_key_is_kept_likewise(ongage: Run, account: Emulator, drawer: Drawer, typed: Any):
    typed(password=account.api_key)
    assert ongage("config", "login", "--api-key", "--profile", "keyed").code == 0
    assert drawer.held == {("ongage:keyed", "api-key"): account.api_key}
    ongage("config", "set", "base_url", account.url, "--profile", "keyed")
    assert ongage("lists", "--profile", "keyed").code == 0


def test_without_a_keyring_the_environment_is_named_and_the_profile_is_kept(
    ongage: Run, typed: Any, nobodys_settings: Path
):
    typed("jane@acme.com", "acme1")
    told = ongage("config", "login", "--profile", "acme")
    assert (told.code, "set ONGAGE_PASSWORD" in told.err) == (3, True)
    assert "the profile acme is kept, its secret is not" in told.err
    assert SECRET not in told.err + nobodys_settings.read_text()
    assert json.loads(ongage("config", "show", "--json").out)["profiles"]["acme"]["account_code"] == "acme1"


def test_where_nobody_can_be_asked_it_says_so(ongage: Run):
    told = ongage("config", "login")
    assert (told.code, "ongage config set username" in told.err) == (2, True)


def test_settings_are_set_shown_used_and_taken_away(ongage: Run, nobodys_settings: Path):
    assert ongage("config", "path").out == f"{nobodys_settings}\n"
    assert ongage("config", "set", "list_id", "7", "--profile", "one").code == 0
    assert ongage("config", "set", "governor", "redis://user:hunter2@cache/0", "--profile", "two").code == 0
    told = json.loads(ongage("config", "show", "--json").out)
    assert (told["default"], told["profiles"]["one"]["list_id"]) == ("one", 7)
    assert told["profiles"]["two"]["governor"] == "redis://‹masked›@cache/0"
    assert ongage("config", "use", "two").code == 0
    assert ongage("config", "set", "governor", "").code == 0
    told = json.loads(ongage("config", "show", "--profile", "two", "--json").out)
    assert (told["default"], told["profiles"]["two"]) == ("two", {"secret": "not in the keyring"})
    assert ongage("config", "remove", "two").code == 0
    assert "one (in use)" in ongage("config", "show").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("set", "password", SECRET), "ongage config login"),
        (("set", "colour", "red"), "no setting of a profile"),
        (("set", "list_id", "many"), "whole number"),
        (("use", "nobody"), "there is no profile nobody"),
        (("remove", "nobody"), "there is no profile nobody"),
    ],
    ids=lambda one: one if isinstance(one, str) else " ".join(one[:2]),
)
def test_what_cannot_be_set_is_refused(ongage: Run, nobodys_settings: Path, words: tuple[str, ...], told: str):
    ended = ongage("config", *words)
    assert (ended.code, told in ended.err, SECRET in ended.err) == (3, True, False)
    assert not nobodys_settings.exists()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666], ids=oct)
def test_a_file_that_others_can_read_is_not_used(ongage: Run, nobodys_settings: Path, mode: int):
    ongage("config", "set", "list_id", "7")
    nobodys_settings.chmod(mode)
    told = ongage("lists")
    assert (told.code, f"chmod 600 {nobodys_settings}" in told.err) == (3, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[profiles.a]\npassword = "hunter2"\n', "does not belong in a file"),
        ("[profiles.a\n", "no TOML"),
        ("[profiles]\na = 3\n", r"\[profiles.a\]"),
        ("[profiles.a]\ncolour = 3\n", "colour is no setting"),
    ],
    ids=["a password", "no TOML", "no table", "a stranger"],
)
def test_a_file_that_is_wrong_is_refused_in_a_sentence(nobodys_settings: Path, content: str, words: str):
    nobodys_settings.parent.mkdir()
    nobodys_settings.write_text(content)
    nobodys_settings.chmod(0o600)
    with pytest.raises(ConfigurationError, match=words) as refused:
        variables(None)
    assert "hunter2" not in str(refused.value)


def profiles(path: Path, **named: dict[str, Any]) -> dict[str, str]:
    """Write profiles, the first of which is in use, and return an environment that knows them."""
    from ongage_async.cli._profiles import Profiles

    Profiles(path, next(iter(named)), named).save()
    return {"ONGAGE_CONFIG": str(path)}


ACME = {"username": "jane", "account_code": "acme1", "base_url": "https://acme.test", "list_id": 7}
OTHER = {"username": "joe", "account_code": "other1", "list_id": 8, "stage": "s3://other"}


def test_the_environment_goes_before_the_profile_in_use(nobodys_settings: Path, drawer: Drawer):
    environ = profiles(nobodys_settings, acme=ACME)
    drawer.set_password("ongage:acme", "jane", SECRET)
    held = variables(None, {**environ, "ONGAGE_LIST_ID": "9"})
    assert (held["ONGAGE_LIST_ID"], held["ONGAGE_USERNAME"], held["ONGAGE_PASSWORD"]) == ("9", "jane", SECRET)
    assert variables(None, {**environ, "ONGAGE_PASSWORD": "mine"})["ONGAGE_PASSWORD"] == "mine"


def test_who_calls_is_never_mixed_of_environment_and_profile(nobodys_settings: Path, drawer: Drawer):
    """One account's password must not travel to another's host, nor a list of one be changed in the other."""
    environ = profiles(nobodys_settings, acme=ACME)
    drawer.set_password("ongage:acme", "jane", SECRET)
    theirs = {**environ, "ONGAGE_USERNAME": "joe", "ONGAGE_PASSWORD": "joes", "ONGAGE_ACCOUNT_CODE": "other1"}
    held = variables(None, theirs)
    assert (held["ONGAGE_USERNAME"], held["ONGAGE_PASSWORD"], held["ONGAGE_ACCOUNT_CODE"]) == ("joe", "joes", "other1")
    assert "ONGAGE_BASE_URL" not in held
    keyed = variables(None, {**environ, "ONGAGE_API_KEY": "key"})
    assert {"ONGAGE_USERNAME", "ONGAGE_PASSWORD", "ONGAGE_ACCOUNT_CODE", "ONGAGE_BASE_URL"} & set(keyed) == set()


def test_a_profile_that_is_named_goes_before_the_environment(nobodys_settings: Path, drawer: Drawer):
    environ = profiles(nobodys_settings, acme=ACME, other=OTHER)
    drawer.set_password("ongage:other", "joe", "joes")
    theirs = {
        "ONGAGE_USERNAME": "jane",
        "ONGAGE_PASSWORD": SECRET,
        "ONGAGE_ACCOUNT_CODE": "acme1",
        "ONGAGE_LIST_ID": "7",
        "ONGAGE_PARALLEL": "3",
        "ONGAGE_BASE_URL": "https://acme.test",
    }
    held = variables("other", {**environ, **theirs})
    assert (held["ONGAGE_USERNAME"], held["ONGAGE_PASSWORD"], held["ONGAGE_LIST_ID"]) == ("joe", "joes", "8")
    assert (held["ONGAGE_STAGE"], held["ONGAGE_PARALLEL"]) == ("s3://other", "3")
    assert "ONGAGE_BASE_URL" not in held
    drawer.held.clear()
    assert "ONGAGE_PASSWORD" not in variables("other", {**environ, **theirs})
    assert variables(None, {**environ, "ONGAGE_PROFILE": "other"})["ONGAGE_USERNAME"] == "joe"


def test_without_a_file_the_environment_is_all_there_is(nobodys_settings: Path):
    assert variables(None, {"ONGAGE_CONFIG": str(nobodys_settings), "HOME": "/", "ONGAGE_LIST_ID": "3"}) == {
        "ONGAGE_CONFIG": str(nobodys_settings),
        "ONGAGE_LIST_ID": "3",
    }
    assert variables(None, {"ONGAGE_CONFIG": os.devnull}) == {"ONGAGE_CONFIG": os.devnull}


def test_names_and_values_of_any_letters_come_back_from_the_file(nobodys_settings: Path):
    from ongage_async.cli._profiles import Profiles

    named = {'a "b" \\ ü.c': {"username": 'jä"ne\\x', "list_id": 3}}
    Profiles(nobodys_settings, None, named).save()
    assert Profiles.read(nobodys_settings).named == named
