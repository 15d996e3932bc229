"""What became of the rows of one call: the vendor's counters and address sets, told again per row.

`MutationResult` is the answer as it came, `ContactsReport` adds one `RowOutcome` per input row. `report` and `verdicts`
are pure functions and never guess: a row that the answer does not settle is UNKNOWN.

Source: vendor page §3.3, mutation result.
"""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models.contacts import row_key


class RowKind(enum.StrEnum):
    """Say what the vendor did with a row."""

    CREATED = "created"
    UPDATED = "updated"
    REVIVED = "revived"
    """A soft-deleted contact is active again."""
    SUCCEEDED = "succeeded"
    """Done, and the answer does not say which of the three above."""
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    """The same address stands again further down in the call; that row holds the address's outcome. Which of the
    rows' values the vendor kept is not known."""
    UNKNOWN = "unknown"
    """The answer does not settle it, or there was none."""
    NOT_SENT = "not_sent"
    """The vendor has not seen it: sending it later is safe. Only the streams (`upsert_many` and its like) tell this."""


@attrs.frozen(kw_only=True, slots=False)
class MutationResult:
    """Hold the answer to a call that changes contacts; counters that the answer leaves out are None."""

    rows: int | None = _shape.wire()
    success: int | None = _shape.wire()
    failed: int | None = _shape.wire()
    created: int | None = _shape.wire()
    updated: int | None = _shape.wire()
    revived: int | None = _shape.wire()
    success_emails: Any = _shape.quiet()
    failed_emails: Any = _shape.quiet()
    created_emails: Any = _shape.quiet()
    updated_emails: Any = _shape.quiet()
    revived_emails: Any = _shape.quiet()
    warnings: Any = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen
class RowOutcome:
    """Say what became of one input row.

    Attributes:
        index: Place of the row in the input, from 0.
        email: Address as it was given; None for a row that named its contact by id.
        kind: What the vendor did.
        contact_id: The vendor's id, when the answer tells it.
        reason: Why the row was rejected, in the vendor's words, when it says so.
    """

    index: int
    email: str | None = attrs.field(repr=_shape.show_address)
    kind: RowKind
    contact_id: str | None = None
    reason: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class ContactsReport:
    """Hold one outcome per input row, in input order, and the vendor's own counters beside them.

    Attributes:
        result: The vendor's answer.
    """

    _sent: Sequence[Mapping[str, Any]] = attrs.field(repr=False)
    result: MutationResult

    @cached_property
    def outcomes(self) -> tuple[RowOutcome, ...]:
        """What became of each row; told apart when first asked for, which costs more than all else here."""
        names = [(row.get("email"), row.get("id")) for row in self._sent]
        keys = [row_key(email, contact_id) for email, contact_id in names]
        told = zip(names, verdicts(keys, self.result), strict=True)
        return tuple(
            RowOutcome(index, email, kind, own_id if email is None else contact_id, reason)
            for index, ((email, own_id), (kind, contact_id, reason)) in enumerate(told)
        )

    @property
    def counts(self) -> dict[RowKind, int]:
        """How many rows of each kind; all kinds are there and the numbers add up to the input."""
        return dict.fromkeys(RowKind, 0) | Counter(outcome.kind for outcome in self.outcomes)

    def of(self, *kinds: RowKind) -> list[RowOutcome]:
        """Return the outcomes of these kinds, in input order."""
        return [outcome for outcome in self.outcomes if outcome.kind in kinds]

    def __iter__(self) -> Iterator[RowOutcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self._sent)

    def __getitem__(self, index: int) -> RowOutcome:
        return self.outcomes[index]


Verdict = tuple[RowKind, str | None, str | None]
"""What the vendor did with a row, the id that it tells, the reason that it gives; a tuple, for there are millions."""


_DONE = (RowKind.SUCCEEDED, RowKind.REVIVED, RowKind.UPDATED, RowKind.CREATED)  # later ones say more
_COUNTERS = {
    RowKind.SUCCEEDED: "success",
    RowKind.REJECTED: "failed",
    RowKind.REVIVED: "revived",
    RowKind.UPDATED: "updated",
    RowKind.CREATED: "created",
}
_EARLIER: Verdict = (RowKind.DUPLICATE, None, None)
_REASONS = ("message", "reason", "error", "errors")


def report(sent: Sequence[Mapping[str, Any]], result: MutationResult) -> ContactsReport:
    """Tell the vendor's answer row by row.

    Addresses are matched without regard to case, in whatever shape the sets have; rows that no set names are settled by
    the counters where these leave one reading only.

    Args:
        sent: The rows as sent, each with its `email`, else its `id`.
        result: The answer.
    """
    return ContactsReport(sent, result)


def verdicts(keys: Sequence[str], result: MutationResult) -> list[Verdict]:
    """Tell the vendor's answer key by key, as `report` does row by row.

    Args:
        keys: `row_key` of each row as sent.
        result: The answer.
    """
    last = dict(zip(keys, range(len(keys)), strict=True))
    is_repeated = len(last) < len(keys)
    repeated = {key for key, count in Counter(keys).items() if count > 1} if is_repeated else frozenset[str]()
    named = _named(result, repeated)
    told: list[Any] = list(map(named.get, keys))
    if None in told:
        told = _with_the_unnamed(keys, told, named, result)
    if is_repeated:
        told = [told[at] if last[key] == at else _EARLIER for at, key in enumerate(keys)]
    return told


def _with_the_unnamed(
    keys: Sequence[str], told: Sequence[Verdict | None], named: Mapping[str, Verdict], result: MutationResult
) -> list[Verdict]:
    """Settle the keys that no set names: some are ids, of all others the counters may leave one reading."""
    by_id = {verdict[1]: verdict for verdict in named.values() if verdict[1]}
    told = [verdict or by_id.get(key) for key, verdict in zip(keys, told, strict=True)]
    unnamed = [key for key, verdict in zip(keys, told, strict=True) if verdict is None]
    kind = _by_counters(result, sizes={len(unnamed), len(set(unnamed))}) if unnamed else RowKind.UNKNOWN
    rest = (kind, None, None)
    return [verdict or rest for verdict in told]


def _set(result: MutationResult, kind: RowKind) -> dict[str, Any]:
    value = getattr(result, f"{_COUNTERS[kind]}_emails")
    if type(value) is dict and all("@" in key for key in value):  # as the vendor's own samples have it
        return {key.strip().lower(): detail for key, detail in value.items()}
    return dict(_addresses(value))


def _named(result: MutationResult, repeated: Collection[str]) -> dict[str, Verdict]:
    """Return the verdict of every address that a set names."""
    named: dict[str, Verdict] = {}
    for kind in _DONE:
        for address, detail in _set(result, kind).items():
            contact_id = detail.strip() or None if type(detail) is str else _contact_id(detail)
            before = named.get(address)
            named[address] = (kind, contact_id or (before[1] if before else None), None)
    for address, detail in _set(result, RowKind.REJECTED).items():
        if address not in named:
            named[address] = (RowKind.REJECTED, None, _reason(detail))
        elif address not in repeated:
            # Done and failed at once: of two rows with one address that can be true, of a single row it cannot.
            named[address] = (RowKind.UNKNOWN, None, _reason(detail))
    return named


def _by_counters(result: MutationResult, sizes: Collection[int]) -> RowKind:
    """Return the one kind that all unnamed rows must have, by what the counters leave over; UNKNOWN if there is none.

    Args:
        result: The answer.
        sizes: Number of unnamed rows and of different keys among them; which one the vendor counts is not known.
    """
    left = {kind: _left(result, kind) for kind in _COUNTERS}
    if left[RowKind.REJECTED] in sizes and not left[RowKind.SUCCEEDED]:
        return RowKind.REJECTED
    if left[RowKind.REJECTED]:
        return RowKind.UNKNOWN
    exact = [kind for kind in _DONE[1:] if left[kind] in sizes]
    others = [kind for kind in _DONE[1:] if left[kind] and kind not in exact]
    if len(exact) == 1 and not others:
        return exact[0]
    done = left[RowKind.SUCCEEDED]
    return RowKind.SUCCEEDED if done in sizes else RowKind.UNKNOWN


def _left(result: MutationResult, kind: RowKind) -> int | None:
    """Return how many of a counter no set names; None when the answer has no such counter."""
    counter: int | None = getattr(result, _COUNTERS[kind])
    if counter is None:
        return None
    named = len(_set(result, kind))
    if kind is RowKind.SUCCEEDED:  # success = created + updated + revived
        named = max(named, sum(len(_set(result, done)) for done in _DONE[1:]))
    return counter - named


# --- the shapes of a set ----------------------------------------------------------------------------------------------


def _addresses(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield address and detail from a set of any shape: address → detail, reason → addresses, or a list of either."""
    match value:
        case str() if "@" in value:
            yield value.strip().lower(), None
        case Mapping() if isinstance(address := value.get("email"), str):
            yield address.strip().lower(), value
        case Mapping():
            for key, detail in value.items():
                if "@" in key:
                    yield key.strip().lower(), detail
                else:
                    yield from _entry(key, detail)
        case list():
            for item in value:
                if isinstance(item, (str, Mapping)):
                    yield from _addresses(item)


def _entry(key: str, detail: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(detail, (str, list, Mapping)):  # "0": {"email": …}, as PHP numbers; or "invalid": ["a@b.c", …]
        return [
            (address, key if inner is None and not key.isdecimal() else inner) for address, inner in _addresses(detail)
        ]
    return []


def _contact_id(detail: Any) -> str | None:
    match detail:
        case bool():
            return None
        case str() | int():
            return str(detail).strip() or None
        case Mapping():
            return _contact_id(detail.get("id", detail.get("contact_id")))
        case _:
            return None


def _reason(detail: Any) -> str | None:
    match detail:
        case str():
            return detail.strip() or None
        case list():
            return "; ".join(filter(None, map(_reason, detail))) or None
        case Mapping():
            told = filter(None, (_reason(detail.get(key)) for key in _REASONS))
            return next(told, None) or _reason([value for key, value in detail.items() if key != "email"])
        case _:
            return None
