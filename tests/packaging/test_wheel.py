"""What users install: the wheel and the source archive, looked into, and installed where nothing else is."""

import email.message
import email.parser
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("hatchling", reason="needs hatchling, which builds them")

ROOT = Path(__file__).resolve().parents[2]
CORE = {"httpx", "h11", "anyio", "attrs", "cattrs"}
"""All that the library needs to run: what was agreed, and h11, which httpx stands on too."""

EXTRAS = {
    "arrow": "arro3.core",
    "cli": "ongage_async.cli",
    "drop": "ongage_async.bulk, uvicorn",
    "emulator": "ongage_async.emulator, uvicorn",
    "fast": "msgspec",
    "fastapi": "ongage_async.integrations.fastapi",
    "parquet": "arro3.io",
    "redis": "ongage_async.governor._redis",
    "stores": "obstore",
    "telemetry": "ongage_async.integrations.opentelemetry",
    "zip": "pyzipper",
    "zipcrypto": "",  # needs libarchive of the system to be imported
}
"""What each extra is for: it can be imported when nothing but this extra is installed."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {re.sub(r"-.*", "", top) for top in tops} == {"ongage_async"}
    assert {"ongage_async/py.typed", "ongage_async/governor/ledger.lua"} <= names
    kinds = {Path(name).suffix for name in names if ".dist-info" not in name}
    assert kinds <= {".py", ".typed", ".lua", ".html", ".css", ".js", ".json", ".svg"}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "ongage_async").rglob("*.py")}
    assert sources <= names
    assert wheel.stat().st_size < 1_000_000


def test_the_core_needs_little(metadata: email.message.Message):
    needs = [text for text in metadata.get_all("Requires-Dist") or [] if "extra ==" not in text]
    assert {re.split(r"[ <>=!~;\[]", text)[0] for text in needs} <= CORE
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"


def test_each_extra_is_tried_below(metadata: email.message.Message):
    assert set(metadata.get_all("Provides-Extra") or []) == set(EXTRAS)


def test_from_the_source_archive_everything_can_be_made(built: Path):
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    tracked = {path.name for path in ROOT.iterdir() if path.is_file() and path.suffix in {".md", ".txt", ".toml"}}
    assert tracked | {"Makefile", "mkdocs.yml", ".ci/run", "tests/conftest.py", "ongage_async/py.typed"} <= names


# -- installed, where nothing else is ---------------------------------------------------------------------------------


def python_with(folder: Path, *what: str) -> Path:
    """Make a virtual environment and install into it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*command, "--constraint", ROOT / "constraints.txt", *what], check=True, timeout=300)
    return python


def run(python: Path, folder: Path, *arguments: str) -> str:
    """Run it outside of the project; give what it printed."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ONGAGE", "VIRTUAL"))}
    ended = subprocess.run(
        [python, *arguments], cwd=folder, env=known, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_alone_and_does_its_work(extra: str, wheel: Path, tmp_path: Path):
    python = python_with(tmp_path / "venv", f"{wheel}[{extra}]")
    run(python, tmp_path, "-W", "error", "-c", f"import ongage_async{', ' + EXTRAS[extra] if EXTRAS[extra] else ''}")


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_the_bare_library_works_and_brings_nothing_else(wheel: Path, tmp_path: Path):
    python = python_with(tmp_path / "venv", str(wheel))
    listed = run(python, tmp_path, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
    names = {line.split("==")[0].lower().replace("_", "-") for line in listed.splitlines() if "==" in line}
    below = {"certifi", "httpcore", "idna", "sniffio", "typing-extensions"}  # what those four need
    assert names - {"pip", "setuptools"} <= CORE | below | {"ongage-async"}
    code = (
        "from ongage_async import *; from ongage_async.models import *; from ongage_async.bulk import *; print('well')"
    )
    assert run(python, tmp_path, "-W", "error", "-c", code) == "well\n"


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_in_an_empty_project_the_fixtures_are_there(wheel: Path, tmp_path: Path):
    python = python_with(tmp_path / "venv", f"{wheel}[emulator]", "pytest", "pytest-asyncio")
    (tmp_path / "test_sign_up.py").write_text(
        dedent(
            """
            import pytest
            from ongage_async import OngageClient

            async def sign_up(email):
                async with OngageClient.from_env() as ongage:
                    await ongage.contacts.create([{"email": email}], overwrite=True)

            @pytest.mark.asyncio
            async def test_a_visitor_is_signed_up(ongage_env):
                await sign_up("ada@example.com")
                assert ongage_env.state.default_list.contact("ada@example.com")

            def test_time_jumps(ongage_virtual_time):
                async def job(ongage):
                    return (await ongage.lists.page()).total
                assert ongage_virtual_time.run(job) >= 1
            """
        )
    )
    assert "2 passed" in run(python, tmp_path, "-m", "pytest", "-q", "-W", "error::ResourceWarning", "test_sign_up.py")
