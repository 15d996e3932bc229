"""``ongage import`` as people and cron use it: what it prints, what it returns, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async.bulk import SqliteJournal
from ongage_async.cli._app import app
from ongage_async.emulator import Emulator, Fault

ROOT = Path(__file__).resolve().parents[2]
Ongage = Callable[..., int]


@pytest.fixture
def account(ongage_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emulator:
    """Point the environment to an emulator, and the working directory to a place with a file of contacts."""
    known = ongage_emulator.credentials
    for name in [name for name in os.environ if name.startswith("ONGAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONGAGE_USERNAME", known.username)
    monkeypatch.setenv("ONGAGE_PASSWORD", known.password)
    monkeypatch.setenv("ONGAGE_ACCOUNT_CODE", known.account_code)
    monkeypatch.setenv("ONGAGE_BASE_URL", ongage_emulator.url)
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("E-Mail,first_name,shoe\na@b.co,Ann,40\nnobody,Bob,41\nc@d.co,Cid,42\n")
    return ongage_emulator


@pytest.fixture
def ongage(account: Emulator) -> Ongage:
    """Run a command line as `main` does; return the exit code."""

    def command(*words: str) -> int:
        run, bound, _ = app.parse_args(["import", *words], print_error=False, exit_on_error=False)
        code: int = run(*bound.args, **bound.kwargs)
        return code

    return command


RUN = ("run", "c.csv", "--map", "E-Mail=email")


def test_a_file_is_loaded_and_accounted_for(ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]):
    assert ongage(*RUN) == 0
    told = capsys.readouterr()
    assert "3 rows read = 2 sent + 1 rejected + 0 duplicates" in told.out
    assert "All counts add up" in told.out
    assert "Check rows: " in told.err
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]


def test_the_same_command_again_sends_nothing_and_says_so(
    ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]
):
    assert ongage(*RUN) == 0
    calls = len(account.witness)
    assert ongage(*RUN) == 0
    assert len(account.witness) == calls
    assert "had ended before: nothing was sent" in capsys.readouterr().err


def test_a_dry_run_tells_and_loads_nothing(ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]):
    assert ongage(*RUN, "--dry-run") == 0
    assert "3 rows = 2 good + 1 bad + 0 duplicates" in capsys.readouterr().out
    assert ongage(*RUN, "--dry-run", "--json") == 0
    told = capsys.readouterr()
    assert (json.loads(told.out)["rows_good"], told.err) == (2, "")
    assert account.state.imports == {}
    assert [path.name for path in Path.cwd().iterdir() if path.is_file()] == ["c.csv"]


def test_json_is_all_that_goes_to_standard_output(ongage: Ongage, capsys: pytest.CaptureFixture[str]):
    assert ongage(*RUN, "--json") == 0
    told = capsys.readouterr()
    assert (json.loads(told.out)["outcomes"]["loaded"], told.err) == (2, "")


def test_trouble_on_the_way_says_how_to_go_on(
    ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from ongage_async.bulk import resume, run

    for function in (run, resume):
        monkeypatch.setitem(function.__kwdefaults__, "lookup_waits_s", (0.01,))
    rule = account.faults.add("imports.create", Fault.drop())
    assert ongage(*RUN) == 3
    told = capsys.readouterr().err
    assert "ongage import resume c.csv.ongage-journal" in told
    assert "ConnectionLostError" in told
    assert ongage("status", "c.csv.ongage-journal") == 0
    assert capsys.readouterr().out == "stopped: 1 parts\n  part 1: submitting\n"
    assert ongage("run", "c.csv", "--map", "E-Mail=email", "--no-overwrite") == 2
    assert "another load" in capsys.readouterr().err
    account.faults.remove(rule)
    assert ongage("resume", "c.csv.ongage-journal", "--json") == 0
    assert json.loads(capsys.readouterr().out)["adds_up"]
    assert ongage("status", "c.csv.ongage-journal", "--json") == 0
    assert json.loads(capsys.readouterr().out)["is_finished"]


def test_a_failed_import_is_exit_code_1(ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]):
    account.imports.script = [90001]
    assert ongage(*RUN) == 1
    told = capsys.readouterr()
    assert "Error (90001)" in told.out
    assert "status 90001" in told.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "c.csv"), "no email column"),
        (("run",), "name a file"),
        (("run", "c.csv", "--map", "email"), "column=field"),
        (("run", "c.csv", "--listen", "nowhere"), "host:port"),
        (("run", "c.csv", "--stage", "s4://bucket"), "s3://"),
    ],
    ids=["no address", "no file", "a bad map", "a bad place", "a bad stage"],
)
def test_what_is_wrong_with_a_command_is_exit_code_2(
    ongage: Ongage, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
):
    if "no email" in told:
        Path("c.csv").write_text("name\nAnn\n")
    assert ongage(*words) == 2
    assert told.split()[-1] in capsys.readouterr().err


def test_a_real_vendor_needs_a_place_to_fetch_from(
    ongage: Ongage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("ONGAGE_BASE_URL", "https://api.ongage.net")
    assert ongage(*RUN) == 2
    assert "say where Ongage fetches the file" in capsys.readouterr().err


def test_a_journal_is_given_up(ongage: Ongage, capsys: pytest.CaptureFixture[str]):
    assert ongage(*RUN) == 0
    assert ongage("abandon", "c.csv.ongage-journal") == 0
    assert not Path("c.csv.ongage-journal").exists()
    assert "removed" in capsys.readouterr().out


def test_giving_up_names_the_files_that_may_still_be_fetchable(ongage: Ongage, capsys: pytest.CaptureFixture[str]):
    """Nobody removes them any more once the journal that knows their names is gone."""

    async def stopped_in_the_middle() -> None:
        journal = SqliteJournal("c.csv.ongage-journal")
        async with journal.held():
            await journal.record("planned", parts=[{}, {}, {}])
            await journal.record("staged", 1, name="one.csv")
            await journal.record("cleaned", 1, file_deleted=True)
            await journal.record("staged", 2, name="two.csv")
            await journal.record("staged", 3, name="three.csv")
            await journal.record("cleaned", 3, file_deleted=False)

    anyio.run(stopped_in_the_middle)
    assert ongage("abandon", "c.csv.ongage-journal") == 0
    assert capsys.readouterr().out.endswith("remove them there:\n  two.csv\n  three.csv\n")


def test_imports_are_listed_and_watched(ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]):
    assert ongage(*RUN) == 0
    capsys.readouterr()
    assert ongage("list") == 0
    (number,) = account.state.imports
    line = f"import {number}: Complete (40003) · total 2, success 2, failed 0\n"
    assert capsys.readouterr().out == line
    assert ongage("watch", str(number)) == 0
    assert capsys.readouterr().out == line
    assert ongage("list", "--json") == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [number]
    account.imports.script = [40001, 90008]
    assert ongage("watch", "1") == 1


def test_ctrl_c_says_how_to_go_on_and_the_command_does(
    ongage: Ongage, account: Emulator, capsys: pytest.CaptureFixture[str]
):
    account.imports.rows_per_s = 0.5
    command = [sys.executable, "-c", "from ongage_async.cli import main; main()", "import", *RUN]
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stderr is not None
        before = []
        while "Create imports: 1" not in (line := run.stderr.readline()):
            before.append(line)
            assert line, "".join(before)
        run.send_signal(signal.SIGINT)
        told = run.stderr.read()
        assert run.wait(10) == 130
    assert "Interrupted." in told
    assert "run the same command again" in told
    assert "Traceback" not in told
    assert not SqliteJournal("c.csv.ongage-journal").is_held()
    account.imports.rows_per_s = None
    assert ongage(*RUN) == 0
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]
