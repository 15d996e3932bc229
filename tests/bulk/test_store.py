"""Files in object stores: what goes over the wire, signed URLs and their life, what is said when it does not work."""

import base64
import datetime as dt
import json
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ongage_async.bulk import Stage, StagedFile, open_stage
from ongage_async.bulk.stages import _store as store_module
from ongage_async.errors import ConfigurationError, StagingError
from tests.bulk.s3_server import KEYS, S3Server

pytestmark = pytest.mark.anyio
NAME = "f" * 48 + ".csv"
BUCKET = "nightly"
CONTENT = b"email\r\njohn@doe.com\r\n"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # of nobody, instead of a machine at Amazon
    soon = dt.timedelta(milliseconds=1)
    monkeypatch.setattr(
        store_module, "RETRIES", {"max_retries": 3, "backoff": {"init_backoff": soon, "max_backoff": soon}}
    )


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        running.create(BUCKET)
        yield running


@pytest.fixture
def stage(server: S3Server) -> Stage:
    return open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=server.url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "part-0001.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
async def http(anyio_backend: Any) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def test_a_file_lies_under_its_prefix_with_the_type_that_it_has(server: S3Server, stage: Stage, tmp_path: Path):
    for suffix, kind in ((".csv", "text/csv; charset=utf-8"), (".zip", "application/zip")):
        path = tmp_path / f"part{suffix}"
        path.write_bytes(b"x")
        staged = await stage.put(path, f"name{suffix}")
        assert server.head(BUCKET, f"in/name{suffix}")["content-type"] == kind
        await stage.remove(staged)


async def test_a_url_lives_for_an_hour_or_as_long_as_it_is_told(server: S3Server, stage: Stage, file: Path):
    short = open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=server.url, life_s=60.0)
    for each, life_s in ((stage, 3600), (short, 60)):
        staged = await each.put(file, NAME)
        query = parse_qs(urlsplit(staged.url).query)
        signed_at = dt.datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
        assert query["X-Amz-Expires"] == [str(life_s)]
        assert staged.expires_at is not None
        assert staged.expires_at - signed_at <= dt.timedelta(seconds=life_s + 1)
        await each.remove(staged)


async def test_a_url_opens_one_file_for_reading_and_nothing_else(stage: Stage, file: Path):
    """Checked in what is signed: this server lets everybody in."""
    staged = await stage.put(file, NAME)
    parts = urlsplit(staged.url)
    query = parse_qs(parts.query)
    assert parts.path == f"/{BUCKET}/in/{NAME}"
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert len(query["X-Amz-Signature"][0]) == 64
    assert KEYS["secret_access_key"] not in staged.url
    await stage.remove(staged)


async def test_credentials_and_endpoint_are_taken_from_the_environment(
    server: S3Server, file: Path, monkeypatch: pytest.MonkeyPatch, http: httpx.AsyncClient
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHEENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    stage = open_stage(f"s3://{BUCKET}/in")
    staged = await stage.put(file, NAME)
    assert "AKIDOFTHEENVIRONMENT" in staged.url
    assert (await http.get(staged.url)).content == CONTENT
    await stage.remove(staged)


async def test_plain_http_of_the_environment_is_for_this_machine_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example")
    with pytest.raises(ConfigurationError, match="plain http"):
        open_stage(f"s3://{BUCKET}/in", config=KEYS)
    open_stage(f"s3://{BUCKET}/in", config=KEYS, insecure=True)


async def test_credentials_that_are_asked_for_each_time_are_used(server: S3Server, file: Path):
    asked = []

    def provider() -> dict[str, Any]:
        asked.append(1)
        return {"access_key_id": "AKIDPROVIDED", "secret_access_key": "x", "token": "tok", "expires_at": None}

    stage = open_stage(
        f"s3://{BUCKET}", config={"region": "eu-west-3"}, endpoint=server.url, credential_provider=provider
    )
    staged = await stage.put(file, NAME)
    assert (bool(asked), "AKIDPROVIDED" in staged.url) == (True, True)
    await stage.remove(staged)


@pytest.mark.parametrize("size", [100, 12 << 20], ids=["one request", "parts"])
async def test_a_bucket_that_is_not_there_is_said(server: S3Server, tmp_path: Path, size: int):
    path = tmp_path / "x.csv"
    path.write_bytes(b"x" * size)
    stage = open_stage("s3://not-there/in", config=KEYS, endpoint=server.url)
    with pytest.raises(
        StagingError, match="could not be uploaded to s3://not-there: the store says NoSuchBucket"
    ) as caught:
        await stage.put(path, NAME)
    assert caught.value.__cause__ is None


async def test_missing_credentials_are_said_and_how_to_set_them(server: S3Server, file: Path):
    stage = open_stage(f"s3://{BUCKET}", endpoint=server.url)
    with pytest.raises(StagingError, match="no valid credentials were found: set AWS_ACCESS_KEY_ID and"):
        await stage.put(file, NAME)


async def test_a_store_that_cannot_be_reached_is_said_in_a_line(file: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    stage = open_stage(f"s3://{BUCKET}", config=KEYS, endpoint=nowhere)
    for doing in (stage.put(file, NAME), stage.remove(StagedFile(NAME, ""))):
        with pytest.raises(StagingError, match="HTTP error") as caught:
            await doing
        assert "\n" not in str(caught.value)
        assert KEYS["secret_access_key"] not in str(caught.value)
    assert "Delete it" in str(caught.value)


Answer = tuple[int, bytes]


class Between:
    """A server between us and the store, which may answer for it, or lose its answers."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.refuse: Callable[[str, str], Answer | None] = lambda method, target: None
        self.loses_answers_to = ""
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        method, target = scope["method"], f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        self.seen.append(f"{method} {target}")
        headers: list[tuple[bytes, bytes]] = []
        if (refused := self.refuse(method, target)) is not None:
            status, content = refused
        else:
            status, content, headers = await self._pass_on(scope, method, target, body)
            if method == self.loses_answers_to:
                status = 400
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _pass_on(self, scope: Any, method: str, target: str, body: bytes) -> Any:
        headers = {name: value for name, value in scope["headers"] if name not in (b"host", b"content-length")}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.request(method, self._upstream + target, content=body, headers=headers)
        kept = [(name, value) for name, value in answer.headers.raw if name.lower() in (b"etag", b"content-type")]
        return answer.status_code, answer.content, kept


@pytest.fixture
def between(server: S3Server) -> Iterator[tuple[Between, str]]:
    app = Between(server.url)
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield app, f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    with path.open("wb") as out:
        out.truncate(64 << 20)
    return path


async def test_an_upload_that_fails_at_its_third_part_leaves_nothing(between: Any, server: S3Server, large: Path):
    app, url = between
    denied = (403, b"<Error><Code>AccessDenied</Code></Error>")
    app.refuse = lambda method, target: denied if "partNumber=3" in target else None
    stage = open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=url)
    with pytest.raises(StagingError, match=r"the credentials do not allow it \(AccessDenied\)"):
        await stage.put(large, NAME)
    assert server.content(BUCKET) == []
    assert any("partNumber=2" in line for line in app.seen)


async def test_an_upload_whose_answer_is_lost_leaves_nothing(between: Any, server: S3Server, file: Path):
    """The store has the file, and its name would be forgotten."""
    app, url = between
    app.loses_answers_to = "PUT"
    with pytest.raises(StagingError):
        await open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=url).put(file, NAME)
    assert [line.partition(" ")[0] for line in app.seen] == ["PUT", "DELETE"]
    assert server.content(BUCKET) == []


async def test_a_deletion_that_is_refused_is_told(between: Any, file: Path):
    app, url = between
    stage = open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=url)
    staged = await stage.put(file, NAME)
    app.refuse = lambda method, target: (403, b"") if method == "DELETE" else None
    with pytest.raises(StagingError, match=rf"{NAME} could not be deleted from s3://{BUCKET}: .*\. Delete it"):
        await stage.remove(staged)
    app.refuse = lambda method, target: None
    await stage.remove(staged)


async def test_a_file_whose_url_cannot_be_signed_is_not_left_behind(
    server: S3Server, stage: Stage, file: Path, monkeypatch: pytest.MonkeyPatch
):
    def sign(*arguments: Any) -> str:
        raise ValueError("the key has expired: https://x.example/?X-Amz-Signature=abc")

    monkeypatch.setattr(store_module.obstore, "sign", sign)
    with pytest.raises(StagingError, match="no URL could be signed") as caught:
        await stage.put(file, NAME)
    assert "abc" not in str(caught.value)
    assert server.content(BUCKET) == []


async def test_a_cancelled_upload_stops_at_its_next_part(between: Any, server: S3Server, large: Path):
    """The worker thread does not send the rest of the file for nobody."""
    app, url = between
    stage = open_stage(f"s3://{BUCKET}/in", config=KEYS, endpoint=url)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.put, large, NAME)
        with anyio.fail_after(10):
            while not any("partNumber" in line for line in app.seen):  # noqa: ASYNC110
                await anyio.sleep(0.002)
        tasks.cancel_scope.cancel()
    assert server.content(BUCKET) == []
    assert sum("partNumber" in line for line in app.seen) < 13
    assert not any("uploadId" in line and line.startswith("POST") for line in app.seen)


def google_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"type": "service_account", "private_key": pem, "private_key_id": "1", "client_email": "a@b.example"}
    return json.dumps(account)


@pytest.mark.parametrize(
    ("where", "config", "address", "life"),
    [
        (
            "gs://nightly/in",
            lambda: {"service_account_key": google_key()},
            "https://storage.googleapis.com/nightly/in/",
            ("X-Goog-Expires", "600"),
        ),
        (
            "az://nightly/in",
            lambda: {"account_name": "acme", "account_key": base64.b64encode(b"key").decode()},
            "https://acme.blob.core.windows.net/nightly/in/",
            ("sp", "r"),
        ),
    ],
)
async def test_urls_of_google_and_azure_are_signed_without_a_request(where: str, config: Any, address: str, life: Any):
    stage = open_stage(where, config=config(), life_s=600.0)
    renewed = await stage.renew(StagedFile(NAME, ""))
    name, value = life
    assert renewed.url.startswith(f"{address}{NAME}?")
    assert parse_qs(urlsplit(renewed.url).query)[name] == [value]
    assert renewed.url not in repr(renewed)
    assert repr(stage) == f"ObjectStage('{where}')"
