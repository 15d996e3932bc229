"""Duplicates: the first row of each address passes, in memory and on the disk alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.bulk.check import _duplicates
from ongage_async.bulk.check._duplicates import Sieve


def sift(root, keys, chunk=3):
    """Return the numbers of the rows that passed, their keys, and how many did not."""
    passed, numbers = [], []

    def write(block):
        passed.extend(row[0] for row in block.rows())
        numbers.extend(block.numbers)

    sieve = Sieve(root, write)
    for at in range(0, len(keys), chunk):
        some = keys[at : at + chunk]
        sieve.add(some, [[key, "a,\n b"] for key in some], [_number(at + place) for place in range(len(some))])
    for _ in sieve.finish():
        pass
    sieve.close()
    sieve.close()
    return numbers, passed, sieve.duplicates


def _number(place):
    """Leave a row out now and then, as rejected rows do."""
    return place + 2 + place // 5


def naive(keys):
    first = {key: at for at, key in reversed(list(enumerate(keys)))}
    kept = sorted(first.values())
    return [_number(at) for at in kept], [keys[at] for at in kept], len(keys) - len(kept)


KEYS = st.lists(st.sampled_from([f"{letter}@b.co" for letter in "abcdefghijklmnopqrstuvwxyzé"]), max_size=60)


@pytest.mark.parametrize("memory", [1, 4, 10, 1_000])
@given(keys=KEYS, chunk=st.integers(1, 20))
def test_it_is_what_a_dict_would_do(tmp_path_factory, memory, keys, chunk):
    """With memory for one address, for some, and for all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_duplicates, "MEMORY_KEYS", memory)
        assert sift(tmp_path_factory.mktemp("sieve"), keys, chunk) == naive(keys)


def test_addresses_whose_hashes_are_equal_are_told_apart(tmp_path, monkeypatch):
    """Nothing rests on a digest: addresses themselves are compared."""
    monkeypatch.setattr(_duplicates, "hash", lambda key: 7, raising=False)
    monkeypatch.setattr(_duplicates, "MEMORY_KEYS", 10)
    keys = [f"u{number % 40}@b.co" for number in range(100)]
    assert sift(tmp_path, keys, chunk=7) == naive(keys)


def test_many_addresses_go_to_nameless_files_and_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_duplicates, "MEMORY_KEYS", 500)
    keys = [f"u{number * 7919 % 4_000}@b.co" for number in range(10_000)]
    assert sift(tmp_path, keys, chunk=128) == naive(keys)
    assert [path.name for path in tmp_path.iterdir()] == ["system"]  # the directory of the fixture


def test_little_is_held_at_a_time(tmp_path, monkeypatch):
    """The set that the addresses of a bucket are compared in never holds more than its share."""
    monkeypatch.setattr(_duplicates, "MEMORY_KEYS", 100)
    monkeypatch.setattr(_duplicates, "BUCKETS", 2)
    keys = [f"u{number}@b.co" for number in range(5_000)]
    largest = 0

    class Watched(set):
        def __ior__(self, other):
            nonlocal largest
            result = set.__ior__(self, other)
            largest = max(largest, len(self))
            return result

    buckets = _duplicates._Buckets(tmp_path)
    for at in range(0, len(keys), 50):
        buckets.add(keys[at : at + 50])
    monkeypatch.setattr(_duplicates, "set", lambda *given: Watched(*given), raising=False)
    assert not any(buckets.find_later())
    buckets.close()
    assert 0 < largest < 250
