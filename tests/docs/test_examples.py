"""Every Python block of the README and the docs, and every example, runs as it is printed, against an emulator."""

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from ongage_async import OngageClient
from ongage_async.emulator import Emulator
from ongage_async.emulator.ownpage import OwnpageEmulator
from tests.bulk.s3_server import KEYS, S3Server

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def blocks() -> list[Any]:
    return [
        pytest.param(
            match[2], page.name, page.read_text("utf-8").count("\n", 0, match.start(2)), id=f"{page.stem}-{number}"
        )
        for page in PAGES
        for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1)
        if match[1] == "python"
    ]


@pytest.fixture
def account(ongage_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Emulator, Path]:
    """Point the environment to an emulator, and the working directory to a place with a file of contacts."""
    known = ongage_emulator.credentials
    for name in [name for name in os.environ if name.startswith("ONGAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONGAGE_USERNAME", known.username)
    monkeypatch.setenv("ONGAGE_PASSWORD", known.password)
    monkeypatch.setenv("ONGAGE_ACCOUNT_CODE", known.account_code)
    monkeypatch.setenv("ONGAGE_BASE_URL", ongage_emulator.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contacts.csv").write_text("email,first_name\njohn@doe.com,John\njane@doe.com,Jane\nno address,Bob\n")
    imports = ongage_emulator.imports
    imports.queued_s = imports.validating_s = imports.stats_s = 0.002
    ongage_emulator.state.audience.ready_s = 0.0
    return ongage_emulator, tmp_path


@pytest.fixture
def customer(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnpageEmulator]:
    """Point the environment to an emulated Ownpage as well."""
    with OwnpageEmulator() as emulator:
        known = emulator.customer
        monkeypatch.setenv("OWNPAGE_USERNAME", known.username)
        monkeypatch.setenv("OWNPAGE_API_KEY", known.api_key)
        monkeypatch.setenv("OWNPAGE_BASE_URL", emulator.url)
        monkeypatch.setenv("OWNPAGE_LIST_ID", str(emulator.state.first_list_id))
        yield emulator


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Point the environment to a store with the bucket that the docs name."""
    with S3Server() as server:
        server.create("acme-contacts")
        for name, value in KEYS.items():
            monkeypatch.setenv(f"AWS_{name.upper()}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.mark.parametrize(("code", "page", "line"), blocks())
def test_a_block_of_the_docs_runs_as_it_is_printed(
    code: str, page: str, line: int, account: Any, customer: Any, request: pytest.FixtureRequest
):
    emulator, folder = account
    if "s3://" in code:
        request.getfixturevalue("bucket")
    if "E-Mail" in code:
        (folder / "contacts.csv").write_text("E-Mail,first_name,Shoe size\njohn@doe.com,John,44\nno address,Bob,41\n")
    if "imports.create(" in code:
        emulator.imports.script = [40001, 40003]
    padded = "\n" * line + code  # so that a traceback names the page's own line
    compiled = compile(padded, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"__name__": "__main__"}
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(_awaiting(compiled, names))
    else:
        exec(compiled, names)
    for test in [thing for name, thing in names.items() if name.startswith("test_")]:
        wanted = [request.getfixturevalue(name) for name in inspect.signature(test).parameters]
        anyio.run(test, *wanted) if inspect.iscoroutinefunction(test) else test(*wanted)


async def _awaiting(compiled: Any, names: dict[str, Any]) -> None:
    async with OngageClient.from_env() as ongage:
        await eval(compiled, names | {"ongage": ongage})


def run_example(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_sign_up_handler_greets_and_refuses(account: tuple[Emulator, Path]):
    emulator, _ = account
    ended = run_example("signup.py")
    assert ended.stdout.splitlines() == ["Welcome, Ada!", "Welcome back, Ada!", "Please check the address."]
    assert emulator.state.default_list.contact("ada@example.com")["first_name"] == "Ada"


def test_the_nightly_import_loads_the_good_rows_and_fails_loudly(account: tuple[Emulator, Path]):
    emulator, folder = account
    ended = run_example("nightly_import.py", str(folder / "contacts.csv"))
    assert (ended.returncode, "All counts add up" in ended.stdout) == (0, True), ended.stderr
    assert sorted(contact.email for contact in emulator.state.default_list.contacts) == ["jane@doe.com", "john@doe.com"]
    emulator.imports.script = [90001]
    failed = run_example("nightly_import.py", str(folder / "contacts.csv"))
    assert (failed.returncode, "status 90001" in failed.stdout) == (1, True)


def test_imports_under_way_are_watched_to_their_end(account: tuple[Emulator, Path]):
    emulator, _ = account
    emulator.imports.script = [40001, 40003]
    with httpx.Client(base_url=emulator.url, headers=emulator.credentials.headers(), trust_env=False) as vendor:
        for _ in range(2):
            vendor.post("/api/import", json={"file_url": "https://files.example.com/x.csv", "csv_delimiter": ","})
    ended = run_example("watch_imports.py")
    assert sorted(ended.stdout.splitlines()) == ["import 83513: Complete, 100 %", "import 83514: Complete, 100 %"]


def test_every_example_is_run_here():
    tests = Path(__file__).read_text("utf-8")
    assert [path.name for path in (ROOT / "examples").glob("*.py") if f'"{path.name}"' not in tests] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    targets = LINK.findall(page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_commands_that_are_named_can_be_made():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`make (\w+)|^\$ make (\w+)", page.read_text("utf-8"), re.MULTILINE)
    }
    wanted = {one or other for one, other in named}
    assert {"demo", "test", "proof"} <= wanted
    assert {name for name in wanted if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()
