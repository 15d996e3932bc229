"""A server that sends bodies piece by piece, for what the emulator does not do: huge, slow, cut and silent ones."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field

from tests.client.servers import RawServer, requests_of

Body = Callable[[int], Iterator[bytes]]
"""From the number of the request, counted from 1, to the pieces of the whole response."""


@define(eq=False)
class PieceServer(RawServer):
    """Send pieces as a function gives them; an iterator that ends hangs up where `length` is not reached."""

    body: Body = lambda _number: iter(())
    sent_bytes: int = 0
    go_on: threading.Event = field(factory=threading.Event)
    asked: int = 0

    def _talk(self, line: socket.socket) -> None:
        for request in requests_of(line):
            self.requests.append(request)
            self.asked += 1
            is_whole = True
            for piece in self.body(self.asked):
                if not piece:
                    is_whole = False
                    break
                line.sendall(piece)
                self.sent_bytes += len(piece)
            if not is_whole:
                return


def head(length: int | None, kind: str = "application/zip", status: str = "200 OK") -> bytes:
    told = "connection: close" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{told}\r\n\r\n".encode()


HANG_UP = b""


def left_in(folder: Path) -> list[Path]:
    """Return what stands in a folder, hidden files too."""
    return list(folder.iterdir())
