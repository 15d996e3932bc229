"""The pages of the docs that hold measured figures, made from the result files."""

import json
from pathlib import Path
from typing import Any

from benchmarks.headlines import headlines
from benchmarks.plots import plot_grants, plot_growth, plot_scale
from benchmarks.report import table

__all__ = ["write_page"]

TITLES = {
    "guarantee": "What a strict server sees",
    "grants": "Microseconds per grant",
    "sharing": "Ledgers that processes share",
    "calls": "A whole call",
    "telemetry": "Being watched",
    "start": "Starting",
    "bulk": "From a CSV file to ZIP parts",
    "memory": "What a whole load keeps in memory",
    "many": "From a CSV file to calls of JSON",
    "quota": "What each road costs the account",
    "growth": "What grows",
    "models": "From JSON to models, and back",
}

WORDS = {
    "models": """\
Processor time, median (least–most) of rounds in turns, from the bytes of an answer to models and from models to the
bytes of a request. Ours includes the envelope, what the models do not know kept and counted, and the checks of the rows
of a request; `[fast]` is the extra that decodes by msgspec. pydantic, which is compiled, keeps unknown fields and reads
the same values, which is compared first; it refuses the whole answer for one value that it cannot read, where ours
keeps that value. msgspec alone keeps nothing that is unknown: it is the limit. json alone makes dicts.""",
    "growth": """\
What one costs when there are many: callers that wait at once for ten places (a whole call, answered at once), watchers
of a hundred imports of ten minutes in virtual time (the emulator's work included; a lone watcher pays for every look
itself), and rows of a file. Every point is a process. Memory includes the tasks of the callers and watchers.""",
    "guarantee": """\
300 calls per 6 s, 10 in parallel: the default account, scaled by ten, and so are the networks and our margin. Saturated
for three windows after a silence. The witness counts arrivals in every sliding window. The possible is what the limit
lets through in a window and one mean answer; a share above 1 is what comes out when the first window's tokens were
there already, or what the server would have refused. Four processes share what each contender can share: none but
the governor shares places.""",
    "grants": """\
Enter and leave, when only the ten places are scarce, in processor time; median (least–most) of some rounds. An empty
cell would have taken longer than 10 s. Memory is what one of 10,000 who wait costs beside its task. 20,000 who wait
leave in any order. Inversions: of 10,000 grants, how many went to a caller that came after one who still waited.""",
    "sharing": """\
Grants per second of all processes together, each call entered and left, which the p50 of a grant includes; callers are
per process. pyrate-limiter knows no calls in parallel, so it is asked once a call and not twice. Processor time is the
process's own, the governor's included. Near the limit are 300 calls per 6 s, 10 in parallel, answered in 5 ms; the
possible is 300 in every window and one answer. A take at Redis is timed in turns with a script of one line
(`return 1`) that redis-py's own client sends from the same process, in rounds that each have an account of their own;
then again with client and server on one core, for an idle core of a virtual machine takes some 20 µs to wake.""",
    "calls": """\
Processor time of the client alone, ten callers in parallel, median (least–most); a vendor in another process says the
same thing to everybody. *What users write today* is `httpx.AsyncClient.request(json=…)` and `.json()` inside an
`asyncio.Semaphore(10)` and an aiolimiter; the ratio is the median of the rounds', to the same with TLS or on uvloop
where the row says so. Ours includes the governor, the retries and typed models, the others only the bytes and the JSON.
The crowd are 50 callers who share ten places for two seconds, three times. The slowest call is often one that waited
for Python's full collection of garbage, which stops all callers at once and is longer the more a process has imported.
A collision is a request that httpcore's pool sent to a connection that another one had taken, and must try again.""",
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
    "telemetry": """\
`lists.get`, one after another, answered at once by a function in the same process; processor time, median (least–most)
of rounds in turns, and the median of each round's ratio. The engine without the hooks is compiled from the same source
with every line cut out that tells. The SDK in memory makes two spans and five measurements a call and exports them to
nobody.""",
    "start": """\
Importing the library beside importing what it stands on; of whole processes, median (least–most). httpx, TLS and HTTP
come with the first client that is made, `asyncio` with whoever runs a loop; families, models, bulk loading and the
second vendor when they are used.""",
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
        if name == "growth" and found is not None:
            plot_growth(found["rows"], docs / "img" / "growth.svg")
            parts += ["![processor and memory over how many there are](img/growth.svg)"]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks.md").write_text("\n\n".join(parts) + "\n")
    if (scale := _load(results, "scale")) is not None:
        plot_scale(scale["rows"], docs / "img" / "scale.svg")
        _fill(docs / "scale.md", table(scale["rows"]))
    _fill(docs.parent / "README.md", headlines(results))


def _load(results: Path, name: str) -> Any:
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _fill(page: Path, content: str) -> None:
    """Put the table between the page's markers."""
    if page.exists() and "<!-- table -->" in page.read_text():
        before, rest = page.read_text().split("<!-- table -->\n", 1)
        _, after = rest.split("<!-- end -->", 1)
        page.write_text(f"{before}<!-- table -->\n{content}\n<!-- end -->{after}")
