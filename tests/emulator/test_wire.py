"""Who may call, where, on which list, and what errors look like."""

import httpx
import pytest

from ongage_async.emulator import Credentials, Emulator


def test_the_three_headers_are_known_in_any_case(emulator):
    lower = {name.lower(): value for name, value in emulator.credentials.headers().items()}
    assert httpx.get(f"{emulator.url}/api/lists", headers=lower).status_code == 200


def test_a_wrong_password_is_refused_within_the_envelope(emulator):
    wrong = Credentials(password="wrong").headers()
    answer = httpx.get(f"{emulator.url}/api/lists", headers=wrong)
    assert answer.status_code == 401
    assert answer.json() == {
        "metadata": {"error": True},
        "payload": {"code": 401, "errors": [], "message": "Unauthorized"},
    }


def test_a_wrong_api_key_is_refused_without_an_envelope(emulator):
    answer = httpx.get(f"{emulator.url}/api/lists", headers={"x-api-key": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})


def test_the_api_key_alone_is_enough(emulator):
    assert httpx.get(f"{emulator.url}/api/lists", headers={"x-api-key": emulator.api_key}).status_code == 200


def test_without_api_access_everything_is_forbidden(emulator, client):
    emulator.api_enabled = False
    answer = client.get("/api/lists")
    assert answer.status_code == 403
    assert answer.json()["payload"]["code"] == 403


def test_credentials_hide_the_password_when_printed():
    emulator = Emulator()
    assert emulator.credentials.password not in repr(emulator)
    assert emulator.api_key not in repr(emulator)


@pytest.mark.parametrize("path", ["/api/lists", "/api/lists/", "/60299/api/lists", "/60299/api/lists/"])
def test_both_url_shapes_work_with_and_without_a_slash(client, path):
    assert client.get(path).json()["metadata"] == {"error": False, "total": 1}


def test_an_unknown_path_is_404_in_the_http_envelope(client):
    answer = client.get("/api/by_id/1")
    assert answer.status_code == 404
    assert answer.json()["metadata"] == {"error": True, "type": "http"}
    assert answer.json()["links"] == []
    assert answer.json()["payload"]["code"] == 404


def test_invalid_json_is_a_bad_request(client):
    answer = client.post("/api/v2/contacts", content=b'{"email": ')
    assert (answer.status_code, answer.json()["payload"]["code"]) == (400, 400)


def test_errors_may_come_with_status_200(emulator, client):
    emulator.readings.error_status_200 = True
    answer = client.get("/api/lists/1")
    assert answer.status_code == 200
    assert answer.json()["metadata"]["error"] is True
    assert answer.json()["payload"]["code"] == 404


@pytest.fixture
def three_lists(emulator):
    for number in (1111, 2222, 3333):
        emulator.state.add_list(f"list {number}", list_id=number)


def field_list(client, method, url, **options):
    body = {"name": "fresh", "title": "Fresh", "type": "string", "position": 9, **options}
    return client.request(method, url, json=body).json()["payload"]["list_id"]


def test_the_list_in_the_body_wins(client, three_lists):
    assert field_list(client, "POST", "/1111/api/list_fields?list_id=2222", list_id=3333) == 3333


def test_the_list_in_the_query_wins_over_the_route(client, three_lists):
    assert field_list(client, "POST", "/1111/api/list_fields?list_id=2222") == 2222


def test_the_list_in_the_route_wins_over_the_default(client, three_lists):
    assert field_list(client, "POST", "/1111/api/list_fields") == 1111


def test_no_list_at_all_means_the_default_list(emulator, client):
    assert field_list(client, "POST", "/api/list_fields") == emulator.default_list_id


def test_a_list_that_is_not_there_is_404(client):
    answer = client.post("/999/api/v2/contacts", json={"email": "john@doe.com"})
    assert (answer.status_code, answer.json()["payload"]["message"]) == (404, "List not found")


def test_a_broken_handler_answers_500_general_error(emulator, client, caplog):
    emulator.state.lists[emulator.default_list_id].fields = None
    answer = client.get("/api/list_fields")
    assert (answer.status_code, answer.json()["payload"]["message"]) == (500, "General error")
    assert "list_fields.page failed" in caplog.text
