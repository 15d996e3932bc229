"""Models from the vendor's bodies: samples, sloppy types, unknown keys and values, and anything at all."""

import copy
import pickle
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import attrs
import pytest

from ongage_async.errors import DecodeError
from ongage_async.events import DriftSeen
from ongage_async.models import (
    Contact,
    ContactStatus,
    FieldType,
    HashType,
    Import,
    ImportStatus,
    ListField,
    ListFieldsReport,
    ListScope,
    ListType,
    MailingList,
    MutationResult,
    _converter,
)
from ongage_async.models._converter import structure, structure_many
from ongage_async.models.ownpage import Subscriber

MODELS = [Contact, MailingList, ListField, ListFieldsReport, Import, MutationResult]


def make(model_type: type[Any], payload: Any) -> tuple[Any, list[DriftSeen]]:
    drifts: list[DriftSeen] = []
    return structure(model_type, payload, operation="test.get", on_drift=drifts.append), drifts


# --- samples


def test_the_vendors_contact_becomes_a_contact(samples: ModuleType) -> None:
    contact, drifts = make(Contact, samples.CONTACT)
    assert (contact.email, contact.id) == ("test@gmail.com", "5aae312578464ae01f8b4567")
    assert contact.status is ContactStatus.ACTIVE
    assert contact.created == datetime(2018, 3, 18, 9, 28, 5, tzinfo=UTC)
    assert contact.unsubscribed is contact.import_id is None
    own = {k: v for k, v in samples.CONTACT.items() if k not in ("email", "id") and not k.startswith("ocx_")}
    assert contact.fields == own
    assert (contact.extra, drifts) == ({}, [])


def test_the_vendors_list_becomes_a_list_with_nothing_left_over(samples: ModuleType) -> None:
    mailing_list, drifts = make(MailingList, samples.LIST)
    assert len(samples.LIST) == 56
    assert (mailing_list.id, mailing_list.name, mailing_list.type) == (12345, "Another List", ListType.SENDING)
    assert mailing_list.hash_type is mailing_list.scope is mailing_list.expiration_date is mailing_list.deleted is None
    assert mailing_list.description == ""
    assert mailing_list.unsubscribe_default_link is True
    assert mailing_list.imports_concurrent_limit == 2
    assert mailing_list.created == datetime(2021, 4, 4, 13, 2, 48, tzinfo=UTC)
    assert (mailing_list.extra, drifts) == ({}, [])


def test_a_list_of_a_collection_has_fewer_settings_and_a_default_flag(samples: ModuleType) -> None:
    mailing_list, drifts = make(MailingList, samples.LIST_IN_COLLECTION)
    assert mailing_list.default is False
    assert mailing_list.scope is ListScope.CAMPAIGN
    assert mailing_list.imports_concurrent_limit is None
    assert (mailing_list.extra, drifts) == ({}, [])


def test_the_vendors_field_becomes_a_field(samples: ModuleType) -> None:
    field, drifts = make(ListField, samples.FIELD)
    assert (field.id, field.name, field.type, field.format) == (501, "birthday", FieldType.DATE, "yyyy-mm-dd")
    assert (field.mandatory, field.position, field.is_sms) == (True, 4, False)
    assert (field.extra, drifts) == ({}, [])


def test_a_field_in_all_lists_reports_both_sides(samples: ModuleType) -> None:
    payload = {"success_list_fields": [samples.FIELD], "failed_lists_errors": {"7": "exists"}}
    report, drifts = make(ListFieldsReport, payload)
    assert [field.id for field in report.success_list_fields] == [501]
    assert (report.failed_lists_errors, drifts) == ({"7": "exists"}, [])


def test_an_import_of_a_single_answer_becomes_an_import(samples: ModuleType) -> None:
    job, drifts = make(Import, samples.IMPORT)
    assert (job.id, job.account_id, job.status, job.total, job.success, job.duplicate) == (
        83513,
        60306,
        40003,
        10,
        8,
        2,
    )
    assert job.status is ImportStatus.COMPLETED
    assert (job.is_final, job.is_completed, job.is_failed, job.progress_pct) == (True, True, False, 100)
    assert (job.send_email_notification, job.deleted) == (False, None)
    assert (job.extra, drifts) == ({}, [])


def test_an_import_of_a_collection_becomes_the_same_kind_of_import(samples: ModuleType) -> None:
    job, drifts = make(Import, samples.IMPORT_IN_COLLECTION)
    assert (job.id, job.list_id, job.status) == (83514, 60299, ImportStatus.PROCESSING)
    assert (job.is_final, job.progress_pct, job.ignore_empty, job.is_override) == (False, 46, True, False)
    assert job.fields == {"email": {"name": "email", "type": "email"}}
    assert (job.import_process_start_time is not None, job.import_process_end_time) == (True, None)
    assert (job.remaining, job.can_be_aborted) == ("", True)
    assert (job.extra, drifts) == ({}, [])


# --- sloppy types


def as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int) else value


@pytest.mark.parametrize("name", ["LIST", "LIST_IN_COLLECTION", "FIELD", "IMPORT", "IMPORT_IN_COLLECTION"])
def test_numbers_and_flags_as_text_make_the_same_model(samples: ModuleType, name: str) -> None:
    sample = getattr(samples, name)
    model_type = MailingList if "LIST" in name[:4] else ListField if name == "FIELD" else Import
    assert make(model_type, {k: as_text(v) for k, v in sample.items()}) == make(model_type, sample)


@pytest.mark.parametrize("value", [1, "1", True, "true", "TRUE", 1.0, " 1 "])
def test_a_flag_is_read_in_all_its_forms(value: Any) -> None:
    assert make(MailingList, {"id": 1, "archive": value})[0].archive is True


@pytest.mark.parametrize("value", [0, "0", False, "false", "False", 0.0])
def test_a_flag_that_is_down_is_read_in_all_its_forms(value: Any) -> None:
    assert make(MailingList, {"id": 1, "archive": value})[0].archive is False


@pytest.mark.parametrize("value", [7, "7", 7.0, "7.0", " 7 "])
def test_a_number_is_read_in_all_its_forms(value: Any) -> None:
    model = make(MailingList, {"id": value})[0]
    assert (model.id, type(model.id)) == (7, int)


@pytest.mark.parametrize("value", [0, "0", "", None, False, [], "0.0"])
def test_never_is_written_in_many_ways(value: Any) -> None:
    model, drifts = make(MailingList, {"id": 1, "deleted": value})
    assert (model.deleted, drifts) == (None, [])


@pytest.mark.parametrize(
    "value", [1617541368, "1617541368", 1617541368.0, "2021-04-04T13:02:48Z", "2021-04-04 13:02:48"]
)
def test_a_time_is_aware_and_in_utc(value: Any) -> None:
    assert make(MailingList, {"id": 1, "created": value})[0].created == datetime(2021, 4, 4, 13, 2, 48, tzinfo=UTC)


@pytest.mark.parametrize("model_type", [MailingList, ListField, Import, MutationResult])
def test_everything_optional_may_be_null_or_missing(model_type: type[Any]) -> None:
    names = [a.name for a in attrs.fields(model_type) if a.name not in ("id", "extra")]
    identity = {} if model_type is MutationResult else {"id": 1}
    assert make(model_type, {**identity, **dict.fromkeys(names)}) == make(model_type, identity)


@pytest.mark.parametrize("model_type", [ListFieldsReport, MutationResult])
def test_an_empty_object_comes_as_an_array(model_type: type[Any]) -> None:
    assert make(model_type, []) == make(model_type, {})


def test_a_flag_where_text_is_expected_is_written_out() -> None:
    assert make(MailingList, {"id": 1, "name": True})[0].name == "true"
    assert make(MailingList, {"id": 1, "name": 12.5})[0].name == "12.5"


@pytest.mark.parametrize("value", ["inf", "nan", "1_0", 10**400])
def test_a_number_must_be_finite(value: Any) -> None:
    job, _ = make(Import, {"id": 1, "progress": value})
    assert (job.progress, job.extra) == (None, {"progress": value})


@pytest.mark.parametrize("value", ["[" * 100_000, '"[]"', "[1]", "7", "{"])
def test_text_that_holds_no_object_is_kept_as_it_is(value: str) -> None:
    job, drifts = make(Import, {"id": 1, "fields": value})
    assert (job.fields, job.extra) == (None, {"fields": value})
    assert drifts == [DriftSeen("Import", "fields", "value")]


def test_the_fields_of_an_import_may_be_an_object_an_empty_array_or_json_in_text() -> None:
    assert make(Import, {"id": 1, "fields": {"email": 1}})[0].fields == {"email": 1}
    assert make(Import, {"id": 1, "fields": []})[0].fields == {}
    assert make(Import, {"id": 1, "fields": "[]"})[0].fields == {}
    assert make(Import, {"id": 1, "fields": ""})[0].fields is None


@pytest.mark.parametrize("kind", _converter._OFTEN)
def test_what_is_looked_up_is_what_would_be_read(kind: Any) -> None:
    """The table of frequent texts is a short way to the reader's answer, never another answer."""
    for text, value in _converter._OFTEN[kind].items():
        told = _converter._reader(kind)(text)
        assert (told, type(told)) == (value, type(value))


def test_a_model_from_json_is_the_model_that_a_caller_would_make(samples: ModuleType) -> None:
    """Reading fills models without their `__init__`; it must leave nothing out, and nothing that is shared."""
    read, _ = make(Contact, {"email": "a@b.c", "ocx_created_date": "0", "name": "x", "ocx_new": 1})
    made = Contact(email="a@b.c", fields={"name": "x"}, extra={"ocx_new": 1})
    assert (read, repr(read), vars(read).keys()) == (made, repr(made), vars(made).keys())
    assert make(MailingList, {"id": 1})[0] == MailingList(id=1)
    assert attrs.evolve(make(MailingList, samples.LIST)[0], name="x").name == "x"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read.email = "c@b.a"


def test_two_models_share_no_object(samples: ModuleType) -> None:
    """What stands for "nothing" is made anew for each, for somebody may write into it."""
    one, two = structure_many(Subscriber, [{"email": "a@b.c"}, {"email": "b@b.c"}], operation="x")
    assert one.data is not two.data
    assert one.extra is not two.extra
    contact = make(Contact, samples.CONTACT)[0]
    assert contact.fields is not make(Contact, samples.CONTACT)[0].fields


# --- unknown keys and values


def test_an_unknown_key_is_kept_and_told() -> None:
    model, drifts = make(MailingList, {"id": 1, "colour": "blue", "extra": 5})
    assert model.extra == {"colour": "blue", "extra": 5}
    assert drifts == [DriftSeen("MailingList", "colour", "field"), DriftSeen("MailingList", "extra", "field")]


def test_an_unknown_key_of_a_contact_is_a_field_of_its_list_unless_it_is_the_vendors() -> None:
    contact, drifts = make(Contact, {"id": "a", "fields": "x", "status": "y", "extra": "z", "ocx_new": 1})
    assert contact.fields == {"fields": "x", "status": "y", "extra": "z"}
    assert contact.extra == {"ocx_new": 1}
    assert drifts == [DriftSeen("Contact", "ocx_new", "field")]


def test_an_unknown_value_of_an_enumeration_is_kept_and_told() -> None:
    job, drifts = make(Import, {"id": 1, "status": "40099"})
    assert job.status == 40099
    assert job.status.is_known is False
    assert (job.is_final, job.is_failed) == (False, False)
    assert drifts == [DriftSeen("Import", "status", "value")]


@pytest.mark.parametrize("status", [90000, 90001, "90008", 91234, 10**9])
def test_every_status_from_90000_is_a_failure(status: Any) -> None:
    job, _ = make(Import, {"id": 1, "status": status})
    assert (job.is_final, job.is_failed, job.is_completed) == (True, True, False)


@pytest.mark.parametrize("status", [40001, 40010, 40002, 40004, 89999, 0, None])
def test_no_other_status_but_completed_is_an_end(status: Any) -> None:
    job, _ = make(Import, {"id": 1, "status": status})
    assert (job.is_final, job.is_failed, job.is_completed) == (False, False, False)


@pytest.mark.parametrize(
    "payload",
    [
        {"last_count": "1_0"},
        {"created": True},
        {"preprocess_minutes": "inf"},
        {"created": "inf"},
        {"last_count": "many"},
        {"last_count": 1.5},
        {"archive": 7},
        {"created": 1e300},
        {"name": {"a": 1}},
        {"type": {}, "scope": [1]},
    ],
)
def test_a_value_that_cannot_be_read_is_kept_and_told(payload: dict[str, Any]) -> None:
    model, drifts = make(MailingList, {"id": 1, **payload})
    key = list(payload)[-1]
    assert getattr(model, key) is None
    assert model.extra[key] == payload[key]
    assert DriftSeen("MailingList", key, "value") in drifts


def test_drift_is_told_once_per_answer() -> None:
    drifts: list[DriftSeen] = []
    structure_many(MailingList, [{"id": n, "new": n} for n in range(50)], operation="x", on_drift=drifts.append)
    assert drifts == [DriftSeen("MailingList", "new", "field")]


def test_drift_inside_a_nested_model_is_told() -> None:
    _, drifts = make(ListFieldsReport, {"success_list_fields": [{"id": 1, "new": 2}]})
    assert drifts == [DriftSeen("ListField", "new", "field")]


def test_drift_shows_no_address_even_where_a_key_is_one() -> None:
    _, drifts = make(MailingList, {"id": 1, "john@doe.com": 1})
    assert "doe.com" not in repr(drifts)


# --- identity


@pytest.mark.parametrize("value", [{}, {"id": None}, {"id": ""}, {"id": "x"}, {"id": {"a": 1}}, {"id": 1.5}])
@pytest.mark.parametrize("model_type", [MailingList, ListField, Import])
def test_a_model_without_identity_is_refused_with_the_place(model_type: type[Any], value: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        make(model_type, value)
    assert (caught.value.path, caught.value.operation) == ("$.payload.id", "test.get")


def test_a_contact_needs_an_address_or_an_id() -> None:
    assert make(Contact, {"email": "a@b.c"})[0].id is None
    assert make(Contact, {"id": "5aae"})[0].email is None
    with pytest.raises(DecodeError):
        make(Contact, {"email": "", "name": "x"})


def test_an_import_whose_status_cannot_be_read_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        make(Import, {"id": 1, "status": "done@doe.com"})
    assert caught.value.path == "$.payload.status"
    assert "done" not in str(caught.value)


def test_the_place_in_a_collection_is_told() -> None:
    with pytest.raises(DecodeError) as caught:
        structure_many(MailingList, [{"id": 1}, {"id": 2}, {"id": 3}, {"name": "secret"}], operation="lists.page")
    assert caught.value.path == "$.payload[3].id"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("payload", [None, "x", 7, True, [1], [None]])
def test_what_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        make(MailingList, payload)
    assert caught.value.path == "$.payload"


# --- collections


def ids(payload: Any) -> list[int]:
    return [item.id for item in structure_many(Import, payload, operation="imports.page")]


def test_a_collection_is_an_array_one_object_or_a_numbered_object() -> None:
    assert ids([{"id": 1}, {"id": 2}]) == [1, 2]
    assert ids({"id": 1}) == [1]
    assert ids({"0": {"id": 1}, "2": {"id": 3}}) == [1, 3]
    assert ids([]) == ids({}) == ids(None) == []


def test_the_place_in_a_numbered_object_is_told() -> None:
    with pytest.raises(DecodeError) as caught:
        ids({"0": {"id": 1}, "7": {}})
    assert caught.value.path == "$.payload.7.id"


# --- logs and pickles


def test_a_contact_in_a_log_shows_neither_address_nor_values(samples: ModuleType) -> None:
    told = repr(make(Contact, {**samples.CONTACT, "ocx_secret": "hush"})[0])
    assert "5aae312578464ae01f8b4567" in told
    for private in ("test@", "gmail", "John", "5th", "hush"):
        assert private not in told


def test_a_list_and_an_import_in_a_log_show_nothing_private() -> None:
    told = repr(make(MailingList, {"id": 1, "notification_email": "a@doe.com", "public_key": "PK", "new": "hush"})[0])
    told += repr(make(Import, {"id": 1, "file_url": "https://s3/x?sig=abc", "new": "hush"})[0])
    for private in ("doe.com", "PK", "hush", "s3", "abc"):
        assert private not in told


def test_models_pickle_copy_and_hash(samples: ModuleType) -> None:
    for model_type, payload in (
        (Contact, {**samples.CONTACT, "ocx_status": "Odd"}),
        (Import, {"id": 1, "status": 40099}),
    ):
        model, _ = make(model_type, payload)
        assert pickle.loads(pickle.dumps(model)) == copy.deepcopy(model) == model
        assert hash(model) == hash(make(model_type, payload)[0])


def test_an_unknown_member_equals_hashes_and_pickles_like_its_value() -> None:
    status = ImportStatus(40099)
    assert (status, hash(status), f"{status:d}") == (40099, hash(40099), "40099")
    assert pickle.loads(pickle.dumps(status)) == status
    assert pickle.loads(pickle.dumps(ImportStatus.COMPLETED)) is ImportStatus.COMPLETED
    word = ContactStatus("Bounced")
    assert (word, str(word), word.is_known, ContactStatus("active")) == (
        "Bounced",
        "Bounced",
        False,
        ContactStatus.ACTIVE,
    )
    assert HashType("md5").is_known
    with pytest.raises(ValueError):
        ImportStatus("x")
    with pytest.raises(ValueError):
        ContactStatus(7)


# --- progress


@pytest.mark.parametrize(
    ("payload", "percent"),
    [
        ({}, None),
        ({"progress": "46"}, 46),
        ({"progress": "46.6"}, 47),
        ({"progress": 0}, 0),
        ({"progress": "250"}, 100),
        ({"progress": -1}, 0),
        ({"status_desc": "Processing (46%)"}, 46),
        ({"progress": "0", "status_desc": "Processing (46%)"}, 46),
        ({"progress": "46%", "status_desc": "Processing ( 47.5 % )"}, 47),
        ({"progress": "0", "status": "40003"}, 100),
        ({"progress": "30", "status": 90001}, 30),
    ],
)
def test_progress_is_told_by_number_or_description(payload: dict[str, Any], percent: int | None) -> None:
    assert make(Import, {"id": 1, **payload})[0].progress_pct == percent
