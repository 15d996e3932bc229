"""A vendor of canned answers: what resources send goes through the wire's rules, and so do the answers."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, field

from ongage_async import _wire
from ongage_async._operation import Answer, Operation


@define
class FakeVendor:
    """Be a `Caller`: render each call, note it, and read the next canned answer (the last one stays)."""

    answers: deque[tuple[int, Any]] = field(factory=deque)
    sent: list[_wire.WireRequest] = field(factory=list)
    operations: list[Operation] = field(factory=list)

    def answer(self, payload: Any = None, status: int = 200, **metadata: Any) -> None:
        self.answers.append((status, {"metadata": {"error": status >= 300, **metadata}, "payload": payload}))

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
    ) -> Answer:
        self.operations.append(operation)
        self.sent.append(_wire.render(operation, path=path, query=query, body=body, list_id=list_id))
        status, document = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        return _wire.read(operation, status, {}, json.dumps(document).encode())

    @property
    def line(self) -> str:
        """The last call as method and URL."""
        return f"{self.sent[-1].method} {self.sent[-1].url_path}"

    @property
    def body(self) -> Any:
        """The last call's body."""
        return json.loads(self.sent[-1].body or b"null")

    @property
    def operation(self) -> Operation:
        """The last call's operation."""
        return self.operations[-1]


@pytest.fixture
def vendor() -> FakeVendor:
    return FakeVendor()
