"""An outbox in a file: who may read it, what a reboot and a fork do to it, and files that are something else."""

import errno
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, OutboxError
from ongage_async.outbox import Status, _clock, _sqlite, _sqlite_steps
from ongage_async.outbox._clock import Tie
from ongage_async.outbox._sqlite import SqliteStore
from tests.outbox.exam import Exam, call
from tests.outbox.test_conformance import ALL, ids

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kind() -> str:
    return "sqlite"


def test_only_its_owner_can_read_it(exam: Exam):
    """Bodies hold personal data: also in SQLite's own files beside it."""
    store = exam.open_one()
    store.put(call("one"))
    store.claim(ALL)
    folder = store.path.parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes == {
        **dict.fromkeys(("outbox.db", "outbox.db-wal", "outbox.db-shm", store.owner), 0o600),
        "outbox.db-senders": 0o700,
    }


def test_what_is_forgotten_is_gone_from_the_file(exam: Exam):
    store = exam.open_one()
    store.put(call("one", arguments='["john@doe.com"]'))
    store.decide("one", Status.DISCARDED)
    time.sleep(0.01)
    store.sweep((), 0.001)
    store.close()
    assert b"john@doe.com" not in store.path.read_bytes()


def test_each_step_is_on_the_disk(exam: Exam):
    """WAL alone would lose the last commits with the power: FULL has each one synced."""
    store = exam.open_one()
    told = [store._base.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert told == ["wal", 2]


def test_many_may_open_it_at_the_same_moment(exam: Exam):
    barrier, opened = threading.Barrier(6), []

    def open_one() -> None:
        barrier.wait()
        opened.append(exam.open_one())

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(opened) == 6
    opened[0].put(call("one"))
    assert all(store.get("one") for store in opened)


GUEST = """
import sys
from ongage_async.outbox._store import open_store
store = open_store(sys.argv[1], sys.argv[2])
print(*(entry.id for entry in store.page(None, 0, 9)))
store.close()
"""


def test_a_second_outbox_of_a_process_does_not_cost_the_first_its_locks(exam: Exam):
    """POSIX: who closes any descriptor of a file loses all its locks. The last guest then took the log with it."""

    def a_guest_sees() -> str:
        command = [sys.executable, "-c", GUEST, exam.url, exam.account]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout

    store = exam.open_one()
    store.put(call("one"))
    exam.open_one()
    assert a_guest_sees() == "one\n"
    store.put(call("two"))
    assert a_guest_sees() == "one two\n"


def test_a_clock_that_is_set_changes_nothing(exam: Exam, monkeypatch: pytest.MonkeyPatch):
    """Neither a day forward nor a year back: dates run with the time since the boot."""
    store = exam.open_one()
    store.put(call("one", expires_in_s=60))
    for wall_s in (time.time() + 86400, time.time() - 365 * 86400, 0.0):
        monkeypatch.setattr(time, "time", lambda wall_s=wall_s: wall_s)
        other = exam.open_one()
        other.sweep((), 60)
        assert 55 < other.get("one").expires_in_s <= 60
        assert other.get("one").age_s < 5


def rebooted(monkeypatch: pytest.MonkeyPatch, wall_s: float) -> None:
    monkeypatch.setattr(_sqlite_steps, "boot_number", lambda: 42.0)
    for module in (_sqlite_steps, _clock):
        monkeypatch.setattr(module, "since_boot_s", lambda: 3.0)
    monkeypatch.setattr(time, "time", lambda: wall_s)


def test_dates_outlive_a_reboot(exam: Exam, monkeypatch: pytest.MonkeyPatch):
    """After an hour in which the machine was off, an hour has passed."""
    store = exam.open_one()
    store.put(call("late", expires_in_s=600))
    store.put(call("one", expires_in_s=7200))
    exam.kill(store)
    rebooted(monkeypatch, time.time() + 3600)
    after = exam.open_one()
    after.sweep((), 86400)
    assert after.get("late").status is Status.EXPIRED
    assert 3500 < after.get("one").expires_in_s < 3700


def test_a_wall_clock_that_was_lost_at_a_reboot_does_not_lead_back(exam: Exam, monkeypatch: pytest.MonkeyPatch):
    """A machine without a battery wakes in 1970: then at least no time has passed."""
    store = exam.open_one()
    store.put(call("one", expires_in_s=600))
    exam.kill(store)
    rebooted(monkeypatch, 0.0)
    assert 595 < exam.open_one().get("one").expires_in_s <= 600


def test_time_of_a_boot_goes_on_from_what_was_written():
    assert Tie.of_new_boot(1.0, last_date=500.0, wall_s=400.0, running_s=20.0).ahead_s == 480.0
    assert Tie.of_new_boot(1.0, last_date=500.0, wall_s=900.0, running_s=20.0).ahead_s == 880.0


def test_a_step_costs_the_same_however_much_lies_there(exam: Exam):
    """A pause of an hour queues thousands, a day's settled ones are kept: nothing may look at all of them."""
    store = exam.open_one()
    base = store._base
    insert = (
        "insert into entry (id, kind, arguments, lane, repeat, tenant, status, put_at, expires_at, settled_at) "
        "values (?, 'x', '{}', 1, 'never', '', ?, 0, 9e9, ?)"
    )
    base.execute("begin")
    base.executemany(insert, [(f"sent {n}", "sent", store._tie.now()) for n in range(3000)])
    base.executemany(insert, [(f"queued {n}", "queued", None) for n in range(3000)])
    base.execute("commit")
    looked = []
    base.set_progress_handler(lambda: looked.append(1) and None, 100)
    for step in (
        lambda: store.sweep((), 60),
        lambda: store.claim({Lane.NORMAL: 20}),
        lambda: store.begin("queued 3"),
        lambda: store.settle("queued 3", Status.SENT),
        lambda: store.put(call("one")),
        lambda: store.page(Status.QUEUED, 4000, 5),
    ):
        looked.clear()
        step()
        assert len(looked) < 30, "3,000 instructions"
    base.set_progress_handler(None, 0)


def test_another_accounts_file_is_refused(exam: Exam):
    """A call must not go out in another account's name."""
    exam.open_one()
    exam.account = "somebody else"
    with pytest.raises(ConfigurationError, match="another account"):
        exam.open_one()


@pytest.mark.parametrize(
    "bad", ["sqlite://relative.db", "sqlite:///", "sqlite:///folder/", "sqlite://host/x.db", "sqlite:", "mysql://x/y"]
)
def test_a_url_that_names_no_file_says_how_it_looks(bad: str):
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        Exam("sqlite", bad).open_one()


@pytest.mark.parametrize("folder", ["c#", "what?"])
def test_a_url_that_would_name_another_file_is_refused(folder: str):
    """``sqlite:///srv/c#/outbox.db`` reads as the file ``/srv/c``."""
    with pytest.raises(ConfigurationError, match="%23"):
        Exam("sqlite", f"sqlite:///nowhere/{folder}/outbox.db").open_one()


def test_a_file_that_is_something_else_is_left_alone(exam: Exam, tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, but long enough to look like one " * 50)
    before = path.read_bytes()
    exam.url = f"sqlite://{path}"
    with pytest.raises(OutboxError, match=r"notes\.txt"):
        exam.open_one()
    assert path.read_bytes() == before


def test_a_file_of_another_version_is_left_alone(exam: Exam):
    store = exam.open_one()
    base = sqlite3.connect(store.path)
    base.execute("pragma user_version=99")
    base.close()
    with pytest.raises(OutboxError, match="version"):
        exam.open_one()


def test_a_network_file_system_is_refused(exam: Exam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_sqlite, "network_file_system", lambda _: "nfs4")
    with pytest.raises(ConfigurationError, match="nfs4"):
        exam.open_one()


def test_a_folder_that_is_not_there_says_so(exam: Exam):
    exam.url = "sqlite:///nowhere/to/be/found.db"
    with pytest.raises(OutboxError, match="No such file"):
        exam.open_one()


def test_a_closed_store_says_so(exam: Exam):
    store = exam.open_one()
    store.close()
    with pytest.raises(OutboxError, match="closed"):
        store.get("one")


def test_a_closed_sender_leaves_no_file_behind(exam: Exam):
    store = exam.open_one()
    store.put(call("one"))
    store.claim(ALL)
    store.close()
    assert list((store.path.parent / "outbox.db-senders").iterdir()) == []


def test_a_sender_that_cannot_have_its_lock_takes_nothing(exam: Exam, monkeypatch: pytest.MonkeyPatch):
    """Without it the others would take it for dead, while it sends."""
    store = exam.open_one()
    store.put(call("one"))

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(_sqlite.fcntl, "flock", refuse)
        for _ in range(2):
            with pytest.raises(OutboxError, match="No locks"):
                store.claim(ALL)
    assert ids(store.claim(ALL)) == ["one"]
    assert store.begin("one") is True
    exam.open_one().sweep((), 60)
    assert store.get("one").status is Status.SENDING


def _child(store: Any, told: Any) -> None:
    try:
        store.get("one")
    except OutboxError as error:
        told.put(str(error))
    else:
        told.put("it answered")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_copy_is_told_so_and_the_parent_keeps_what_it_had(exam: Exam):
    """A child must not use the parent's connection, nor be taken for the parent once that is dead."""
    store, other = exam.open_one(), exam.open_one()
    store.put(call("one"))
    store.claim(ALL)
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    child = context.Process(target=_child, args=(store, told))
    child.start()
    assert "fork" in told.get(timeout=30)
    child.join(30)
    other.sweep((), 60)
    assert len(other.claim(ALL)) == 0
    assert store.begin("one") is True


ORPHAN = """
import os, sys, time
from ongage_async.outbox._store import open_store
from tests.outbox.test_conformance import ALL
store = open_store(sys.argv[1], sys.argv[2])
store.claim(ALL)
if os.fork() == 0:
    print("here", flush=True)
    time.sleep(60)
os.kill(os.getpid(), 9)
"""


def test_a_child_that_outlives_its_parent_does_not_keep_its_entries(exam: Exam):
    """A lock is shared by fork: the copy lets go of it at once."""
    store = exam.open_one()
    store.put(call("one"))
    command = [sys.executable, "-c", ORPHAN, exam.url, exam.account]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "here\n"
        parent.wait(30)
        store.sweep((), 60)
        assert ids(store.claim(ALL)) == ["one"]
    finally:
        os.killpg(parent.pid, 9)
        parent.communicate()


def test_a_store_is_shown_by_its_name_alone(exam: Exam):
    assert repr(exam.open_one()) == "SqliteStore('outbox.db')"
    assert isinstance(exam.open_one(), SqliteStore)
