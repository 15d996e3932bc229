"""The record of a send: who was begun with, and what became of them, a JSON object a line, written before it happens.

A message that was sent cannot be called back, so nobody who stands here is sent to again, except those of whom it is
certain that nothing was sent. Lines reach the operating system before the call goes out: they survive a `kill -9`.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

from attrs import define, field

from ongage_async.cli._ending import UsageError

__all__ = ["SendRecord"]

BEGUN, NOT_SENT = "begun", "not_sent"


@define(eq=False)
class SendRecord:
    """Write down who is sent to; use it as a context manager.

    Attributes:
        path: Where; the file is its owner's only.
        message_id: Which message; a record is of one.
        done: Recipients (without regard to case) who are not sent to again, and what is known of them.
        left_out: How many of them came again.
    """

    path: Path
    message_id: int
    done: dict[str, str] = field(factory=dict)
    left_out: int = 0
    _open: list[str] = field(factory=list)
    _file: BinaryIO | None = None

    def __enter__(self) -> Self:
        is_whole = self._read()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # it holds addresses
        self._file = os.fdopen(handle, "ab")
        if not is_whole:
            self._file.write(b"\n")
        if not self._file.tell():
            self._write([{"message_id": self.message_id}])
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, recipients: Iterable[str]) -> Iterator[str]:
        """Yield those who were not sent to, each written down as begun before it is yielded."""
        for recipient in recipients:
            if recipient.lower() in self.done:
                self.left_out += 1
                continue
            self._write([{"recipient": recipient, "kind": BEGUN}])
            self.done[recipient.lower()] = BEGUN
            self._open.append(recipient)
            yield recipient

    def settle(self, outcomes: Iterable[tuple[str, str]]) -> None:
        """Write down what became of recipients."""
        told = list(outcomes)
        settled = {recipient for recipient, _ in told}
        self._open = [each for each in self._open if each not in settled]
        self._write({"recipient": recipient, "kind": kind} for recipient, kind in told)

    def take_back(self) -> int:
        """Write down that those who are open were certainly not sent to; return how many."""
        count = len(self._open)
        self.settle([(each, NOT_SENT) for each in self._open])
        return count

    def _read(self) -> bool:
        """Take in what an earlier run wrote; return whether its last line is whole."""
        content = self.path.read_bytes() if self.path.exists() else b""
        for line in content.splitlines():
            facts = _object(line)
            if facts.get("message_id", self.message_id) != self.message_id:
                raise UsageError(f"{self.path} is the record of another message: name another with --record")
            if isinstance(recipient := facts.get("recipient"), str):
                self._note(recipient.lower(), str(facts.get("kind")))
        return not content or content.endswith(b"\n")

    def _note(self, key: str, kind: str) -> None:
        if kind == NOT_SENT:
            self.done.pop(key, None)
        else:
            self.done[key] = kind

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        if self._file is not None:
            self._file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines))
            self._file.flush()


def _object(line: bytes) -> dict[str, Any]:
    """Return a line's object; none of one that was cut off: it was written before its call went out."""
    try:
        facts = json.loads(line)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
