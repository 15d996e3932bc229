"""``ongage import run --road``: a load by calls, from the shell, with no place to be fetched from."""

from pathlib import Path

import pytest

from ongage_async.cli._ending import Exit
from ongage_async.emulator import Emulator, Fault
from tests.cli.shell import Run

pytestmark = pytest.mark.usefixtures("account")

RUN = ("import", "run", "c.csv", "--map", "E-Mail=email", "--road")


@pytest.mark.parametrize("road", ["calls", "auto"])
def test_a_load_by_calls_makes_no_import(ongage: Run, account: Emulator, road: str):
    told = ongage(*RUN, road)
    assert told.code == 0
    assert "By calls: total 2, success 2" in told.out
    assert sorted(each.email for each in account.state.default_list.contacts) == ["a@b.co", "c@d.co"]
    assert account.state.imports == {}


def test_a_load_by_calls_goes_on_from_its_journal_and_can_be_given_up(ongage: Run, account: Emulator):
    account.faults.add("contacts.create", Fault.status(403), times=2)
    assert ongage(*RUN, "calls").code == Exit.CONFIGURATION
    journal = "c.csv.ongage-journal"
    assert ongage("import", "resume", journal).code == Exit.CONFIGURATION
    given_up = ongage("import", "abandon", journal)
    assert (given_up.code, given_up.out.strip()) == (0, "The journal is removed.")
    assert ongage(*RUN, "calls").code == 0
    assert ongage("import", "resume", journal).code == 0
    assert len(account.state.default_list.contacts) == 2
    assert not Path(journal, "parts", "part-1.csv").exists()


def test_what_only_an_import_can_do_is_refused(ongage: Run, account: Emulator):
    told = ongage(*RUN, "calls", "--action", "remove")
    assert (told.code, len(account.witness)) == (Exit.CONFIGURATION, 0)
    assert 'road="calls" does not fit' in told.err
