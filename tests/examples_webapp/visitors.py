"""Visitors of the example application: `python -m tests.examples_webapp.visitors URL NUMBER SECONDS THINK_S LOG`.

Each signs up, orders, looks at the form or leaves before the answer, at moments of its own; the log has a line for each
visit: what was done, its status (0: no answer, -1: left), seconds, and the receipt's id.
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any, TextIO

import anyio
import httpx

PATIENCE_S = 60.0


async def sign_up(visitor: httpx.AsyncClient, who: str) -> tuple[int, str]:
    return (await visitor.post("/signups", json={"email": f"{who}@doe.com", "first_name": "Jo"})).status_code, ""


async def order(visitor: httpx.AsyncClient, who: str) -> tuple[int, str]:
    placed = {"number": who, "email": f"{who}@doe.com", "total": "3 EUR"}
    answer = await visitor.post("/receipts", json=placed, headers={"X-Staff-Token": "staff"})
    return answer.status_code, answer.json().get("receipt", "")


async def look(visitor: httpx.AsyncClient, who: str) -> tuple[int, str]:
    return (await visitor.get("/")).status_code, ""


async def leave(visitor: httpx.AsyncClient, who: str) -> tuple[int, str]:
    with anyio.move_on_after(random.uniform(0.0, 0.7)):
        return await sign_up(visitor, who)
    return -1, ""


VISITS = {"sign_up": (sign_up, 0.6), "order": (order, 0.1), "look": (look, 0.2), "leave": (leave, 0.1)}


async def visit(visitor: httpx.AsyncClient, what: str, who: str) -> dict[str, Any]:
    began = anyio.current_time()
    try:
        status, receipt = await VISITS[what][0](visitor, who)
    except httpx.TransportError:  # the worker was killed
        status, receipt = 0, ""
    return {"what": what, "who": who, "status": status, "s": anyio.current_time() - began, "receipt": receipt}


async def come_again(number: int, visitor: httpx.AsyncClient, think_s: float, until: float, log: TextIO) -> None:
    visits = 0
    while True:
        left_s = until - anyio.current_time()
        think = random.expovariate(1 / think_s)
        await anyio.sleep(max(0.0, min(think, left_s)))
        if think >= left_s:
            return
        visits += 1
        (what,) = random.choices(list(VISITS), [weight for _, weight in VISITS.values()])
        log.write(json.dumps(await visit(visitor, what, f"v{number}n{visits}")) + "\n")


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in {"url": str, "number": int, "seconds": float, "think_s": float, "log": Path}.items():
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    until = anyio.current_time() + given.seconds
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    options: dict[str, Any] = {"limits": limits, "timeout": PATIENCE_S, "trust_env": False}
    with given.log.open("w") as log:
        async with httpx.AsyncClient(base_url=given.url, **options) as visitor, anyio.create_task_group() as visitors:
            for number in range(given.number):
                visitors.start_soon(come_again, number, visitor, given.think_s, until, log)


if __name__ == "__main__":
    anyio.run(main)
