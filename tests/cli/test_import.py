"""``ongage import`` as people and cron use it: what it prints, what it returns, and how it goes on."""

import json
import signal
import subprocess
from pathlib import Path

import anyio
import pytest

from ongage_async.bulk import SqliteJournal
from ongage_async.emulator import Emulator, Fault
from tests.cli.shell import COMMAND, Run

pytestmark = pytest.mark.usefixtures("account")


RUN = ("run", "c.csv", "--map", "E-Mail=email")


def test_a_file_is_loaded_and_accounted_for(ongage: Run, account: Emulator):
    told = ongage("import", *RUN)
    assert told.code == 0
    assert "3 rows read = 2 sent + 1 rejected + 0 duplicates" in told.out
    assert "All counts add up" in told.out
    assert "Check rows: " in told.err
    assert "\x1b" not in told.err
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]


def test_the_same_command_again_sends_nothing_and_says_so(ongage: Run, account: Emulator):
    assert ongage("import", *RUN).code == 0
    calls = len(account.witness)
    again = ongage("import", *RUN)
    assert again.code == 0
    assert len(account.witness) == calls
    assert "had ended before: nothing was sent" in again.err


@pytest.mark.parametrize("words", [("run", "--dry-run"), ("plan",)], ids=" ".join)
def test_a_plan_tells_and_loads_nothing(ongage: Run, account: Emulator, words: tuple[str, ...]):
    command = ("import", words[0], *RUN[1:], *words[1:])
    assert "3 rows = 2 good + 1 bad + 0 duplicates" in ongage(*command).out
    told = ongage(*command, "--json")
    assert (told.code, json.loads(told.out)["rows_good"], told.err) == (0, 2, "")
    assert account.state.imports == {}
    assert [path.name for path in Path.cwd().iterdir() if path.is_file()] == ["c.csv"]


def test_json_is_all_that_goes_to_standard_output(ongage: Run):
    told = ongage("import", *RUN, "--json")
    assert (told.code, json.loads(told.out)["outcomes"]["loaded"], told.err) == (0, 2, "")


def test_trouble_on_the_way_says_how_to_go_on(ongage: Run, account: Emulator, monkeypatch: pytest.MonkeyPatch):
    from ongage_async.bulk import resume, run

    for function in (run, resume):
        monkeypatch.setitem(function.__kwdefaults__, "lookup_waits_s", (0.01,))
    rule = account.faults.add("imports.create", Fault.drop())
    told = ongage("import", *RUN)
    assert told.code == 5
    assert "ongage import resume c.csv.ongage-journal" in told.err
    assert "imports.create" in told.err
    assert "Traceback" not in told.err
    assert ongage("import", "status", "c.csv.ongage-journal").out == "stopped: 1 part\n  part 1: submitting\n"
    other = ongage("import", "run", "c.csv", "--map", "E-Mail=email", "--no-overwrite")
    assert (other.code, "another load" in other.err) == (2, True)
    account.faults.remove(rule)
    assert json.loads(ongage("import", "resume", "c.csv.ongage-journal", "--json").out)["adds_up"]
    assert json.loads(ongage("import", "status", "c.csv.ongage-journal", "--json").out)["is_finished"]


def test_a_failed_import_is_exit_code_1(ongage: Run, account: Emulator):
    account.imports.script = [90001]
    told = ongage("import", *RUN)
    assert told.code == 1
    assert "Error (90001)" in told.out
    assert "status 90001" in told.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("run", "c.csv"), 2, "no email column"),
        (("run",), 2, "name a file"),
        (("plan",), 2, "name a file"),
        (("run", "absent.csv"), 2, "absent.csv"),
        (("run", "c.csv", "--map", "email"), 2, "column=field"),
        (("run", "c.csv", "--map", "E-Mail=email", "--listen", "nowhere"), 2, "host:port"),
        (("run", "c.csv", "--map", "E-Mail=email", "--stage", "s4://bucket"), 3, "s3://"),
        (("status", "."), 3, "there is no journal"),
    ],
    ids=[
        "no address",
        "no file",
        "no file to plan",
        "an absent file",
        "a bad map",
        "a bad place",
        "a bad stage",
        "none",
    ],
)
def test_what_is_wrong_with_a_command_is_told(ongage: Run, words: tuple[str, ...], code: int, told: str):
    if told == "no email column":
        Path("c.csv").write_text("name\nAnn\n")
    ended = ongage("import", *words)
    assert (ended.code, ended.out, "ongage: " in ended.err) == (code, "", True)
    assert told in ended.err


def test_a_real_vendor_needs_a_place_to_fetch_from(ongage: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONGAGE_BASE_URL", "https://api.ongage.net")
    told = ongage("import", *RUN)
    assert (told.code, "say where Ongage fetches the file" in told.err) == (3, True)


def test_the_stage_of_the_environment_is_used(ongage: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONGAGE_STAGE", "s4://bucket")
    assert "s3://" in ongage("import", *RUN).err


def test_a_journal_is_given_up(ongage: Run):
    assert ongage("import", *RUN).code == 0
    assert "removed" in ongage("import", "abandon", "c.csv.ongage-journal").out
    assert not Path("c.csv.ongage-journal").exists()


def test_giving_up_names_the_files_that_may_still_be_fetchable(ongage: Run):
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
    told = ongage("import", "abandon", "c.csv.ongage-journal")
    assert (told.code, told.out.endswith("remove them there:\n  two.csv\n  three.csv\n")) == (0, True)


def test_imports_are_listed_and_watched(ongage: Run, account: Emulator):
    assert ongage("import", *RUN).code == 0
    (number,) = account.state.imports
    assert ongage("import", "list").out.splitlines() == [
        "import\tstatus\tprogress\ttotal\tsuccess\tfailed\tduplicate",
        f"{number}\tComplete (40003)\t100 %\t2\t2\t0\t0",
    ]
    watched = ongage("import", "watch", str(number))
    assert watched.out == f"import {number}: Complete (40003) · total 2, success 2, failed 0\n"
    assert [each["id"] for each in json.loads(ongage("import", "list", "--json").out)] == [number]
    assert ongage("import", "watch", "1").code == 1


def test_ctrl_c_says_how_to_go_on_and_the_command_does(ongage: Run, account: Emulator, environment: dict[str, str]):
    account.imports.rows_per_s = 0.5
    command = [*COMMAND, "import", *RUN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stderr is not None
        before = []
        while "Create imports: 1" not in (line := run.stderr.readline()):
            before.append(line)
            assert line, "".join(before)
        run.send_signal(signal.SIGINT)
        told = run.stderr.read()
        assert run.wait(10) == 130
    assert "Interrupted. Nothing is lost: run the same command again" in told
    assert "Traceback" not in told
    assert not SqliteJournal("c.csv.ongage-journal").is_held()
    account.imports.rows_per_s = None
    assert ongage("import", *RUN).code == 0
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]
