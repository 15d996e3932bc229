"""The fixtures as a user's project has them: pytest in a process of its own, in an empty folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

ASYNCIO = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., str]:
    """Run the tests of a project with one file; give what pytest printed."""

    def run(source: str, *plugins: str) -> str:
        (tmp_path / "pytest.ini").write_text("[pytest]\n" if "no:asyncio" in plugins else ASYNCIO)
        (tmp_path / "test_one.py").write_text(dedent(source))
        given = ["no:ongage", "ongage_async.pytest_plugin", "no:cacheprovider", "no:xdist", "no:schemathesis", *plugins]
        chosen = [
            word for plugin in given for word in ("-p", plugin)
        ]  # the plugin once, whether it is installed or not
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(tmp_path / "pytest.ini")]
        command += [*chosen, "-W", "error", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return ended.stdout + ended.stderr

    return run


def test_a_test_that_is_not_asynchronous_has_an_emulated_account(project):
    told = project(
        """
        import httpx

        def test_it(ongage_emulator):
            headers = ongage_emulator.credentials.headers()
            assert httpx.get(ongage_emulator.url + "/api/lists", headers=headers).status_code == 200
        """,
        "no:asyncio",
    )
    assert "1 passed" in told, told


SIGN_UP = """
    import pytest
    from ongage_async import OngageClient, OngageError, RetryPolicy
    from ongage_async.emulator import Fault

    async def sign_up(ongage, email):
        await ongage.contacts.create([{"email": email}])

    @pytest.mark.MARK
    async def test_a_visitor_is_signed_up(ongage_client, ongage_emulator):
        async with ongage_client as ongage:
            await sign_up(ongage, "john@doe.com")
        assert ongage_emulator.state.default_list.contact("john@doe.com")

    @pytest.mark.MARK
    @pytest.mark.ongage(calls=7, parallel=2)
    async def test_the_account_may_be_smaller(ongage_client, ongage_emulator):
        assert (ongage_client.governor.limits.calls, ongage_client.governor.limits.parallel) == (7, 2)
        assert (ongage_emulator.limits.calls, ongage_emulator.limits.parallel) == (7, 2)

    @pytest.mark.MARK
    async def test_a_fault(ongage_client, ongage_faults):
        rule = ongage_faults.add("contacts.create", Fault.status(503))
        async with ongage_client as ongage:
            with pytest.raises(OngageError):
                await sign_up(ongage.with_options(retry=RetryPolicy.none()), "john@doe.com")
        assert rule.hits == 1

    @pytest.mark.MARK
    async def test_code_that_reads_the_environment(ongage_env):
        async with OngageClient.from_env() as ongage:
            await sign_up(ongage, "jane@doe.com")
        assert ongage_env.state.default_list.contact("jane@doe.com")
"""


def test_under_pytest_asyncio(project):
    told = project(SIGN_UP.replace("MARK", "asyncio"))
    assert "4 passed" in told, told


def test_under_anyio_on_both_loops(project):
    told = project(SIGN_UP.replace("MARK", "anyio"), "no:asyncio")
    assert "8 passed" in told, told


def test_an_hour_of_maintenance_takes_no_time(project):
    """The clock of the back-off and the clock of the account are the same, and it jumps."""
    told = project(
        """
        import pytest
        from ongage_async.emulator import Fault

        @pytest.mark.ongage(calls=5)
        def test_a_nightly_job_survives_maintenance(ongage_virtual_time):
            emulator = ongage_virtual_time.emulator
            emulator.faults.add("lists.*", Fault.status(503), times=3)

            async def nightly(ongage):
                for _ in range(12):
                    page = await ongage.lists.page()
                return page.total

            assert ongage_virtual_time.run(nightly) >= 1
            assert ongage_virtual_time.elapsed_s > 60 + 120 + 240
            assert emulator.witness.worst_window(60.0) <= 5
        """
    )
    assert "1 passed" in told, told
    assert float(told.rsplit(" in ", 1)[1].split("s")[0]) < 20
