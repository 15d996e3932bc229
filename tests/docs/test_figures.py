"""The figures of the README stand in the result files: none is written by hand."""

import re
from pathlib import Path

from benchmarks.headlines import headlines

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_tells_what_was_measured():
    readme = (ROOT / "README.md").read_text("utf-8")
    told = re.search(r"<!-- table -->\n(.*?)\n<!-- end -->", readme, re.DOTALL)
    assert told is not None
    assert told[1] == headlines(ROOT / "benchmarks" / "results")
