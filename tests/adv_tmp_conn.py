import asyncio, os, socket, ssl, threading, time, zlib, gzip, select
import anyio, httpx, pytest, trustme
from ongage_async import *
from ongage_async._transport import Transport
from tests.client.servers import FINE, RawServer, plain, requests_of
from tests.client.test_connections import *
from tests.client.test_connections import Scripted, sent_by, reply, Taker
for _n in [n for n in globals() if n.startswith("test_")]: del globals()[_n]
pytestmark = pytest.mark.anyio

async def test_tls_two_records(authority):
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served); authority.configure_trust(trusting)
    late = reply(b"a stranger's")(b"")
    class S(RawServer):
        def _serve(self, connection):
            with connection:
                inc, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                o = served.wrap_bio(inc, out, server_side=True)
                def pump(fn):
                    while True:
                        try: r = fn()
                        except ssl.SSLWantReadError:
                            connection.sendall(out.read()); d = connection.recv(65536)
                            if not d: raise OSError
                            inc.write(d); continue
                        return r
                try:
                    pump(o.do_handshake)
                    while True:
                        pump(lambda: o.read(65536))
                        o.write(plain(b"")); o.write(late); connection.sendall(out.read())
                except OSError: pass
    with S(tls=served) as server:
        t = Transport(server.url, {}, ssl_context=trusting)
        for _ in range(3):
            assert (await t.send(GET, 10.0)).body == FINE
        await t.aclose()

async def test_endless_body_ends_at_deadline():
    stop = threading.Event()
    def flood(line):
        next(requests_of(line)); line.sendall(HEAD % 10**12)
        block = bytes(1024*1024)
        while not stop.is_set(): line.sendall(block)
    with Scripted(script=flood) as server:
        began = time.monotonic()
        threading.Timer(2.5, stop.set).start()
        with pytest.raises(TransportError) as c:
            await sent_by(Transport(server.url, {}), timeout_s=0.2)
        print(c.value)
        assert time.monotonic()-began < 1.5
        stop.set()

async def test_early_refusal_and_close():
    def early(line):
        data=b""
        while b"\r\n\r\n" not in data: data += line.recv(4096)
        line.sendall(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
        time.sleep(0.05)
    with Scripted(script=early) as server:
        r = await sent_by(Transport(server.url, {}), WireRequest("POST","/","/",b"x"*32*MEGABYTE), timeout_s=5)
        assert r.status == 413

async def test_early_answer_keepalive_not_reading():
    n=[0]
    def early(line):
        n[0]+=1
        data=b""
        while b"\r\n\r\n" not in data: data += line.recv(4096)
        line.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        server.hung_up.wait(3)
    with Scripted(script=early) as server:
        t=Transport(server.url, {})
        r = await t.send(WireRequest("POST","/","/",b"x"*32*MEGABYTE), 1.0)
        r = await t.send(GET, 1.0)
        assert n[0]==2
        await t.aclose(); server.hung_up.set()

async def test_concat_gzip():
    body = gzip.compress(FINE[:20])+gzip.compress(FINE[20:])
    with RawServer(reply(body, "content-encoding: gzip")) as server:
        assert (await sent_by(Transport(server.url, {}))).body == FINE
async def test_raw_deflate():
    c = zlib.compressobj(wbits=-15); body = c.compress(FINE)+c.flush()
    with RawServer(reply(body, "content-encoding: deflate")) as server:
        assert (await sent_by(Transport(server.url, {}))).body == FINE
async def test_poured_half_gzip():
    body = gzip.compress(os.urandom(100000))[:-5000]
    with RawServer(reply(body, "content-encoding: gzip")) as server:
        tk=Taker(); tk.may_go_on.set()
        with pytest.raises(ConnectionLostError):
            await sent_by(Transport(server.url, {}), sink=tk)
async def test_no_poll(monkeypatch):
    monkeypatch.delattr(select, "poll")
    with RawServer() as server:
        t=Transport(server.url, {})
        for _ in range(2): await t.send(GET, 1.0)
        await t.aclose()
        assert server.accepted==1

def test_two_loops():
    with RawServer() as server:
        t=Transport(server.url, {})
        async def m(): return await t.send(POST, 2.0)
        asyncio.run(m())
        r = asyncio.run(m())
        asyncio.run(t.aclose())
        print(server.accepted, len(server.requests))
def test_fork():
    with RawServer() as server:
        t=Transport(server.url, {})
        async def m(): return await t.send(POST, 2.0)
        asyncio.run(m())
        pid=os.fork()
        if pid==0:
            try: asyncio.run(m()); os._exit(0)
            except BaseException as e:
                import traceback; traceback.print_exc(); os._exit(1)
        assert os.waitpid(pid,0)[1]==0
        assert server.accepted==2
        t._idle.clear()
async def test_connect_timeout_engine():
    # full listen queue: SYNs dropped
    import ongage_async
    l = socket.socket(); l.bind(("127.0.0.1",0)); l.listen(0)
    fill=[]
    for _ in range(4):
        s=socket.socket(); s.setblocking(False)
        try: s.connect(l.getsockname())
        except BlockingIOError: pass
        fill.append(s)
    from ongage_async.resources import lists
    url=f"http://127.0.0.1:{l.getsockname()[1]}"
    async with ongage_async.Ongage(credentials=ongage_async.ApiKey("x"), base_url=url, timeout_s=0.5, retry=ongage_async.RetryPolicy.none()) as c:
        with pytest.raises(ongage_async.OngageError) as e:
            await c.lists.get(7)
    print(type(e.value), e.value.outcome)
    for s in [*fill,l]: s.close()
    assert isinstance(e.value, ConnectError)
