"""The demo on a file of the user's own."""

from pathlib import Path

import anyio

from ongage_async.bulk import SqliteJournal
from ongage_async.cli._demo import run_demo


def test_the_demo_leaves_the_journal_of_a_real_load_of_the_same_file_alone(tmp_path: Path):
    """That journal may be all that is known of a load that was stopped; without it, rows would be loaded again."""
    file = tmp_path / "c.csv"
    file.write_text("email\n" + "".join(f"p{number}@b.co\n" for number in range(4)))
    journal = SqliteJournal.beside(file)

    async def stopped_in_the_middle() -> None:
        async with journal.held():
            await journal.record("planned", parts=[{}])

    anyio.run(stopped_in_the_middle)
    assert run_demo(4, file, tmp_path, quick=True) == 0
    assert [line.step for line in anyio.run(journal.lines)] == ["planned"]
