"""A page is read by columns: the same models, errors and drift as when its objects are read one by one.

Reading one object is what `test_structure.py` and `test_any_json.py` examine; here it is the judge.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ongage_async.errors import DecodeError
from ongage_async.events import DriftSeen
from ongage_async.models import Contact, Import, ListFieldsReport, MailingList, Segment, _reading
from ongage_async.models._converter import structure, structure_many
from ongage_async.models.ownpage import Subscriber
from tests.models.test_any_json import EACH_MODEL, VALUES, objects_for

FEW = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

AS_IT_IS = _reading._COLUMNS_FROM
TEXTS = st.sampled_from(["0", "1", "7", "1617541368", "", " ", " 7 ", "-5", "1_0", "²", "9" * 25, "many", "true", "No"])
NUMBERS = st.sampled_from([0, 1, 7, -5, 1617541368, 10**30])
MIXED = TEXTS | NUMBERS | st.sampled_from([None, True, False, 1.0, 0.0, -0.0, 1.5, [], {}, [1], "mixed", "sending"])
COLUMNS = st.one_of(
    *(st.lists(kind, min_size=2, max_size=8) for kind in (TEXTS, TEXTS | st.none(), NUMBERS, st.booleans(), MIXED))
)
A_FIELD_OF_EACH_KIND = [
    (MailingList, "last_count"),
    (MailingList, "archive"),
    (MailingList, "created"),
    (MailingList, "name"),
    (MailingList, "type"),
    (MailingList, "frequencies"),
    (MailingList, "colour"),
    (Import, "status"),
    (Import, "progress"),
    (Import, "fields"),
]


@pytest.fixture(scope="module", autouse=True)
def _few_are_a_page() -> Iterator[None]:
    """Let two objects go the way of a hundred, or Hypothesis would have to write pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reading, "_COLUMNS_FROM", 1)
        yield


def told(value: Any) -> Any:
    """Return all that a model says, with types: 1, 1.0 and True are equal but not the same."""
    if attrs.has(type(value)):
        return type(value), {name: told(inner) for name, inner in sorted(vars(value).items())}
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [told(inner) for inner in value]
    return type(value), repr(value)


def one_by_one(model_type: type[Any], items: Mapping[Any, Any]) -> tuple[Any, set[DriftSeen]]:
    """Return the models of single objects, or the place of the first that is refused."""
    models, drifts = [], set[DriftSeen]()
    for place, item in items.items():
        at = f"[{place}]" if isinstance(place, int) else f".{place}"
        try:
            models.append(structure(model_type, item, operation="x", on_drift=drifts.add))
        except DecodeError as error:
            return error.path.replace("$.payload", f"$.payload{at}"), set()
    return [told(model) for model in models], drifts


def by_columns(model_type: type[Any], payload: Any) -> tuple[Any, set[DriftSeen]]:
    before, drifts = json.dumps(payload), list[DriftSeen]()
    try:
        models = structure_many(model_type, payload, operation="x", on_drift=drifts.append)
    except DecodeError as error:
        return error.path, set(drifts)
    assert json.dumps(payload) == before
    assert len(set(drifts)) == len(drifts)
    return [told(model) for model in models], set(drifts)


def examine(model_type: type[Any], items: list[Any]) -> None:
    assert by_columns(model_type, items) == one_by_one(model_type, dict(enumerate(items)))


@pytest.mark.parametrize("model_type", [Contact, Import, ListFieldsReport, Segment, Subscriber])
def test_a_page_is_read_as_its_objects_are(model_type: type[Any]) -> None:
    """Values that fit and values that do not, unknown keys, and a few items that are no objects at all."""
    pages = st.lists(objects_for(model_type), min_size=1, max_size=4) | st.lists(
        objects_for(model_type) | VALUES, min_size=1, max_size=3
    )
    FEW(given(pages)(lambda items: examine(model_type, items)))()


@pytest.mark.proof
@EACH_MODEL
def test_a_page_is_read_as_its_objects_are_whatever_their_model(model_type: type[Any]) -> None:
    """The same question, sixty times for each model that there is."""
    pages = st.lists(objects_for(model_type) | VALUES, min_size=1, max_size=6)
    MANY(given(pages)(lambda items: examine(model_type, items)))()


@pytest.mark.parametrize(("model_type", "key"), A_FIELD_OF_EACH_KIND)
@settings(deadline=None, max_examples=30)
@given(column=COLUMNS, missing=st.sets(st.integers(0, 7)))
@example(column=["1_0", "7"], missing=set())
@example(column=["", "7"], missing=set())
@example(column=["0", "00", "1617541368"], missing={1})
@example(column=["9" * 25, "7"], missing=set())
@example(column=[True, 1, 1.0], missing=set())
def test_a_column_is_read_as_its_values_are(
    model_type: type[Any], key: str, column: list[Any], missing: set[int]
) -> None:
    """All texts, all numbers, some of each, some null, some missing: whichever short way there is, it leads there."""
    items = [{"id": 1} if index in missing else {"id": 1, key: raw} for index, raw in enumerate(column)]
    examine(model_type, items)


@given(
    st.lists(st.dictionaries(st.sampled_from(["email", "id"]), st.sampled_from(["", " ", "a", 7, None])), max_size=5)
)
def test_a_contact_that_nobody_can_name_is_found_in_a_page(items: list[Any]) -> None:
    examine(Contact, items)


def test_a_numbered_object_is_a_page_too() -> None:
    """PHP writes an array that has gaps as an object; the place of an error is the key there."""
    payload = {"0": {"id": 1, "archive": "1"}, "3": [], "7": {"id": 2}}
    assert by_columns(Import, payload) == one_by_one(Import, payload) == ("$.payload.3.id", set())
    payload["3"] = {"id": "9"}
    assert by_columns(Import, payload) == one_by_one(Import, payload)


def test_of_all_that_is_refused_the_first_is_told() -> None:
    """Columns meet the second item's status before the last one's id, and the last one's id before both."""
    items: list[Any] = [{"id": 1}, {"id": 2, "status": "done"}, {"id": "x"}, {"id": 3, "status": {}}]
    assert by_columns(Import, items)[0] == "$.payload[1].status"


def test_the_models_of_a_page_share_nothing_that_can_be_changed() -> None:
    """Equal texts are read once for a page, but not those that become an object."""
    jobs = structure_many(Import, [{"id": number, "fields": '{"a": 1}'} for number in range(8)], operation="x")
    assert len({id(job.fields) for job in jobs}) == 8
    people = structure_many(Subscriber, [{"email": f"{number}@b.c"} for number in range(8)], operation="x")
    assert len({id(each.data) for each in people} | {id(each.extra) for each in people}) == 16


def test_a_field_that_the_vendor_invents_is_found_in_a_page() -> None:
    """It is no field of the list, in whichever of the contacts it comes."""
    page = [{"id": "a", "city": "x"}, {"id": "b", "ocx_new": 1, "city": "y"}, {"id": "c", "ocx_b": 2, "ocx_a": 3}]
    examine(Contact, page)
    assert [model.extra for model in structure_many(Contact, page, operation="x")] == [
        {},
        {"ocx_new": 1},
        {"ocx_a": 3, "ocx_b": 2},
    ]


def test_a_hundred_go_by_columns_and_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, the comparisons above could compare one way with itself."""
    lengths: list[int] = []
    read_columns = _reading._read_columns

    def spied(plan: Any, items: list[Any]) -> list[Any]:
        lengths.append(len(items))
        return read_columns(plan, items)

    monkeypatch.setattr(_reading, "_read_columns", spied)
    monkeypatch.setattr(_reading, "_COLUMNS_FROM", AS_IT_IS)
    for length in (1, 100):
        structure_many(Import, [{"id": 1}] * length, operation="x")
    assert lengths == [100]
