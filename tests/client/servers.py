"""Small servers in threads for what the emulator does not do: proxies, TLS, odd connections."""

import contextlib
import gzip
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Self
from urllib.parse import urlsplit

from attrs import define, field

FINE = json.dumps({"metadata": {"error": False, "total": 0}, "payload": []}).encode()


def plain(_: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(FINE), FINE)


def closing(_: bytes) -> bytes:
    return plain(b"").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)


def zipped(_: bytes) -> bytes:
    body = gzip.compress(FINE)
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def chunked(_: bytes) -> bytes:
    half = len(FINE) // 2
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (FINE[:half], FINE[half:]))
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@define(eq=False)
class RawServer:
    """Accept connections in a thread each, and answer requests by a function of their bytes.

    Args:
        answer: From the request to the whole response.
        tls: For https.
        hang_up_after: Close a connection, without a word, after so many answers; None: when the client does.
    """

    answer: Callable[[bytes], bytes] = plain
    tls: ssl.SSLContext | None = None
    hang_up_after: int | None = None
    accepted: int = 0
    ended: int = 0
    requests: list[bytes] = field(factory=list)
    hung_up: threading.Event = field(factory=threading.Event)
    _listener: socket.socket = field(init=False)
    _counting: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else host}:{port}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # closing alone would let the thread wait on, perhaps on another's socket
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            line = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with line:
                self._talk(line)
        with self._counting:
            self.ended += 1
        self.hung_up.set()

    def _talk(self, line: socket.socket) -> None:
        for number, request in enumerate(requests_of(line), 1):
            self.requests.append(request)
            answer = self.answer(request)
            line.sendall(answer)
            if number == self.hang_up_after or b"connection: close" in answer:
                return


def requests_of(line: socket.socket) -> Iterator[bytes]:
    """Give whole requests, head and body, until the client leaves."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            piece = line.recv(65536)
            if not piece:
                return
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        length = next(
            (int(each[15:]) for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:")), 0
        )
        while len(rest) < length:
            rest += line.recv(65536)
        yield head + b"\r\n\r\n" + rest[:length]
        data = rest[length:]


@define(eq=False)
class Proxy(RawServer):
    """Forward plain requests, and tunnel CONNECT."""

    lines: list[str] = field(factory=list)
    heads: list[bytes] = field(factory=list)

    def _talk(self, line: socket.socket) -> None:
        for request in requests_of(line):
            head = request.partition(b"\r\n\r\n")[0]
            self.heads.append(head)
            self.lines.append(head.partition(b"\r\n")[0].decode())
            method, target, _ = self.lines[-1].split()
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                with socket.create_connection((host, int(port))) as beyond:
                    line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    pump(line, beyond)
                return
            self._forward(line, request, target)

    def _forward(self, line: socket.socket, request: bytes, target: str) -> None:
        parts = urlsplit(target)
        path = target[target.index(parts.netloc) + len(parts.netloc) :]
        request = request.replace(target.encode(), path.encode(), 1).replace(
            b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1
        )
        with socket.create_connection((str(parts.hostname), int(parts.port or 80))) as beyond:
            beyond.sendall(request)
            while piece := beyond.recv(65536):
                line.sendall(piece)
        line.shutdown(socket.SHUT_RDWR)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side leaves."""
    to = {one: other, other: one}
    while True:
        readable, _, _ = select.select([one, other], [], [])
        for side in readable:
            piece = side.recv(65536)
            if not piece:
                return
            to[side].sendall(piece)
