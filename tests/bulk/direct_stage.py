"""A stage for loads in virtual time, which tests and benchmarks share."""

from typing import Any

from attrs import define

from ongage_async.bulk import Fetch, StagedFile

__all__ = ["DirectStage"]


@define
class DirectStage:
    """A stage that gives files to the emulator without a thread or a socket, so that virtual time stands still."""

    files: Any = None

    def __attrs_post_init__(self):
        self.files = {}

    async def put(self, path, name):
        self.files[name] = path.read_bytes()
        return StagedFile(name, f"https://stage.test/{name}")

    async def remove(self, staged):
        self.files.pop(staged.name, None)

    async def log(self, staged) -> tuple[Fetch, ...] | None:
        return None

    async def __call__(self, scope, receive, send):
        body = self.files[scope["path"].rpartition("/")[2]]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
