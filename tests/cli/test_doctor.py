"""``ongage doctor``: what is wrong is found, named, and told how to mend; nothing secret is in it."""

import json
import re
import time
from pathlib import Path

import httpx
import pytest

from ongage_async.cli import _outside
from ongage_async.emulator import Emulator, Fault
from tests.cli.shell import Run


def checks(told: str) -> dict[str, tuple[str, str, str]]:
    return {each["check"]: (each["state"], each["words"], each["advice"]) for each in json.loads(told)["checks"]}


def test_a_good_place_is_ready_and_two_calls_are_all_it_costs(ongage: Run, account: Emulator, tmp_path: Path):
    url = f"file://{tmp_path}/l.ledger"
    told = ongage("doctor", "--json", "--listen", "127.0.0.1:0", "--governor", url)
    assert told.code == 0
    assert {check: state for check, (state, _, _) in checks(told.out).items()} == dict.fromkeys(
        ("version", "extras", "credentials", "API access", "list", "clock", "ledger", "stage", "journals"), "ok"
    )
    assert account.witness.count(executed=True) == 2
    assert json.loads(told.out)["ok"] is True
    assert list(Path.cwd().glob("ongage-doctor-*")) == []


def test_a_person_reads_what_to_do(ongage: Run, account: Emulator):
    told = ongage("doctor")
    assert told.code == 0
    assert "warn  ledger       none is shared: each process keeps the limits for itself\n" in told.out
    assert "→ with more than one process: --governor or ONGAGE_GOVERNOR\n" in told.out
    assert told.out.endswith("\nReady.\n")


@pytest.mark.parametrize(
    ("fault", "check", "advice"),
    [
        (Fault.status(401), "API access", "ongage config login"),
        (Fault.status(403), "API access", "switch API access on"),
        (Fault.drop(), "API access", "proxy"),
        (Fault.status(503), "API access", "later"),
    ],
    ids=["credentials", "no access", "no network", "trouble"],
)
def test_what_the_vendor_refuses_is_told_apart(ongage: Run, account: Emulator, fault: Fault, check: str, advice: str):
    account.faults.add("lists.page", fault)
    told = ongage("doctor", "--json")
    state, _, words = checks(told.out)[check]
    assert (told.code, state, advice in words) == (1, "fail", True)
    assert "list" not in checks(told.out)


def test_a_list_that_the_user_may_not_see_is_told(ongage: Run, account: Emulator):
    state, words, advice = checks(ongage("doctor", "--list", "5", "--json").out)["list"]
    assert (state, "list 5" in words, "ongage lists" in advice) == ("fail", True, True)


def test_without_credentials_the_rest_is_looked_at_all_the_same(ongage: Run, nobodys_settings: Path):
    told = ongage("doctor", "--json")
    found = checks(told.out)
    assert (told.code, found["credentials"][0], "API access" in found, found["journals"][0]) == (1, "fail", False, "ok")
    assert "ONGAGE_USERNAME" in found["credentials"][1]
    assert "without an account: ongage emulator" in found["credentials"][2]


@pytest.mark.parametrize(("by_s", "way"), [(600.0, "ahead of"), (-600.0, "behind")])
def test_a_clock_that_is_wrong_is_told(
    ongage: Run, account: Emulator, monkeypatch: pytest.MonkeyPatch, by_s: float, way: str
):
    class Clock:
        time = staticmethod(lambda: time.time() + by_s)

    monkeypatch.setattr(_outside, "time", Clock)
    state, words, _ = checks(ongage("doctor", "--json").out)["clock"]
    assert state == "warn"
    assert re.search(rf"is (59\d|60\d) s {way} the vendor's", words)


def test_a_stage_that_cannot_be_fetched_from_is_told_without_its_url(ongage: Run, account: Emulator, tmp_path: Path):
    (tmp_path / "published").mkdir()
    words = ("doctor", "--stage", "published", "--public-url", "http://127.0.0.1:1/s3cret", "--json")
    told = ongage(*words)
    state, seen, _ = checks(told.out)["stage"]
    assert (told.code, state, "cannot be reached" in seen) == (1, "fail", True)
    assert "s3cret" not in told.out + told.err
    assert list((tmp_path / "published").iterdir()) == []
    unpublished = checks(ongage("doctor", "--stage", "published", "--json").out)["stage"]
    assert (unpublished[0], "--public-url" in unpublished[1]) == ("fail", True)
    not_made_yet = checks(ongage("doctor", "--stage", "nowhere", "--json").out)["stage"]
    assert (not_made_yet[0], "--public-url" in not_made_yet[1]) == ("fail", True)


def test_a_stage_whose_url_gives_something_else_is_told(ongage: Run, account: Emulator, tmp_path: Path):
    """A web server that answers every path with its front page looks fine until the import fails."""
    (tmp_path / "published").mkdir()
    told = ongage("doctor", "--stage", "published", "--public-url", f"{account.url}/openapi.json?", "--json")
    state, seen, _ = checks(told.out)["stage"]
    assert (state, "something else" in seen or "status" in seen) == ("fail", True)


def test_a_ledger_that_cannot_be_used_is_told(ongage: Run, account: Emulator, tmp_path: Path):
    nowhere = checks(ongage("doctor", "--governor", f"file://{tmp_path}/absent/l", "--json").out)["ledger"]
    assert (nowhere[0], "make that directory" in nowhere[2]) == ("fail", True)
    unreachable = checks(ongage("doctor", "--governor", "redis://:hunter2@127.0.0.1:1", "--json").out)["ledger"]
    assert (unreachable[0], "hunter2" in "".join(unreachable)) == ("fail", False)


def test_a_paused_account_is_told(ongage: Run, account: Emulator, tmp_path: Path):
    url = f"file://{tmp_path}/l.ledger"
    assert ongage("lists", "--governor", url).code == 0
    assert ongage("budget", "pause", "--governor", url).code == 0
    told = checks(ongage("doctor", "--governor", url, "--max-wait", "1s", "--json").out)
    assert (told["ledger"][0], told["ledger"][2]) == ("warn", "wait, or: ongage budget resume")
    assert told["API access"][0] == "fail"


def test_a_place_where_no_journal_can_be_written_is_told(ongage: Run, account: Emulator, tmp_path: Path):
    state, words, advice = checks(ongage("doctor", "--journals", str(tmp_path / "absent"), "--json").out)["journals"]
    assert (state, "cannot be written" in words, "--journal" in advice) == ("fail", True, True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("ongage-doctor")] == []


def test_the_emulators_clock_goes_on(account: Emulator):
    """Its server runs without uvicorn's own ticks; a Date header that stands still looks like a wrong clock."""

    def date() -> str:
        with httpx.Client(trust_env=False) as client:
            return client.head(account.url).headers["date"]

    first, ends = date(), time.monotonic() + 5.0
    while date() == first:
        assert time.monotonic() < ends
        time.sleep(0.05)
