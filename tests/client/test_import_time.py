"""A program pays at its start for what it uses: what is public is there, and what is heavy waits until asked for."""

import ast
import importlib
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ongage_async
from benchmarks.start import HELP, LIBRARIES, OURS, cpu_ms

ROOT = Path(__file__).resolve().parents[2]
LAZY = ["ongage_async", "ongage_async.bulk", "ongage_async.models", "ongage_async.resources"]
FAMILIES = [path.stem for path in (ROOT / "ongage_async" / "resources").glob("[a-z]*.py")]
HEAVY = [
    *(
        "asyncio",
        "cattrs",
        "csv",
        "h11",
        "httpx",
        "msgspec",
        "redis",
        "starlette",
        "trio",
        "uvicorn",
        "cyclopts",
        "zipfile",
    ),
    *("opentelemetry", "ongage_async.integrations"),
    *("ongage_async._jobs", "ongage_async.bulk", "ongage_async.emulator", "ongage_async.fields"),
    *("ongage_async.models._converter", "ongage_async.ownpage", "ongage_async.webhook"),
    *(f"ongage_async.resources.{family}" for family in FAMILIES),
]


def loaded_by(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split())


def named_for_type_checkers(package: str) -> dict[str, str]:
    """Return the names that a package imports under TYPE_CHECKING, and where from."""
    source = Path(importlib.import_module(package).__file__ or "").read_text("utf-8")
    guard = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = [node for node in guard.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def test_importing_the_library_loads_none_of_its_heavy_parts():
    assert len(FAMILIES) >= 22
    assert loaded_by("import ongage_async") & set(HEAVY) == set()


def test_using_one_family_loads_no_other():
    """Contacts alone: no reports, no mailings, and no bulk loading."""
    loaded = loaded_by("from ongage_async import ApiKey, OngageClient\nOngageClient(ApiKey('key')).contacts")
    families = {name.rpartition(".")[2] for name in loaded if name.startswith("ongage_async.resources.")}
    assert {family for family in families if not family.startswith("_")} <= {"contacts", "criteria"}
    assert "ongage_async.models.mailings" not in loaded


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_and_python_see_the_same_names_from_the_same_places(package: str):
    module = importlib.import_module(package)
    for name, home in named_for_type_checkers(package).items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
        assert name in module.__all__


@pytest.mark.parametrize("package", LAZY)
def test_all_is_exactly_what_can_be_imported(package: str):
    module = importlib.import_module(package)
    everything: dict[str, object] = {}
    exec(f"from {package} import *", everything)
    assert set(everything) - {"__builtins__"} == set(module.__all__)
    assert len(module.__all__) == len(set(module.__all__))
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_the_other_rooms_can_be_reached_without_an_import_of_their_own():
    reached = loaded_by(
        "import ongage_async\nongage_async.webhook.parse, ongage_async.bulk.run, ongage_async.fields.date"
    )
    assert {"ongage_async.webhook", "ongage_async.bulk", "ongage_async.fields"} <= reached
    assert {"bulk", "fields", "ownpage", "webhook"} <= set(dir(ongage_async))


def test_importing_the_library_takes_no_third_more_than_its_libraries(
    record_property: Callable[[str, object], None],
) -> None:
    """Median of 11 rounds in turns, in processor time of whole processes; CI's report shows the figure."""
    measured = cpu_ms([LIBRARIES, OURS], rounds=11)
    libraries, ours = (statistics.median(measured[statement]) for statement in (LIBRARIES, OURS))
    times = f"{ours / libraries:.2f} times its libraries ({libraries:.0f} ms)"
    record_property("figure", f"import ongage_async: {ours:.0f} ms, {times}")
    assert ours < 1.3 * libraries


def test_the_first_client_brings_what_it_sends_with():
    """Making one waits for the import; the first call does not."""
    loaded = loaded_by("from ongage_async import ApiKey, OngageClient\nOngageClient(ApiKey('key'))")
    assert {"httpx", "h11", "ongage_async._transport._transport"} <= loaded


def test_help_needs_no_command_and_no_client():
    loaded = loaded_by(f"import atexit, sys\natexit.register(lambda: print(*sys.modules))\n{HELP}")
    rooms = {name.rpartition(".")[2] for name in loaded if name.startswith("ongage_async.cli._")}
    assert rooms <= {"_app", "_account", "_ending"}
    assert not loaded & {"httpx", "asyncio", "cattrs", "ongage_async.bulk", "ongage_async.emulator"}
