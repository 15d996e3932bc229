"""The site of the documentation: it builds without a warning, and each page can be reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="needs mkdocs-material")

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_builds_without_a_warning(tmp_path: Path):
    """Strict mode: a page outside of the navigation, a dead link or anchor, or a name that is gone, ends it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    assert "WARNING" not in ended.stderr
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (tmp_path / page).exists()} == set()


def test_nothing_is_fetched_from_elsewhere(tmp_path: Path):
    """Fonts and scripts come with the pages: whoever reads them tells nobody."""
    configuration = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "font: false" in configuration
    assert "https://" not in configuration
