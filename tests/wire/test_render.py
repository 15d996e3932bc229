"""What a call looks like as bytes: the samples of the vendor's pages, the place of the list, and what cannot travel."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async._wire import render
from ongage_async.errors import InvalidInputError


def operation(route: str = "/api/import", list_in: ListIn = ListIn.ROUTE, method: str = "POST") -> Operation:
    return Operation("test.call", method, route, Repeat.SAFE, list_in=list_in)


def test_the_list_goes_into_the_route() -> None:
    request = render(operation(), body={"file_url": "https://a/b.csv"}, list_id=12)
    assert request.url_path == "/12/api/import"
    assert request.template == "/api/import"
    assert request.body == b'{"file_url":"https://a/b.csv"}'
    assert request.headers == {"content-type": "application/json"}


def test_the_list_goes_into_the_body_where_that_is_its_place() -> None:
    request = render(operation(list_in=ListIn.BODY), body={"emails": []}, list_id=12)
    assert json.loads(request.body or b"") == {"list_id": 12, "emails": []}
    assert request.url_path == "/api/import"


def test_a_list_that_the_caller_put_into_the_body_stays() -> None:
    request = render(operation(list_in=ListIn.BODY), body={"list_id": 3}, list_id=12)
    assert json.loads(request.body or b"") == {"list_id": 3}


def test_the_list_goes_into_the_query_where_that_is_its_place() -> None:
    assert render(operation(list_in=ListIn.QUERY), list_id=12).url_path == "/api/import?list_id=12"


def test_the_list_is_not_sent_where_it_has_no_place_or_is_not_known() -> None:
    assert render(operation(list_in=ListIn.NOWHERE), list_id=12).url_path == "/api/import"
    for place in ListIn:
        request = render(operation(list_in=place), body={"a": 1})
        assert (request.url_path, request.body) == ("/api/import", b'{"a":1}')


def test_a_route_that_names_its_list_is_not_given_another() -> None:
    assert render(operation("/5/api/lists"), list_id=12).url_path == "/5/api/lists"


def test_a_list_cannot_go_into_an_array() -> None:
    with pytest.raises(InvalidInputError, match="must be an object"):
        render(operation(list_in=ListIn.BODY), body=[1], list_id=12)


@pytest.mark.parametrize(
    ("route", "travels"),
    [
        ("/api/my list/ü?name=ä b", "/api/my%20list/%C3%BC?name=%C3%A4%20b"),
        ("/api/a%20b/c+d;e=f?g=%2F&h[]=1", "/api/a%20b/c+d;e=f?g=%2F&h[]=1"),
        ("/api/lists#top", "/api/lists"),
        ("/api/lists\r\nx: y", "/api/lists%0D%0Ax:%20y"),
    ],
)
def test_a_route_of_the_callers_own_is_made_fit_for_the_first_line_of_a_request(route: str, travels: str) -> None:
    assert render(operation(route)).url_path == travels


def test_a_route_with_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="lone surrogate"):
        render(operation("/api/\ud800"))


def test_path_parameters_are_encoded_and_never_in_the_template() -> None:
    request = render(operation("/api/contacts/by_email/{email}"), path={"email": "jöhn+a/b@doe.com"}, list_id=1)
    assert request.url_path == "/1/api/contacts/by_email/j%C3%B6hn%2Ba%2Fb%40doe.com"
    assert request.template == "/api/contacts/by_email/{email}"
    assert "doe" not in repr(request)


@pytest.mark.parametrize("value", ["", "  ", ".", "..", "\ud800"])
def test_a_path_parameter_that_would_name_another_endpoint_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError, match="email"):
        render(operation("/api/contacts/by_email/{email}"), path={"email": value})


def test_a_missing_path_parameter_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="`email` is missing"):
        render(operation("/api/contacts/by_email/{email}"))


def test_a_query_leaves_none_out_and_writes_flags_in_lower_case() -> None:
    query = {"archive": False, "deleted": None, "name": "a b&c", "limit": 50, "x": True}
    assert (
        render(operation(method="GET"), query=query).url_path
        == "/api/import?archive=false&name=a%20b%26c&limit=50&x=true"
    )


def test_a_query_joins_one_that_the_route_has() -> None:
    request = render(operation("/api/lists?type=sending"), query={"limit": 1})
    assert request.url_path == "/api/lists?type=sending&limit=1"
    assert request.template == "/api/lists"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], {"a": 1}, b"x", "\udc00"])
def test_a_query_value_that_has_no_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError):
        render(operation(), query={"x": value})


def test_a_body_is_compact_utf8() -> None:
    assert render(operation(), body={"name": "José", "n": [1, 2]}).body == '{"name":"José","n":[1,2]}'.encode()


def test_a_call_without_a_body_has_no_content_type() -> None:
    request = render(operation(method="GET"))
    assert (request.body, request.headers) == (None, {})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "not a finite number"),
        (float("inf"), "not a finite number"),
        (object(), "a object"),
        ({1, 2}, "a set"),
        ("\ud800", "half a character"),
        (b"secret", "a bytes"),
    ],
)
def test_a_body_value_that_json_cannot_hold_is_refused_with_its_place_and_without_itself(value: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as caught:
        render(operation(), body=[{"fields": {"price": 1, "rate": [0, value]}}])
    assert "$[0].fields.rate[1]" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.operation == "test.call"


def test_a_body_that_holds_itself_is_refused() -> None:
    body: list[Any] = []
    body.append(body)
    with pytest.raises(InvalidInputError):
        render(operation(), body=body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values)
def test_any_json_value_travels_or_is_refused(body: Any) -> None:
    try:
        request = render(operation(), body=body)
    except InvalidInputError:
        return
    assert body is None or json.loads(request.body or b"") == body


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_in_path_and_query_travels_or_is_refused(parameter: str, value: str) -> None:
    try:
        request = render(operation("/api/x/{it}"), path={"it": parameter}, query={"q": value}, list_id=1)
    except InvalidInputError:
        return
    assert request.url_path.isascii()
    assert request.url_path.count("/") == 4
    assert request.url_path.count("?") == 1
    assert request.template == "/api/x/{it}"
