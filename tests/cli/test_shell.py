"""The command line as a whole: help, completion, exit codes, errors in a sentence, and what a terminal shows."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from ongage_async import errors
from ongage_async.cli._app import app
from ongage_async.cli._ending import Exit, carried_out, exit_of
from ongage_async.emulator import Emulator
from tests.cli.shell import COMMAND, ROOT, Run

COMMANDS = (
    *("lists", "lists get", "fields", "contacts", "contacts get", "contacts upsert", "contacts status"),
    *("contacts export", "export", "export run", "export download", "report", "send", "import", "import run"),
    *("import plan", "import resume", "import status", "import abandon", "import list", "import watch", "budget"),
    *("budget pause", "budget resume", "budget drain", "top", "config", "config show", "config set", "config use"),
    *("config remove", "config path", "config login", "doctor", "completion", "demo", "codegen", "emulator"),
    "s3-policy",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(ongage: Run, command: str):
    told = ongage(*command.split(), "--help")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"Usage: ongage {command}")


def test_every_command_is_in_the_page_about_the_shell():
    page = (ROOT / "docs" / "shell.md").read_text("utf-8")
    assert [command for command in COMMANDS if f"ongage {command}" not in page] == []
    assert [f"{code.value}" for code in Exit if f"| {code.value} |" not in page] == []


def documented(command: str) -> set[str]:
    """Return the keys that the page promises for a command."""
    page = (ROOT / "docs" / "shell.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| `") and f"`{command}`" in line.split(" | ")[0]]
    keys = re.search(r"`([a-z_ ]+)`", row.split(" | ")[1])
    assert keys, row
    return set(keys[1].split())


def test_the_keys_of_json_are_those_of_the_page(ongage: Run, account: Emulator, tmp_path: Path):
    url = f"file://{tmp_path}/l.ledger"
    assert ongage("lists", "--governor", url).code == 0

    def keys(*words: str) -> set[str]:
        told = json.loads(ongage(*words, "--json").out)
        return set(told[0] if isinstance(told, list) else told)

    assert keys("lists") == documented("lists")
    assert keys("fields") == documented("fields")
    assert keys("contacts", "upsert", "a@b.co") == documented("contacts upsert")
    assert keys("contacts", "get", "a@b.co") == documented("contacts get")
    assert keys("contacts", "export", str(tmp_path / "all.csv")) == documented("contacts export")
    assert keys("budget", "--governor", url) == documented("budget")
    assert keys("top", "--looks", "1", "--governor", url) == documented("budget") - {"ledger"} | {"at"}
    assert keys("doctor") == documented("doctor")
    assert keys("config", "show") == documented("config show")


def test_help_imports_nothing_of_the_work():
    """What a person waits for is Python, cyclopts and the client's front door; the rest comes when it is called."""
    code = (
        "import sys; sys.argv = ['ongage', '--help']\n"
        "from ongage_async.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "rooms = ('ongage_async.cli._', 'ongage_async.bulk', 'keyring')\n"
        "print(*[name for name in sys.modules if name.startswith(rooms)])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert loaded == {"ongage_async.cli._app", "ongage_async.cli._account"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nonsense",), "Unknown command"),
        (("lists", "--nonsense"), "--nonsense"),
        (("contacts", "get"), "CONTACT"),
        (("send", "twelve", "a@b.co"), "twelve"),
        (("lists", "--max-wait", "soon"), "write 90s, 5m or 1h"),
        (("import", "run", "gone.csv"), 'ongage: "gone.csv" does not exist.'),
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong_is_one_sentence_and_exit_code_2(ongage: Run, words: tuple[str, ...], told: str):
    ended = ongage(*words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err
    assert ended.err.startswith("ongage: ")
    assert "--help" in ended.err


def test_an_address_that_is_taken_is_told_with_what_to_do(ongage: Run, account: Emulator):
    port = account.url.rsplit(":", 1)[1]
    told = ongage("emulator", "--port", port)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"ongage: 127.0.0.1:{port}: address already in use. Name another --port")


def test_what_was_typed_wrongly_is_not_told_if_it_is_an_address(ongage: Run):
    assert "jane" not in ongage("send", "jane@doe.com").err
    assert "jane" not in ongage("lists", "jane@doe.com").err


def every_error() -> list[type[errors.OngageError]]:
    found = [errors.OngageError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == "ongage_async.errors"]


def test_every_error_of_the_library_has_its_exit_code():
    expected = {
        **dict.fromkeys(("CSVError", "InvalidInputError", "JournalError"), 2),
        **dict.fromkeys(("ConfigurationError", "AuthenticationError", "PermissionDeniedError"), 3),
        **dict.fromkeys(("BudgetError", "RateLimitedError"), 4),
        **dict.fromkeys(("TransportError", "ConnectError", "ResponseTimeoutError", "ConnectionLostError"), 5),
        **dict.fromkeys(("ServerError", "DecodeError", "StagingError", "JobTimeoutError"), 5),
    }
    known = {kind.__name__: int(exit_of(kind("…"))) for kind in every_error()}
    assert known == dict.fromkeys(known, 1) | expected


def test_an_error_is_a_sentence_and_a_traceback_only_if_asked_for(capsys: pytest.CaptureFixture[str]):
    async def broken() -> int:
        raise RuntimeError("jane@doe.com at https://x.test/f.csv?sig=s3cret")

    assert carried_out(broken) == 1
    told = capsys.readouterr().err
    assert told.startswith("ongage: unexpected RuntimeError: ‹address› at")
    assert told.count("\n") == 1
    assert "s3cret" not in told
    assert carried_out(broken, debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_error_from_within_a_task_group_is_told_as_itself(capsys: pytest.CaptureFixture[str]):
    async def refused() -> None:
        raise errors.BudgetError("not now", retry_after_s=3.0)

    async def work() -> int:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused)
        return 0

    assert carried_out(work) == Exit.BUDGET
    assert capsys.readouterr().err == "ongage: not now. See: ongage budget.\n"


def test_the_exit_codes_of_calls_are_those_of_the_page(ongage: Run, account: Emulator, monkeypatch: pytest.MonkeyPatch):
    assert ongage("lists", "get", "5").code == Exit.FAILED
    monkeypatch.setenv("ONGAGE_PASSWORD", "wr0ng-one")
    refused = ongage("lists")
    assert (refused.code, "wr0ng-one" in refused.err) == (Exit.CONFIGURATION, False)
    monkeypatch.setenv("ONGAGE_BASE_URL", "http://127.0.0.1:1")
    assert ongage("lists", "--max-wait", "0.1s").code == Exit.VENDOR


def test_a_reader_that_has_read_enough_is_no_error(account: Emulator, environment: dict[str, str]):
    command = [*COMMAND, "fields"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.wait(10) == 0
        assert run.stderr.read() == ""


def test_an_answer_is_readable_where_only_ascii_is_spoken(account: Emulator, environment: dict[str, str]):
    ascii_only = {**environment, "PYTHONIOENCODING": "ascii"}
    subprocess.run(
        [*COMMAND, "contacts", "upsert", "a@b.co", "first_name=Zoë"], env=ascii_only, check=True, capture_output=True
    )
    told = subprocess.run(
        [*COMMAND, "contacts", "get", "a@b.co", "--json"], env=ascii_only, check=True, capture_output=True
    )
    assert json.loads(told.stdout)["fields"]["first_name"] == "Zoë"


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("bash") is None, reason="the script is bash's own: needs bash")
def test_bash_completes_commands_and_options(ongage: Run, tmp_path: Path):
    script = tmp_path / "completion.bash"
    script.write_text(ongage("completion", "bash").out)

    def completed(*typed: str) -> set[str]:
        words = " ".join(f"'{word}'" for word in typed)
        ask = f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _ongage; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        command = ["bash", "--norc", "-c", f". {script}; {ask}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        return set(ended.stdout.split())

    assert completed("ongage", "imp") == {"import"}
    assert completed("ongage", "contacts", "u") == {"upsert"}
    assert completed("ongage", "budget", "") >= {"pause", "resume", "drain"}
    assert completed("ongage", "lists", "--ty") == {"--type"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_their_completion(ongage: Run, shell: str):
    told = ongage("completion", shell)
    assert told.code == 0
    assert all(word in told.out for word in ("upsert", "doctor", "--max-wait"))


def test_a_shell_that_nobody_knows_is_refused(ongage: Run):
    assert ongage("completion", "tcsh").code == 2


# --- on a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """Run a command on a terminal of its own, type keys, and read what is on it."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str], columns: int = 80) -> None:
        mine, theirs = pty.openpty()
        env = {**environment, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
        self.run = subprocess.Popen(
            [*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)
        self._fd, self.raw = mine, ""

    def read_until(self, words: str, within_s: float = 15.0) -> str:
        """Read until something stands there."""
        ends = time.monotonic() + within_s
        while words not in self.text:
            assert time.monotonic() < ends, self.raw
            if not self._read():
                break
        assert words in self.text, self.raw
        return self.text

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        return self.run.wait(15)

    def hang_up(self) -> None:
        """Close the terminal."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.run.poll() is None:
            self.run.kill()
            self.run.wait(15)
        self.hang_up()

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    @property
    def text(self) -> str:
        """What was written, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw).replace("\r", "")

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 15.0)[0]:
            return False
        try:
            piece = os.read(self._fd, 65536)
        except OSError:  # Linux: nobody holds the other side any more
            return False
        self.raw += piece.decode(errors="replace")
        return bool(piece)


OnATerminal = Callable[..., Terminal]


@pytest.fixture
def on_a_terminal(account: Emulator, environment: dict[str, str]) -> Iterator[OnATerminal]:
    """Run commands on terminals."""
    opened = []

    def run(*words: str, **more: str) -> Terminal:
        opened.append(Terminal(words, {**environment, **more}))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


def test_on_a_terminal_lists_are_a_table_for_people(account: Emulator, on_a_terminal: OnATerminal):
    terminal = on_a_terminal("lists")
    assert terminal.end() == 0
    assert "my sending list" in terminal.text
    assert "──" in terminal.text
    assert max(map(len, terminal.text.splitlines())) <= 80


def test_no_color_is_heeded(account: Emulator, on_a_terminal: OnATerminal):
    colours = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    plain = on_a_terminal("doctor", NO_COLOR="1")
    assert plain.end() == 0
    assert not colours.search(plain.raw)
    colourful = on_a_terminal("doctor")
    assert colourful.end() == 0
    assert colours.search(colourful.raw)


@pytest.mark.parametrize(("answer", "left"), [("\n", 1), ("y\n", 0)], ids=["nothing", "yes"])
def test_a_person_is_asked_before_contacts_are_deleted_for_good(
    ongage: Run, account: Emulator, environment: dict[str, str], on_a_terminal: OnATerminal, answer: str, left: int
):
    ongage("contacts", "upsert", "a@b.co")
    terminal = on_a_terminal("contacts", "status", "remove", "a@b.co")
    terminal.read_until("Delete 1 contact for good? [y/N]")
    terminal.type(answer)
    assert terminal.end() == (1 if left else 0)
    assert len(list(account.state.default_list.contacts)) == left


def test_ctrl_c_at_a_question_ends_the_command(account: Emulator, on_a_terminal: OnATerminal):
    """An event loop would keep the first Ctrl-C to itself until somebody answers."""
    terminal = on_a_terminal("send", "12", "a@b.co")
    terminal.read_until("SEND message 12 to 1 recipient? [y/N]")
    os.killpg(terminal.run.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "Nothing was sent." in terminal.text
    assert len(account.witness) == 0


def test_a_person_who_says_no_has_sent_nothing(account: Emulator, on_a_terminal: OnATerminal):
    terminal = on_a_terminal("send", "12", "a@b.co")
    terminal.read_until("SEND message 12 to 1 recipient? [y/N]")
    terminal.type("n\n")
    assert terminal.end() == 1
    assert "Nothing was done." in terminal.text
    assert len(account.witness) == 0


def test_a_password_is_asked_for_and_not_shown(on_a_terminal: OnATerminal):
    terminal = on_a_terminal("config", "login", "--profile", "acme")
    terminal.read_until("User name: ")
    terminal.type("jane@acme.com\n")
    terminal.read_until("Account code: ")
    terminal.type("acme1\n")
    terminal.read_until("Password: ")
    terminal.type("s3same\n")
    assert terminal.end() == 3
    assert "s3same" not in terminal.text
    assert "no keyring" in terminal.text


def test_a_password_that_is_nowhere_is_asked_for_once(account: Emulator, on_a_terminal: OnATerminal):
    terminal = on_a_terminal("doctor", ONGAGE_PASSWORD="")
    terminal.read_until(f"Password of {account.credentials.username}: ")
    terminal.type(f"{account.credentials.password}\n")
    assert terminal.end() == 0
    assert terminal.text.count("Password of") == 1
    assert account.credentials.password not in terminal.text


def test_ctrl_c_at_the_password_ends_the_command(account: Emulator, on_a_terminal: OnATerminal):
    terminal = on_a_terminal("lists", ONGAGE_PASSWORD="")
    terminal.read_until("Password of")
    os.killpg(terminal.run.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.text


def test_top_takes_keys(
    account: Emulator, environment: dict[str, str], on_a_terminal: OnATerminal, ongage: Run, tmp_path: Path
):
    url = f"file://{tmp_path}/l.ledger"
    assert ongage("lists", "--governor", url).code == 0
    terminal = on_a_terminal("top", "--no-imports", "--every", "0.1", "--governor", url)
    terminal.read_until("p pause 5 min")
    terminal.type("p")
    terminal.read_until("Paused for 5 minutes")
    assert json.loads(ongage("budget", "--json", "--governor", url).out)["hold_s"] > 290
    terminal.type("r")
    terminal.read_until("Calls go out again")
    assert json.loads(ongage("budget", "--json", "--governor", url).out)["hold_s"] == 0
    terminal.type("d")
    terminal.read_until("Draining")
    terminal.type("q")
    assert terminal.end() == 0


def test_top_ends_when_its_terminal_is_closed(on_a_terminal: OnATerminal, ongage: Run, tmp_path: Path):
    """Nobody looks any more: what goes on for ever would hold a place in the ledger."""
    url = f"file://{tmp_path}/l.ledger"
    assert ongage("lists", "--governor", url).code == 0
    terminal = on_a_terminal("top", "--no-imports", "--every", "0.1", "--governor", url)
    terminal.read_until("p pause 5 min")
    terminal.hang_up()
    terminal.run.wait(10)


def test_top_shows_the_imports_that_are_under_way(
    account: Emulator, environment: dict[str, str], on_a_terminal: OnATerminal, ongage: Run, tmp_path: Path
):
    url = f"file://{tmp_path}/l.ledger"
    account.imports.script = [40002]
    (tmp_path / "e.csv").write_text("email\na@b.co\n")
    load = subprocess.Popen([*COMMAND, "import", "run", "e.csv"], env=environment, stderr=subprocess.DEVNULL)
    try:
        while not account.state.imports:
            assert load.poll() is None
            time.sleep(0.02)
        assert ongage("lists", "--governor", url).code == 0
        terminal = on_a_terminal("top", "--every", "0.1", "--governor", url)
        terminal.read_until("import 8")
        terminal.type("q")
        assert terminal.end() == 0
    finally:
        load.kill()
        load.wait(10)


def test_the_app_is_the_one_that_the_script_starts():
    assert app.name == ("ongage",)
