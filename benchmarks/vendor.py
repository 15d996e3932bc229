"""A vendor that keeps nothing: it fetches what it is told to import, counts the rows and goes through the statuses.

The emulator keeps every contact; five million of them would take gigabytes, beside a client that is measured in MiB.
`python -m benchmarks.vendor` prints its URL and serves until its standard input ends. Routes and shapes: vendor page
§3.1, §3.2, §4.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

__all__ = ["vendor"]

FIELDS = {"email": "email", "first_name": "string", "age": "numeric", "birthday": "date", "city": "string"}
QUEUED, VALIDATING, PROCESSING, COMPLETED = 40001, 40010, 40002, 40003


@contextmanager
def vendor() -> Iterator[str]:
    """Run one in a process of its own; give its URL."""
    command = [sys.executable, "-m", "benchmarks.vendor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class _Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    imports: dict[int, dict[str, Any]] = {}  # noqa: RUF012 - one for all requests is meant

    def do_GET(self) -> None:
        place = self.path.partition("?")[0].split("/api/")[1].split("/")
        match place:
            case ["import"]:
                self._answer([dict(job) for job in reversed(self.imports.values())])
            case ["import", number]:
                self._answer(dict(self.imports[int(number)]))
            case ["list_fields"]:
                self._answer([_field(number, name, FIELDS[name]) for number, name in enumerate(FIELDS, 1)])
            case _:
                self._answer({"id": 1, "name": "contacts", "imports_concurrent_limit": 2})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = len(self.imports) + 1
        job = self.imports[number] = {"id": number, "name": asked["file_url"].rpartition("/")[2], "status": QUEUED}
        threading.Thread(target=_import, args=(job, asked["file_url"]), daemon=True).start()
        self._answer(dict(job))

    def _answer(self, payload: Any) -> None:
        body = json.dumps({"metadata": {"error": False}, "payload": payload}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def _field(number: int, name: str, kind: str) -> dict[str, Any]:
    form = {"format": "dd/mm/yyyy"} if kind == "date" else {}
    return {"id": number, "name": name, "type": kind, "mandatory": name == "email", **form}


def _import(job: dict[str, Any], url: str) -> None:
    """Fetch, look, count; the end comes with all the counters at once."""
    job["status"] = VALIDATING
    with tempfile.TemporaryFile() as kept, urllib.request.urlopen(url) as file:
        shutil.copyfileobj(file, kept)
        job["status"] = PROCESSING
        with zipfile.ZipFile(kept) as archive, archive.open(archive.namelist()[0]) as text:
            rows = _lines(text) - 1
    counts = {"total": rows, "success": rows, "failed": 0, "duplicate": 0, "progress": 100}
    job.update(counts, status=COMPLETED, status_desc="Completed")


def _lines(text: IO[bytes]) -> int:
    return sum(piece.count(b"\n") for piece in iter(lambda: text.read(1 << 20), b""))


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
