"""A server that speaks the protocol of S3, and a look at its buckets that does not go through our own code."""

import logging
import re
from types import TracebackType
from typing import Self

import httpx
from moto.server import ThreadedMotoServer

KEYS = {"access_key_id": "AKIDOFTHETESTS", "secret_access_key": "secret-of-the-tests", "region": "eu-west-3"}


class S3Server:
    """Run moto's server in threads that end with the block."""

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        signed = {"authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-3/s3/aws4_request"}
        self._http = httpx.Client(base_url=self.url, headers=signed, trust_env=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.post("/moto-api/reset")  # its buckets are the process's, not the server's
        self._http.close()
        self._server.stop()

    def create(self, bucket: str) -> None:
        place = (
            "<CreateBucketConfiguration><LocationConstraint>eu-west-3</LocationConstraint></CreateBucketConfiguration>"
        )
        self._http.put(f"/{bucket}", content=place).raise_for_status()

    def content(self, bucket: str) -> list[str]:
        """Return the keys of a bucket, with those of uploads that were begun and neither ended nor given up."""
        listings = [self._http.get(f"/{bucket}", params={what: ""}).text for what in ("list-type", "uploads")]
        return [key for text in listings for key in re.findall(r"<Key>(.*?)</Key>", text)]

    def head(self, bucket: str, key: str) -> httpx.Headers:
        return self._http.head(f"/{bucket}/{key}").raise_for_status().headers
