"""Every benchmark runs: a moment each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ["guarantee", "grants", "sharing", "calls", "scale", "start", "bulk", "memory", "many", "quota", "growth"]
NAMES += ["models", "telemetry"]


@pytest.mark.proof
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_benchmark_runs_and_leaves_its_figures(name: str, tmp_path: Path):
    for module in ("aiolimiter", "async_limiter", "asynciolimiter", "pyrate_limiter", "throttled", "limits"):
        pytest.importorskip(module, reason="make bench installs what is measured")
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--into", str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / f"{name}.json").read_text())["rows"]
