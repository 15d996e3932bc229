"""Garbage on the wire: whatever arrives is refused in the vendor's own words, and the emulator goes on serving."""

import http.client
import json
import logging
import socket
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongage_async.emulator import Emulator

from .outside import STRANGERS

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW")
TYPES = (
    None,
    "application/json",
    "text/csv",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "?",
)
SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
BODIES = st.one_of(
    st.binary(max_size=40),
    SOME_JSON,
    st.sampled_from(
        [
            b"[" * 100_000,
            b'{"a":' * 600 + b"1" + b"}" * 600,
            b"[" * 600 + b"]" * 600,
            b'{"email": "\\ud800@example.com", "name": "\\udfff"}',
            b'[{"email": "\\ud800a@example.com", "guid": "\\udfff"}]',
            b'{"name": NaN, "type": Infinity, "title": 1e999}',
            b"1" * 5000,
            '{"name": "utf-16"}'.encode("utf-16"),
            b"\xef\xbb\xbf{}",
        ]
    ),
)


@pytest.fixture(params=list(STRANGERS))
def stranger(request):
    made = STRANGERS[request.param]()
    made.furnish()
    yield made
    made.close()


def paths(stranger):
    """Return paths that are served, with anything in the place of their parameters, and some that are not."""
    number = st.sampled_from(["1", "60299", "0", "-1", "9" * 5000, "²", "a" * 24, "%00", "%ff", "..", "x y"])
    templates = sorted({route.path for route in stranger.emulator.app.router.routes})
    query = st.sampled_from(["", "?", "?offset=" + "9" * 5000, "?list_id=%ff&list_id=1", "?sort=id&order=%00&limit=-1"])

    def fill(template, value, prefix, asked):
        return (
            prefix
            + "".join(
                "/" + quote(value if part[0] == "{" else part, safe="%") for part in template.strip("/").split("/")
            )
            + asked
        )

    prefix = st.sampled_from(["", "/60299", "/" + "9" * 5000, "/²"]).map(lambda text: quote(text))
    return st.builds(fill, st.sampled_from(templates), number, prefix, query) | st.sampled_from(
        ["/", "//", "/%2f", "/*"]
    )


def test_no_bytes_make_it_fail(stranger, caplog):
    """Any method, path, media type and body get an answer that is no crash; a 500 is the families' own refusal."""
    line = http.client.HTTPConnection(stranger.url.removeprefix("http://"), timeout=10)
    seen = set()

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(METHODS), paths(stranger), st.sampled_from(TYPES), BODIES)
    def send(method, path, media, body):
        headers = {name: value for name, value in stranger.session.headers.items() if name[:2] in ("X-", "X_")}
        line.request(method, path, body, {**headers, **({"content-type": media} if media else {})})
        answer = line.getresponse()
        content = answer.read()
        seen.add(answer.status)
        crashed = answer.status >= 500 and json.loads(content)["payload"]["message"] != "Validation error"
        assert not crashed, (answer.status, content)
        if answer.headers["content-type"].startswith("application/json") and content:
            json.loads(content, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))

    with caplog.at_level(logging.ERROR, "ongage_async.emulator"):
        send()
    line.close()
    assert caplog.messages == []
    assert {400, 404} <= seen  # 400 comes from behind the door


@settings(max_examples=40, deadline=None, database=None)
@given(garbage=st.binary(min_size=1, max_size=60))
def test_bytes_that_are_no_http_hurt_nobody_else(garbage):
    """Noise on a connection ends that connection; the next caller is served."""
    emulator = _serving()
    with socket.create_connection((emulator.host, int(emulator.url.rpartition(":")[2])), timeout=5) as line:
        line.sendall(garbage + b"\r\n\r\n")
    line = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=10)
    line.request("GET", "/api/lists", headers=emulator.credentials.headers())
    assert line.getresponse().status == 200
    line.close()


_KEPT = []


def _serving():
    if not _KEPT:
        _KEPT.append(Emulator(calls=None, parallel=None))
        _KEPT[0].start()
    return _KEPT[0]


@pytest.fixture(autouse=True, scope="module")
def _end():
    yield
    while _KEPT:
        _KEPT.pop().stop()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b"[" * 513 + b"]" * 513,
        b"1" * 5000,
    ],
)
def test_what_php_would_not_read_is_refused_as_no_json(client, body):
    """What could not be written back as JSON is refused at the door, with 400 in the http form."""
    answer = client.put("/api/suppression", content=body)
    assert (answer.status_code, answer.json()["payload"]["message"]) == (400, "Invalid JSON in request")


def test_depth_and_characters_that_php_reads_are_read(client):
    """The door is no narrower than it must be: 512 levels, and a whole surrogate pair."""
    deep = b'{"name": "x", "type": "sending", "description": "\\ud83d\\ude00", "x": ' + b"[" * 511 + b"]" * 511 + b"}"
    answer = client.post("/api/lists", content=deep)
    assert (answer.status_code, answer.json()["payload"]["description"]) == (200, "😀")
