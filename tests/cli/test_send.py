"""``ongage send``: it asks, it spares who should be spared, and it sends to nobody twice, wherever it was stopped."""

import json
import signal
import subprocess
import time
from pathlib import Path

import anyio
import pytest

from ongage_async import ApiKey, OngageClient
from ongage_async.cli._ending import UsageError
from ongage_async.cli._send_record import SendRecord
from ongage_async.emulator import Emulator, Fault
from tests.cli.shell import COMMAND, Run

ALL = ("--no-check-status",)
"""The emulator takes people whom the list does not know for not active."""


@pytest.fixture
def message(account: Emulator) -> str:
    """Make a message that can be sent."""

    async def make() -> int:
        async with OngageClient(ApiKey(account.api_key), base_url=account.url) as client:
            return (await client.emails.create("Receipt", subject="Thanks", content_html="<p>Thanks</p>")).id

    number = anyio.run(make)
    account.witness.clear()
    return str(number)


def reached(account: Emulator) -> list[str]:
    return [sent.recipient for sent in account.state.messages.outbox]


def sends(account: Emulator) -> int:
    return account.witness.count("transactional.send", executed=True)


def test_one_message_goes_out_with_both_checks_on(ongage: Run, account: Emulator, message: str):
    """The vendor's own default is to send to people who unsubscribed."""
    ongage("contacts", "upsert", "ann@b.co")
    assert ongage("send", message, "ann@b.co", "--yes").out == "1 sent.\n"
    ongage("contacts", "status", "unsubscribe", "ann@b.co")
    spared = ongage("send", message, "ann@b.co", "--yes")
    assert (spared.code, spared.out.splitlines()[0]) == (1, "1 rejected.")
    assert "--no-check-status" in spared.out
    assert ongage("send", message, "ann@b.co", "--no-check-status", "--yes").out == "1 sent.\n"
    assert reached(account) == ["ann@b.co", "ann@b.co"]


def test_nothing_is_sent_where_nobody_can_be_asked(ongage: Run, account: Emulator, message: str):
    refused = ongage("send", message, "ann@b.co")
    assert (refused.code, "say --yes if you mean it" in refused.err) == (2, True)
    assert ongage("send", message).code == 2
    wrong = ongage("send", message, "ann@b.co", "--field", "code", "--yes")
    assert (wrong.code, "--field takes name=value" in wrong.err) == (2, True)
    assert len(account.witness) == 0


def test_a_file_is_sent_to_once_however_often_the_command_is_given(ongage: Run, account: Emulator, message: str):
    Path("people.txt").write_text("a@b.co\nc@d.co\nA@B.co\n")
    words = ("send", message, "--from", "people.txt", *ALL, "--yes")
    assert ongage(*words).out == "2 sent.\n"
    Path("people.txt").write_text("a@b.co\nc@d.co\ne@f.co\n")
    assert ongage(*words).out.startswith("1 sent; 2 left out, since the record people.txt.ongage-sent-")
    again = ongage(*words)
    assert (again.code, again.out.startswith("Nobody left to send to; 3 left out")) == (0, True)
    assert sends(account) == 2
    assert Path(f"people.txt.ongage-sent-{message}").stat().st_mode & 0o077 == 0


def test_the_messages_own_fields_go_with_it(ongage: Run, account: Emulator, message: str):
    assert ongage("send", message, "ann@b.co", "--field", "code=12=34", *ALL, "--yes").code == 0
    assert account.state.messages.outbox[0].fields == {"code": "12=34"}


def test_each_recipient_is_a_line_of_json(ongage: Run, message: str):
    lines = ongage("send", message, "a@b.co", "c@d.co", *ALL, "--yes", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"recipient": "a@b.co", "kind": "sent", "reason": None},
        {"recipient": "c@d.co", "kind": "sent", "reason": None},
    ]


def test_an_uncertain_send_is_told_and_never_repeated(ongage: Run, account: Emulator, message: str):
    Path("people.txt").write_text("a@b.co\n")
    account.faults.add("transactional.send", Fault.drop(after_execution=True), times=1)
    words = ("send", message, "--from", "people.txt", *ALL, "--yes")
    told = ongage(*words)
    assert (told.code, told.out.splitlines()[0]) == (1, "1 unknown.")
    assert "look before you send" in told.out
    assert ongage(*words).out.startswith("Nobody left to send to")
    assert sends(account) == 1


def test_who_was_certainly_not_sent_to_is_sent_to_later(ongage: Run, account: Emulator, message: str):
    Path("people.txt").write_text("a@b.co\nc@d.co\n")
    rule = account.faults.add("transactional.send", Fault.status(401))
    words = ("send", message, "--from", "people.txt", *ALL, "--yes")
    refused = ongage(*words)
    assert (refused.code, "ongage config login" in refused.err) == (3, True)
    account.faults.remove(rule)
    assert ongage(*words).out == "2 sent.\n"


def test_a_record_is_of_one_message(ongage: Run, account: Emulator, message: str):
    Path("people.txt").write_text("a@b.co\n")
    with SendRecord(Path("kept"), 1):
        pass
    other = ongage("send", message, "--from", "people.txt", "--record", "kept", "--yes")
    assert (other.code, "record of another message" in other.err) == (2, True)
    assert sends(account) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_send_that_was_stopped_goes_on_and_nobody_gets_it_twice(
    ongage: Run, account: Emulator, message: str, environment: dict[str, str], how: signal.Signals
):
    Path("people.txt").write_text("".join(f"p{number}@b.co\n" for number in range(40)))
    account.latency = 0.02
    words = ("send", message, "--from", "people.txt", "--per-call", "2", *ALL, "--yes")
    with subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True, env=environment) as run:
        while sends(account) < 3:
            assert run.poll() is None
            time.sleep(0.005)
        run.send_signal(how)
        assert run.stderr is not None
        told = run.stderr.read()
        code = run.wait(10)
    if how is signal.SIGINT:
        assert code == 130
        assert "Run the same command again" in told
    ongage(*words)
    them = reached(account)
    assert len(them) == len(set(them))
    open_when_it_was_stopped = 2
    assert len(them) >= 40 - open_when_it_was_stopped


def test_a_record_survives_a_line_that_was_cut_off(tmp_path: Path):
    kept = tmp_path / "kept"
    with SendRecord(kept, 7) as record:
        assert list(record.begin(["a@b.co", "c@d.co"])) == ["a@b.co", "c@d.co"]
        record.settle([("a@b.co", "sent"), ("c@d.co", "not_sent")])
    with kept.open("ab") as file:
        file.write(b'{"recipient": "e@f')
    with SendRecord(kept, 7) as record:
        assert list(record.begin(["A@b.co", "c@d.co", "e@f.co"])) == ["c@d.co", "e@f.co"]
        assert record.left_out == 1
    with SendRecord(kept, 7) as record:
        assert list(record.begin(["c@d.co", "e@f.co"])) == []
    with pytest.raises(UsageError), SendRecord(kept, 8):
        pass
