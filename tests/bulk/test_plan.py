"""Plans: what they say of the rows, and whether what they foretell is what the emulator then sees."""

import json
from typing import Any

import anyio
import pytest

from ongage_async.bulk import Order, Pace, Packing, plan, run
from ongage_async.bulk.load._forecast import foretell_calls, foretell_imports
from ongage_async.emulator import Emulator
from tests.bulk.direct_stage import DirectStage
from tests.support import client_of

pytestmark = pytest.mark.anyio

SOURCE = (
    "E-Mail,first_name,age,shoe\na@b.co,Ann,1,40\nnobody,Bob,2,41\na@b.co,Ann,3,42\nc@d.co,Cid,x,43\ne@f.co,Eve,,44\n"
)


@pytest.fixture
def planning(world):
    async def make(text=SOURCE, **options):
        order = Order(source=world.source(text), **options)
        return await plan(order, world.list_fields, work_dir=world.work)

    return make


async def test_a_plan_accounts_for_every_row_and_column(world, planning):
    made = await planning(mapping={"E-Mail": "email"})
    assert (made.rows_read, made.rows_good, made.duplicates) == (5, 2, 1)
    assert made.rows_rejected == {"email: not an address": 1, "age: not a number": 1}
    assert dict(made.mapping) == {"E-Mail": "email", "first_name": "first_name", "age": "age"}
    assert (made.unknown_columns, made.parts) == (("shoe",), (2,))
    assert "5 rows = 2 good + 2 bad + 1 duplicates" in made.as_text()
    assert "E-Mail → email" in made.as_text()


async def test_a_plan_sends_and_leaves_nothing(world, planning):
    await planning(mapping={"E-Mail": "email"})
    assert (world.imports.created, world.leftovers) == ([], [])
    assert [path.name for path in world.root.glob("*.csv")] == ["contacts.csv"]


@pytest.mark.parametrize(("rows", "road"), [(0, "none"), (1, "calls"), (100, "calls"), (101, "import")])
async def test_the_road_follows_the_vendors_advice(planning, rows, road):
    made = await planning("email\n" + "".join(f"p{number}@b.co\n" for number in range(rows)))
    assert made.road == road
    assert made.why
    assert json.loads(made.as_json())["road"] == road
    assert ("Nothing would be sent" in made.as_text()) == (road == "none")


def test_calls_of_a_hundred():
    assert foretell_calls(101, call_s=0.5, parallel=4).calls == {"contacts.create": 2}
    assert foretell_calls(100_000, call_s=0.5, parallel=4).elapsed_s == 125.0


def test_one_import_is_looked_at_alone_and_several_together():
    alone = foretell_imports([1_300], concurrent=2, pace=Pace(), call_s=0.0, interval_s=1.0)
    assert alone.calls == {"imports.create": 1, "imports.get": 11}
    assert alone.elapsed_s == 10.0
    together = foretell_imports([1_300, 1_300], concurrent=2, pace=Pace(), call_s=0.0, interval_s=1.0)
    assert together.calls == {"imports.create": 2, "imports.get": 1, "imports.page": 11}
    assert together.elapsed_s == 10.0


def test_imports_that_end_together_leave_no_answer_to_those_that_come_after_them():
    """The second two begin when nobody watches: their first look is a call of its own, however fresh the last one."""
    four = foretell_imports([650] * 4, concurrent=2, pace=Pace(), call_s=0.3)
    assert four.calls == {"imports.create": 4, "imports.get": 2, "imports.page": 2 * 4}


@pytest.mark.virtual_time
@pytest.mark.usefixtures("threads_take_no_time")
@pytest.mark.parametrize(
    ("rows", "part_rows", "interval_s"),
    [(1_000, None, None), (6_000, None, None), (8_000, 2_000, None), (4_000, 500, 5.0)],
    ids=["minutes", "hours", "four parts", "eight parts, a fixed interval"],
)
async def test_what_is_foretold_is_what_the_emulator_sees(tmp_path, rows, part_rows, interval_s):
    """Calls within 2 %, time within 10 %, by the emulator's own log and clock, at the vendor's speed."""
    emulator = Emulator(rows_per_s=1.3, latency=0.2, clock=anyio.current_time)
    mine = emulator.state.add_list("mine", imports_concurrent_limit=2)
    stage = DirectStage()
    emulator.mount_fetch("https://stage.test", stage)
    source = tmp_path / "contacts.csv"
    source.write_text("email,first_name\n" + "".join(f"p{number}@b.co,Ann\n" for number in range(rows)))
    options: dict[str, Any] = {"packing": Packing(part_rows=part_rows), "interval_s": interval_s, "list_id": mine.id}
    async with emulator.http_client() as http, client_of(emulator, http_client=http) as ongage:
        made = await ongage.imports.plan(source, pace=Pace(rows_per_s=1.3), **options)
        calls_before, began_s = len(emulator.witness), anyio.current_time()
        report = await ongage.imports.run(source, stage=stage, **options)
        calls, elapsed_s = len(emulator.witness) - calls_before, anyio.current_time() - began_s
    assert report.adds_up
    print(f"\n{rows} rows: {made.calls_total} calls foretold, {calls} seen; {made.elapsed_s:.0f} s, {elapsed_s:.0f} s")
    assert abs(made.calls_total - calls) <= max(1, 0.02 * calls)
    assert made.elapsed_s == pytest.approx(elapsed_s, rel=0.1)
    assert report.calls == calls


def test_order_and_run_speak_of_the_same_things():
    """A plan that ignored an option of a run would foretell another load."""
    from attrs import fields

    options = set(run.__kwdefaults__) | {"source"}
    assert {each.name for each in fields(Order)} <= options
