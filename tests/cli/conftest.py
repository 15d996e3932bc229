"""What tests of the command line share: an emulated account, and commands run as `main` runs them."""

import os
from pathlib import Path

import pytest

from ongage_async.cli import _account
from ongage_async.cli._app import app
from ongage_async.emulator import Emulator
from tests.cli.shell import ROOT, Ended, Run


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep the settings of whoever runs the tests out; return where profiles are kept."""
    for name in [name for name in os.environ if name.startswith("ONGAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONGAGE_CONFIG", str(tmp_path / "settings" / "config.toml"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _account._typed_password.cache_clear()
    return tmp_path / "settings" / "config.toml"


@pytest.fixture
def account(
    nobodys_settings: Path, ongage_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Emulator:
    """Point the environment to an emulator, and the working directory to a place with a file of contacts."""
    known = ongage_emulator.credentials
    monkeypatch.setenv("ONGAGE_USERNAME", known.username)
    monkeypatch.setenv("ONGAGE_PASSWORD", known.password)
    monkeypatch.setenv("ONGAGE_ACCOUNT_CODE", known.account_code)
    monkeypatch.setenv("ONGAGE_BASE_URL", ongage_emulator.url)
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("E-Mail,first_name,shoe\na@b.co,Ann,40\nnobody,Bob,41\nc@d.co,Cid,42\n")
    ongage_emulator.state.audience.ready_s = 0.0
    imports = ongage_emulator.imports
    imports.queued_s = imports.validating_s = imports.stats_s = 0.0
    return ongage_emulator


@pytest.fixture
def ongage(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line as `main` does, in this process."""

    def command(*words: str) -> Ended:
        capsys.readouterr()
        try:
            code = app(list(words), result_action="return_value")
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        return Ended(int(code or 0), told.out, told.err)

    return command


@pytest.fixture
def environment(account: Emulator) -> dict[str, str]:
    """Return the environment of a command in a process of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
