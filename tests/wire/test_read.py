"""What the vendor's bytes mean: every envelope of its pages, errors in the clothes of a success, and garbage."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async import errors
from ongage_async._operation import Answer, Operation, Repeat
from ongage_async._wire import excerpt, read, retry_after_s
from ongage_async.errors import APIError, DecodeError, OngageError, Outcome

GET = Operation("lists.get", "GET", "/api/lists/{list_id}", Repeat.SAFE)
DELETE = Operation("lists.delete", "DELETE", "/api/lists/{list_id}", Repeat.SAFE)


def reading(status: int, document: Any, headers: dict[str, str] | None = None, operation: Operation = GET) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read(operation, status, headers or {}, body)


def refused(status: int, document: Any, headers: dict[str, str] | None = None) -> APIError:
    with pytest.raises(APIError) as caught:
        reading(status, document, headers)
    return caught.value


# --- success


def test_one_object_comes_out_of_its_envelope() -> None:
    answer = reading(200, {"metadata": {"error": False}, "payload": {"id": 1}})
    assert (answer.payload, answer.metadata, answer.status) == ({"id": 1}, {"error": False}, 200)


def test_a_collection_keeps_its_total() -> None:
    answer = reading(201, {"metadata": {"error": False, "total": "917655"}, "payload": []})
    assert (answer.payload, answer.metadata["total"], answer.status) == ([], "917655", 201)


@pytest.mark.parametrize("document", [{"status": "Deliverable", "reason": "accepted_email"}, [1], "x", 7, None, {}])
def test_a_document_without_an_envelope_is_all_payload(document: Any) -> None:
    assert reading(200, document).payload == document


def test_an_envelope_may_lack_its_metadata() -> None:
    answer = reading(200, {"payload": {"id": 1112223334}})
    assert (answer.payload, answer.metadata) == ({"id": 1112223334}, {})


def test_empty_metadata_comes_as_an_array() -> None:
    assert reading(200, {"metadata": [], "payload": 1}).metadata == {}


def test_a_byte_order_mark_is_no_garbage() -> None:
    assert reading(200, b'\xef\xbb\xbf{"payload": 1}').payload == 1


def test_huge_numbers_stay_whole() -> None:
    assert reading(200, {"payload": 10**40}).payload == 10**40


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_an_answer_where_one_may_be_empty(body: bytes) -> None:
    assert reading(200, body, operation=DELETE).payload is None
    assert reading(204, body).payload is None


# --- refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (412, errors.ValidationError),
        (429, errors.RateLimitedError),
        (500, errors.ServerError),
        (503, errors.ServerError),
        (504, errors.ServerError),
        (599, errors.ServerError),
        (302, APIError),
        (402, APIError),
        (418, APIError),
        (100, APIError),
        (600, APIError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[APIError]) -> None:
    error = refused(status, {"metadata": {"error": True}, "payload": {"code": status, "errors": [], "message": "No"}})
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.operation) == (status, status, "No", "lists.get")


def test_the_vendors_429_is_understood() -> None:
    error = refused(
        429,
        {"metadata": {"error": True}, "payload": {"code": 429, "errors": [], "message": "Calls per minute exceeded"}},
    )
    assert isinstance(error, errors.RateLimitedError)
    assert (error.message, error.errors, error.retry_after_s) == ("Calls per minute exceeded", [], None)
    assert error.outcome is Outcome.REJECTED


def test_the_vendors_general_sample_is_understood() -> None:
    error = refused(
        400,
        {
            "metadata": {"error": True, "type": "http"},
            "links": [],
            "payload": {"message": "Please insert a valid Email address", "code": 400},
        },
    )
    assert (error.message, error.code) == ("Please insert a valid Email address", 400)


def test_the_bare_form_of_a_bad_key_is_understood_and_comes_with_advice() -> None:
    error = refused(401, {"message": "Invalid API key"})
    assert isinstance(error, errors.AuthenticationError)
    assert (error.message, error.code) == ("Invalid API key", None)
    assert "api.ongage.com" in error.__notes__[0]


def test_ownpages_form_is_understood() -> None:
    assert refused(400, {"status": 400, "cause": "Invalid request"}).message == "Invalid request"


@pytest.mark.parametrize("flag", [True, "true", 1, "1", "yes", {"a": 1}])
def test_an_error_with_status_200_is_an_error(flag: Any) -> None:
    error = refused(200, {"metadata": {"error": flag}, "payload": {"code": "404", "message": "Import not found"}})
    assert isinstance(error, errors.NotFoundError)
    assert (error.status, error.code) == (404, 404)


@pytest.mark.parametrize("flag", [False, "false", 0, "0", "", None, []])
def test_a_sloppy_no_is_no_error(flag: Any) -> None:
    assert reading(200, {"metadata": {"error": flag}, "payload": 1}).payload == 1


@pytest.mark.parametrize(
    "payload", [None, [], "Something broke", {"code": [], "message": None}, {"code": 200}, {"code": 700}, {"code": -1}]
)
def test_an_error_with_status_200_and_no_code_keeps_its_status(payload: Any) -> None:
    error = refused(200, {"metadata": {"error": True}, "payload": payload})
    assert (type(error), error.status) == (APIError, 200)
    assert error.message == (
        "Something broke" if isinstance(payload, str) else "the vendor gave no reason for HTTP 200"
    )


@pytest.mark.parametrize("details", [["bad email"], {"email": "is missing"}])
def test_details_may_be_an_array_or_an_object(details: Any) -> None:
    assert refused(412, {"metadata": {"error": True}, "payload": {"code": 412, "errors": details}}).errors == details


def test_the_status_of_http_is_stronger_than_the_code_of_the_payload() -> None:
    error = refused(404, {"metadata": {"error": True}, "payload": {"code": 500}})
    assert (type(error), error.status, error.code) == (errors.NotFoundError, 404, 500)


def test_a_message_may_stand_beside_an_empty_payload() -> None:
    assert (
        refused(403, {"metadata": {"error": True}, "payload": [], "message": "Permission error"}).message
        == "Permission error"
    )


def test_validation_with_status_500_is_a_server_error_all_the_same() -> None:
    error = refused(500, {"metadata": {"error": True}, "payload": {"code": 500, "message": "Validation error"}})
    assert isinstance(error, errors.ServerError)
    assert error.outcome is Outcome.UNKNOWN


def test_a_page_of_a_proxy_is_a_server_error_that_shows_nothing_of_it() -> None:
    error = refused(502, b"<html><h1>Bad gateway</h1> X_PASSWORD: hunter2 john@doe.com</html>")
    assert isinstance(error, errors.ServerError)
    assert error.message == "the vendor gave no reason for HTTP 502"
    assert "hunter2" not in f"{error!r}{error.__dict__}"


def test_addresses_and_queries_are_masked_in_message_and_details() -> None:
    document = {
        "message": "john@doe.com is bad, see https://a.b/c?token=s3cret",
        "errors": {"jane@doe.com": ["no j@d.e"]},
    }
    error = refused(412, {"payload": document})
    told = f"{error} {error.errors} {pickle.dumps(error)!r}"
    assert "doe.com" not in told
    assert "s3cret" not in told
    assert "j@d.e" not in told


def test_a_very_long_message_is_cut() -> None:
    assert len(refused(400, {"message": "x" * 10_000}).message) <= 500


def test_details_nested_deeper_than_masking_can_follow_still_give_the_error() -> None:
    deep = b'{"payload": {"message": "No", "errors": ' + b"[" * 600 + b"]" * 600 + b"}}"
    assert refused(412, deep).message == "No"


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    error = refused(429, {}, {"retry-after": value})
    assert isinstance(error, errors.RateLimitedError)
    assert error.retry_after_s == seconds


def test_retry_after_as_a_date_is_measured_from_the_answers_own_date() -> None:
    headers = {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "date": "Fri, 31 Dec 1999 23:58:59 GMT"}
    assert retry_after_s(headers) == 60.0
    assert retry_after_s({"retry-after": headers["retry-after"]}) is None
    assert retry_after_s({"retry-after": headers["date"], "date": headers["retry-after"]}) == 0.0


def test_a_503_may_carry_retry_after_too() -> None:
    error = refused(503, b"", {"retry-after": "7"})
    assert isinstance(error, errors.ServerError)
    assert error.retry_after_s == 7.0


# --- garbage


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"<html>", "no JSON"),
        (b'{"payload": {"id": 1', "no JSON"),
        (b'{"payload": NaN}', "no JSON"),
        (b"\xff\xfe{}", "no JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"1" * 10_000, "no JSON"),
    ],
)
def test_a_success_that_cannot_be_read_is_a_decode_error(body: bytes, word: str) -> None:
    with pytest.raises(DecodeError, match=word) as caught:
        reading(200, body)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.operation == "lists.get"


def test_a_garbled_success_of_a_delete_is_no_empty_one() -> None:
    with pytest.raises(DecodeError):
        reading(200, b"<html>", operation=DELETE)


def test_an_excerpt_is_masked_before_it_is_cut() -> None:
    body = b" " * 490 + b"a-rather-long-name@doe.com" + b" rest"
    assert len(excerpt(body)) <= 500
    assert "rather" not in excerpt(body)
    with pytest.raises(DecodeError) as caught:
        reading(200, body)
    assert "rather" not in caught.value.excerpt


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "payload", "error", "code", "message", "errors", "x"]), inner, max_size=5
        )
    ),
    max_leaves=15,
)
statuses = st.integers(0, 999)
headers = st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text())


def attempt(status: int, headers: dict[str, str], body: bytes) -> Answer | OngageError:
    try:
        return read(GET, status, headers, body)
    except OngageError as error:
        return error


@settings(deadline=None)
@given(statuses, headers, st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_an_answer_or_one_of_our_errors(status: int, headers: dict[str, str], body: bytes) -> None:
    outcome = attempt(status, headers, body)
    if isinstance(outcome, OngageError):
        assert outcome.operation == "lists.get"
        pickle.loads(pickle.dumps(outcome))
    else:
        assert 200 <= status < 300
        assert outcome.status == status
