"""The places that sit the exam for stages (`test_stage.py`), each with what an outsider sees of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from attrs import frozen
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ongage_async.bulk import FileDrop, Stage, UrlStage, open_stage
from tests.bulk.s3_server import KEYS, S3Server


@frozen
class Place:
    """A stage, and the ways to look at it from outside.

    Attributes:
        stage: The candidate.
        http: A client that reaches the stage's URLs.
        content: Return all that lies in the place, begun or whole, but for what was there before.
        expires: Whether its URLs die by themselves.
        secrets: Words that nobody may be told.
    """

    stage: Stage
    http: httpx.AsyncClient
    content: Callable[[], list[str]]
    expires: bool = False
    secrets: tuple[str, ...] = ()

    async def fetch(self, url: str) -> bytes | int:
        """Return what is fetched, or the status of a refusal."""
        answer = await self.http.get(url)
        return answer.content if answer.status_code == 200 else answer.status_code


@asynccontextmanager
async def directory(folder: Path, s3: S3Server) -> AsyncGenerator[Place]:
    published = folder / "published"
    published.mkdir()
    server = Starlette(routes=[Mount("/", StaticFiles(directory=published))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server)) as http:
        stage = UrlStage("https://files.example", published)
        yield Place(stage, http, lambda: [path.name for path in published.iterdir()])


@asynccontextmanager
async def mounted_drop(folder: Path, s3: S3Server) -> AsyncGenerator[Place]:
    drop = FileDrop("https://app.example/files")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(drop.app)) as http:
        yield Place(drop, http, lambda: [entry.key for entry in drop._open.values()])


@asynccontextmanager
async def served_drop(folder: Path, s3: S3Server) -> AsyncGenerator[Place]:
    async with FileDrop.serve() as drop, httpx.AsyncClient(trust_env=False) as http:
        yield Place(drop, http, lambda: [entry.key for entry in drop._open.values()])


@asynccontextmanager
async def s3_bucket(folder: Path, s3: S3Server) -> AsyncGenerator[Place]:
    bucket = f"bucket-{abs(hash(folder))}"
    s3.create(bucket)
    stage = open_stage(f"s3://{bucket}/in/box", config=KEYS, endpoint=s3.url)
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Place(stage, http, lambda: s3.content(bucket), expires=True, secrets=(KEYS["secret_access_key"],))


PLACES = {"directory": directory, "mounted drop": mounted_drop, "served drop": served_drop, "s3": s3_bucket}
