"""The pages of the docs that hold measured figures, made from the result files."""

import json
from pathlib import Path
from typing import Any

from benchmarks.plots import plot_grants, plot_scale
from benchmarks.report import table

__all__ = ["write_page"]

TITLES = {
    "guarantee": "What a strict server sees",
    "grants": "Microseconds per grant",
    "sharing": "Ledgers that processes share",
    "first_call": "A whole call",
    "start": "Starting",
    "bulk": "From a CSV file to ZIP parts",
    "memory": "What a whole load keeps in memory",
    "many": "From a CSV file to calls of JSON",
    "quota": "What each road costs the account",
}

WORDS = {
    "guarantee": """\
300 calls per 6 s, 10 in parallel, answers of 2 to 20 ms: the default account, scaled by ten. Saturated for three
windows after a silence. The witness counts arrivals in every sliding window. A share above 1 is not speed: it is what
the server would have refused.""",
    "grants": """\
Enter and leave, when only the ten places are scarce; median (least–most) of some rounds. An empty cell would have
taken longer than 10 s.""",
    "sharing": """\
Grants per second of all processes together, each call entered and left; callers are per process. pyrate-limiter knows
no calls in parallel, so it is asked once a call and not twice.""",
    "first_call": """\
`lists.page()` against the emulator in another process; governor, redaction, typed models and retries included.""",
    "bulk": """\
One file of five columns, to checked and de-duplicated parts in ZIP archives, ready to be staged; the others check
nothing.
Every run is a process; memory is its peak over what it had after its imports. Archives are compressed in a second
thread, so the rate needs a second core that is free. Zlib's level is 4 in ours, and 6, its default, in the others.""",
    "memory": """\
A file of five columns, planned, checked, cut into five ZIP parts, served from the client's own file drop, imported by a
vendor in another process, and reported; or sent by calls. Memory is the peak over the client that has made its first
call and does nothing. Some of the time passes between looks at the imports.""",
    "many": """\
One file of five columns, to calls of 100 contacts. The others only make the JSON. `upsert_many` also checks each row,
merges rows of one address, cuts by rows and by bytes, tells the answers row by row and counts; its calls are answered
at once. At 300 calls a minute the account takes 500 rows a second. Every run is a process; memory is its peak over what
it had after its imports.""",
    "quota": """\
Calls that the emulator saw, at 300 calls a minute, answers of 0.3 s and imports of 130 rows a second, in virtual time,
and what `imports.plan` had foretold. A stream begins with calls of 50 rows and follows what is accepted.""",
    "start": """\
Importing the library beside importing what it stands on; processor time of whole processes, median (least–most).
`asyncio` is left to whoever runs a loop; families, models, bulk loading and the second vendor come when used.""",
}


def write_page(results: Path, docs: Path) -> None:
    """Write `benchmarks.md`, the tables of `scale.md` and the plots, from the results that are there."""
    parts = ["# Benchmarks", "Made by `make bench`; the figures are in `benchmarks/results/`, one file a table."]
    for name, title in TITLES.items():
        if (found := _load(results, name)) is not None:
            made_on = found["made_on"]
            libraries = ", ".join(f"{library} {number}" for library, number in made_on["versions"].items())
            parts += [f"## {title}", WORDS[name], table(found["rows"])]
            parts += [f"{made_on['cores']} cores, Python {made_on['python']}, {libraries}."]
        if name == "grants" and found is not None:
            plot_grants(found["rows"], docs / "img" / "grants.svg")
            parts += ["![µs per grant over waiters](img/grants.svg)"]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks.md").write_text("\n\n".join(parts) + "\n")
    if (scale := _load(results, "scale")) is not None:
        plot_scale(scale["rows"], docs / "img" / "scale.svg")
        _fill(docs / "scale.md", table(scale["rows"]))


def _load(results: Path, name: str) -> Any:
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _fill(page: Path, content: str) -> None:
    """Put the table between the page's markers."""
    if page.exists():
        before, rest = page.read_text().split("<!-- table -->\n", 1)
        _, after = rest.split("<!-- end -->", 1)
        page.write_text(f"{before}<!-- table -->\n{content}\n<!-- end -->{after}")
