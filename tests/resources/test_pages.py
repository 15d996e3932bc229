"""Iterating over all pages: every item once and an end, under every reading of the vendor's paging."""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ongage_async.models import Page
from ongage_async.resources._answers import Each
from ongage_async.resources.lists import Lists

pytestmark = pytest.mark.anyio

Fetch = Callable[[int, int], Awaitable[Page[int]]]
ALL = list(range(7))


def server(
    items: list[int],
    *,
    total: bool = True,
    ignores_offset: bool = False,
    most: int | None = None,
    ignores_limit: bool = False,
) -> tuple[Fetch, list[int]]:
    """Make a vendor with its own reading of paging; the list notes the offsets it was asked for."""
    asked: list[int] = []

    async def fetch(offset: int, limit: int) -> Page[int]:
        asked.append(offset)
        assert len(asked) < 50, "it does not end"
        start = 0 if ignores_offset else offset
        size = len(items) if ignores_limit else min(limit, most or limit)
        return Page(tuple(items[start : start + size]), len(items) if total else None, offset, limit)

    return fetch, asked


async def walk(fetch: Fetch, page_size: int = 3) -> list[int]:
    return [item async for item in Each(fetch, key=lambda item: item, page_size=page_size)]


async def test_with_a_total_no_call_is_wasted() -> None:
    fetch, asked = server(ALL)
    assert await walk(fetch) == ALL
    assert asked == [0, 3, 6]
    fetch, asked = server(ALL[:6])
    assert await walk(fetch) == ALL[:6]
    assert asked == [0, 3]


@pytest.mark.parametrize("items", [[], ALL[:1], ALL[:3], ALL])
async def test_without_a_total_it_ends_at_the_first_page_that_brings_nothing_new(items: list[int]) -> None:
    fetch, _ = server(items, total=False)
    assert await walk(fetch) == items


@pytest.mark.parametrize("total", [True, False])
async def test_a_vendor_with_a_smaller_limit_than_ours_loses_nothing(total: bool) -> None:
    fetch, _ = server(ALL, total=total, most=2)
    assert await walk(fetch, page_size=1000) == ALL


@pytest.mark.parametrize("total", [True, False])
async def test_a_vendor_that_ignores_the_offset_is_left_after_a_repeated_page(total: bool) -> None:
    fetch, _ = server(ALL, total=total, ignores_offset=True)
    assert await walk(fetch) == [0, 1, 2]


@pytest.mark.parametrize("total", [True, False])
async def test_a_vendor_that_ignores_the_limit_gives_each_item_once(total: bool) -> None:
    fetch, _ = server(ALL, total=total, ignores_limit=True)
    assert await walk(fetch) == ALL


async def test_an_item_that_moves_to_the_next_page_is_given_once() -> None:
    pages = [(0, 1, 2), (2, 3, 4), ()]

    async def fetch(offset: int, limit: int) -> Page[int]:
        return Page(pages[min(offset // 3, 2)], None, offset, limit)

    assert await walk(fetch) == [0, 1, 2, 3, 4]


async def test_pages_are_fetched_only_when_needed_and_may_be_left() -> None:
    fetch, asked = server(ALL)
    async for item in Each(fetch, key=lambda item: item, page_size=3):
        if item == 1:
            break
    gc.collect()  # an abandoned async generator would complain here on trio
    assert asked == [0]


async def test_an_error_between_two_pages_is_raised_and_the_next_step_tries_again() -> None:
    good, _ = server(ALL)
    fails = [False, True, False, False]

    async def fetch(offset: int, limit: int) -> Page[int]:
        if fails.pop(0):
            raise OSError
        return await good(offset, limit)

    each = Each(fetch, key=lambda item: item, page_size=3)
    assert [await anext(each) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError):
        await anext(each)
    assert [item async for item in each] == [3, 4, 5, 6]


async def test_lists_are_iterated_with_their_filters(vendor: Any) -> None:
    vendor.answer([{"id": 1}, {"id": 2}], total=3)
    vendor.answer([{"id": 3}], total=3)
    assert [item.id async for item in Lists(vendor).each(page_size=2, type="sending", sort="id", order="ASC")] == [
        1,
        2,
        3,
    ]
    assert [request.url_path for request in vendor.sent] == [
        "/api/lists?type=sending&sort=id&order=ASC&limit=2",
        "/api/lists?type=sending&sort=id&order=ASC&offset=2&limit=2",
    ]
