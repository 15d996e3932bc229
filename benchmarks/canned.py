"""A vendor that says the same thing to everybody, in a process of its own, so that only the client is measured.

``python -m benchmarks.canned CERT.pem`` prints its two ports, plain and TLS, and serves until it is killed.
"""

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from attrs import frozen

__all__ = ["Vendor", "canned_vendor"]

CONTACT = {
    "id": "5f3e9c1d-77aa-4e2c-9a6d-2f6f0c2b8f10",
    "email": "john@doe.com",
    "list_id": "7",
    "status": "active",
    "fields": {"first_name": "John", "last_name": "Doe", **{f"field_{number}": str(number) for number in range(20)}},
}
CREATED = {"rows": 100, "success": 100, "created": 100, "updated": 0, "failed": 0}


@frozen
class Vendor:
    """Where it is, and the context that trusts it."""

    url: str
    tls_url: str
    trust: ssl.SSLContext


@contextmanager
def canned_vendor() -> Iterator[Vendor]:
    """Start one."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.canned", str(certificate)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            plain, tls = process.stdout.readline().split()
            yield Vendor(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", trust)
        finally:
            process.kill()
            process.communicate()


def _answer(payload: object) -> bytes:
    body = json.dumps({"metadata": {"error": False}, "payload": payload}).encode()
    head = (
        b"HTTP/1.1 200 OK\r\nserver: nginx\r\ndate: Sun, 22 Nov 2026 05:00:00 GMT\r\ncontent-type: application/json\r\n"
    )
    return b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)


_GET, _POST = _answer(CONTACT), _answer(CREATED)


class _Connection(asyncio.Protocol):
    """Find where a request ends, and answer it at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = transport.write  # type: ignore[attr-defined]
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while (end := self.unread.find(b"\r\n\r\n")) >= 0:
            _, found, rest = self.unread[:end].lower().partition(b"content-length:")
            size = end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)
            if len(self.unread) < size:
                return
            self.write(_GET if self.unread.startswith(b"GET") else _POST)
            self.unread = self.unread[size:]


async def _serve(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Connection, "127.0.0.1", 0, ssl=tls) for tls in (None, context)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
