"""The ways to run it: a thread, in process, a process of its own, a fixture; and time that jumps."""

import asyncio
import gc
import json
import signal
import socket
import subprocess
import sys
import time

import anyio
import httpx
import pytest
import trio

from ongage_async.emulator import Emulator, Fault
from ongage_async.emulator.virtual_time import VirtualTimeLoop, run


def test_it_starts_and_stops_quickly():
    with Emulator():
        pass  # imports uvicorn, once
    took_s = []
    for _ in range(5):
        began = time.monotonic()
        with Emulator() as emulator:
            assert emulator.url.startswith("http://127.0.0.1:")
        took_s.append(time.monotonic() - began)
    assert min(took_s) < 0.5  # the machine may stand still during the others


@pytest.mark.parametrize("runner", [asyncio.run, trio.run], ids=["asyncio", "trio"])
def test_it_serves_clients_of_either_loop(runner):
    async def talk():
        async with Emulator() as emulator, httpx.AsyncClient(base_url=emulator.url, verify=False) as client:
            answer = await client.get("/api/lists", headers=emulator.credentials.headers())
            return answer.status_code

    assert runner(talk() if runner is asyncio.run else talk) == 200


def test_it_stops_at_once_with_connections_open_and_calls_at_work():
    emulator = Emulator(latency=60.0)
    emulator.start()
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as idle, socket.create_connection((host, int(port))) as busy:
        lines = [b"GET /api/lists HTTP/1.1", b"host: x"]
        lines += [f"{name}: {value}".encode() for name, value in emulator.credentials.headers().items()]
        busy.sendall(b"\r\n".join([*lines, b"", b""]))
        while not len(emulator.witness):
            time.sleep(0.005)
        began = time.monotonic()
        emulator.stop()
        assert time.monotonic() - began < 10.0  # the call at work would take a minute
        assert (_rest(idle), _rest(busy)) == (b"", b"")
    gc.collect()


def _rest(connection):
    try:
        return connection.recv(1)
    except ConnectionError:
        return b""


def test_it_can_be_started_again_and_remembers():
    emulator = Emulator()
    with emulator:
        emulator.state.default_list.add_contact("john@doe.com")
        with pytest.raises(RuntimeError):
            emulator.start()
    with emulator:
        answer = httpx.get(f"{emulator.url}/api/contacts/by_email/john@doe.com", headers=emulator.credentials.headers())
    assert answer.status_code == 200


def test_what_it_says_to_a_person_can_be_pasted_into_a_shell_as_it_is():
    """Run the lines that it prints in a shell; a newcomer does nothing else before the first call."""
    command = [sys.executable, "-m", "ongage_async.emulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        process.send_signal(signal.SIGINT)
    script = "".join(line for line in lines if line.startswith("  export "))
    shell = subprocess.run(["sh", "-c", f"{script} env"], capture_output=True, text=True, check=True, env={})
    found = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    known = Emulator().credentials
    assert (found["ONGAGE_USERNAME"], found["ONGAGE_PASSWORD"]) == (known.username, known.password)
    assert found["ONGAGE_ACCOUNT_CODE"] == known.account_code
    assert found["ONGAGE_BASE_URL"].startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_an_error_at_once():
    with Emulator() as first, pytest.raises(OSError):
        Emulator(port=int(first.url.rsplit(":", 1)[1])).start()


def test_ten_at_once_over_sockets_are_seen_open_at_once(emulator):
    emulator.latency = 0.03

    async def talk():
        headers = emulator.credentials.headers()
        async with httpx.AsyncClient(base_url=emulator.url, headers=headers, verify=False) as client:
            return await asyncio.gather(*[client.get("/api/lists") for _ in range(10)])

    assert {answer.status_code for answer in asyncio.run(talk())} == {200}
    assert emulator.witness.worst_open() == 10


def test_departures_are_noted_before_the_answer_arrives(emulator, client):
    emulator.limits.parallel = 1
    for _ in range(50):
        assert client.get("/api/lists").status_code == 200
    assert emulator.witness.worst_open() == 1


def test_the_bare_app_answers_lifespan():
    sent = []
    told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(told)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(Emulator().app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_serves_and_ends_cleanly(number):
    command = [sys.executable, "-m", "ongage_async.emulator", "--json", "--calls", "1", "--window", "sliding"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        facts = json.loads(process.stdout.readline())
        headers = {"x-api-key": facts["api_key"]}
        statuses = [httpx.get(f"{facts['url']}/api/lists", headers=headers).status_code for _ in range(2)]
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (statuses, process.returncode, errors) == ([200, 429], 0, "")


def test_virtual_hours_take_no_time_and_keep_their_order():
    order = []

    async def wait(name, wait_s):
        await asyncio.sleep(wait_s)
        order.append((name, asyncio.get_running_loop().time()))

    async def main():
        await asyncio.gather(wait("late", 7200.0), wait("soon", 0.5), wait("later", 86400.0 * 30))
        return "done"

    began = time.monotonic()
    assert run(main) == "done"
    assert time.monotonic() - began < 60.0
    assert order == [("soon", 0.5), ("late", 7200.0), ("later", pytest.approx(86400.0 * 30))]


def test_virtual_time_waits_for_threads_when_no_timer_is_set():
    async def main():
        return await asyncio.to_thread(lambda: 42)

    assert run(main) == 42


def test_virtual_time_can_look_for_real_io_before_it_jumps():
    async def main():
        async with asyncio.timeout(0.5):
            return await asyncio.to_thread(time.sleep, 0.01)

    assert run(main, real_io_wait_s=0.05) is None
    with pytest.raises(TimeoutError):
        run(main)


def test_virtual_time_begins_where_it_is_told():
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start_s=100.0)) as runner:
        assert runner.get_loop().time() == 100.0


@pytest.mark.anyio
async def test_half_an_hour_of_back_off_in_process(inside):
    inside.faults.add("lists.page", Fault.status(503), times=5)
    began = anyio.current_time()
    async with inside.http_client() as client:
        for wait_s in (60, 120, 240, 480, 960):
            assert (await client.get("/api/lists")).status_code == 503
            await anyio.sleep(wait_s)
        assert (await client.get("/api/lists")).status_code == 200
    assert anyio.current_time() - began == pytest.approx(1860)
    assert inside.witness.count("lists.page") == 6


@pytest.mark.anyio
async def test_vendor_timestamps_follow_the_virtual_clock(inside):
    async with inside.http_client() as client:
        began = anyio.current_time()
        await anyio.sleep(1000)
        await client.post("/api/v2/contacts", json={"email": "a@b.de"})
    created = inside.state.default_list.contact("a@b.de")["ocx_created_date"]
    assert created == int(1_700_000_000 + began + 1000)


def test_timestamps_made_before_serving_are_not_in_the_future():
    with Emulator() as emulator:
        answer = httpx.get(f"{emulator.url}/api/lists/60299", headers=emulator.credentials.headers()).json()
    assert abs(answer["payload"]["created"] - time.time()) < 5


def test_importing_it_loads_no_http_library():
    heavy = "{'httpx', 'uvicorn', 'starlette', 'trio', 'pytest'}"
    code = f"import ongage_async.pytest_plugin, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() in ("['pytest']", "['httpx', 'pytest']")


def test_the_emulator_imports_nothing_of_the_client():
    import pathlib

    import ongage_async.emulator

    for file in pathlib.Path(ongage_async.emulator.__file__).parent.rglob("*.py"):
        for line in file.read_text().splitlines():
            if line.lstrip().startswith(("from ongage_async", "import ongage_async")):
                assert "ongage_async.emulator" in line, (file, line)
