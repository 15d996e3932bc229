"""Lists and their fields."""

import pytest


def test_a_list_is_shown_with_real_types(client):
    shown = client.get("/api/lists/60299").json()["payload"]
    assert (shown["id"], shown["archive"], shown["deleted"]) == (60299, False, None)
    assert (shown["imports_concurrent_limit"], shown["hash_type"]) == (2, "")
    assert "default" not in shown


def test_a_collection_of_lists_says_which_is_the_default(client):
    assert client.get("/api/lists?type=sending").json()["payload"][0]["default"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"name": "suppression list test", "description": "", "type": "suppression"},
        {"name": "md5", "description": "", "type": "suppression", "hash_type": "md5", "expiration_date": ""},
        {"name": "level", "type": "suppression", "scope": "list", "suppress_in_lists": [60299], "expiration_date": ""},
    ],
)
def test_the_vendors_examples_of_suppression_lists_are_accepted(client, body):
    made = client.post("/api/lists", json=body).json()["payload"]
    assert (made["type"], made["name"]) == ("suppression", body["name"])
    found = client.get("/api/lists", params={"type": "suppression", "name": body["name"]}).json()
    assert found["metadata"]["total"] == 1


def test_the_vendors_example_of_a_sending_list_makes_its_fields(client):
    fields = [
        {"name": "email", "title": "email", "type": "email", "mandatory": True, "position": 0},
        {"name": "full_name", "title": "Full Name", "type": "string", "mandatory": False, "position": 1},
        {"name": "field3", "title": "field3", "type": "numeric", "mandatory": True, "position": 2},
    ]
    body = {"name": "my_list_name", "type": "sending", "description": "", "create_segment": True, "fields": fields}
    made = client.post("/api/lists", json=body).json()["payload"]
    shown = client.get(f"/{made['id']}/api/list_fields").json()
    assert [field["name"] for field in shown["payload"]] == ["email", "full_name", "field3"]
    assert shown["metadata"]["total"] == 3


def test_a_list_without_fields_takes_those_of_the_default_list(client):
    made = client.post("/api/lists", json={"name": "plain", "type": "sending"}).json()["payload"]
    names = [field["name"] for field in client.get(f"/api/list_fields?list_id={made['id']}").json()["payload"]]
    assert {"email", "first_name", "product_id"} <= set(names)


def test_a_list_needs_a_name_and_a_known_type(client):
    refused = client.post("/api/lists", json={"type": "sending"})
    assert (refused.status_code, list(refused.json()["payload"]["errors"])) == (412, ["name"])
    assert client.post("/api/lists", json={"name": "x", "type": "other"}).status_code == 412


def test_a_list_level_suppression_list_needs_its_lists(client):
    body = {"name": "level", "type": "suppression", "scope": "list"}
    assert client.post("/api/lists", json=body).status_code == 412


def test_frequencies_need_their_text(client):
    body = {"name": "x", "frequency_active": True}
    assert client.put("/api/lists/60299", json=body).status_code == 412
    body |= {"frequency_html": "<p>", "frequencies": [{"active": True, "title": "Weekly", "value": "Frequency1"}]}
    assert client.put("/api/lists/60299", json=body).json()["payload"]["frequency_active"] is True


def test_a_copy_has_the_fields_but_not_the_contacts(emulator, client):
    emulator.state.default_list.add_contact("john@doe.com")
    body = {"create": True, "name": "twin", "description": "", "type": "sending", "default": False}
    twin = client.post("/api/lists/60299/copy", json=body).json()["payload"]
    assert (twin["name"], twin["last_count"]) == ("twin", 0)
    assert client.get(f"/{twin['id']}/api/list_fields").json()["metadata"]["total"] == 12


def test_a_deleted_list_is_gone_but_can_be_asked_for(client):
    made = client.post("/api/lists", json={"name": "short", "type": "sending"}).json()["payload"]["id"]
    implied = client.get(f"/api/lists/{made}/delete_implications").json()["payload"]
    assert implied["contacts"] == 0
    assert client.delete(f"/api/lists/{made}").json() == {"metadata": {"error": False}, "payload": []}
    assert client.get(f"/api/lists/{made}").status_code == 404
    assert client.get("/api/lists?deleted=true").json()["payload"][0]["id"] == made


def test_the_default_list_can_not_be_deleted(client):
    assert client.delete("/api/lists/60299").json()["payload"] == {"message": "Dependency error", "code": 400}


def test_collections_have_50_rows_unless_asked_otherwise(emulator, client):
    for number in range(60):
        emulator.state.add_list(f"list {number:02}")
    answer = client.get("/api/lists").json()
    assert (len(answer["payload"]), answer["metadata"]["total"]) == (50, 61)
    query = {"name_like": "list ", "sort": "name", "order": "DESC", "offset": 1, "limit": 2}
    assert [each["name"] for each in client.get("/api/lists", params=query).json()["payload"]] == ["list 58", "list 57"]


BIRTHDAY = {"list_id": 60299, "name": "birthday", "title": "Birthday", "type": "date", "format": "yyyy-mm-dd",
            "default": "", "mandatory": True, "position": 4}  # fmt: skip


def test_the_vendors_example_of_a_field_is_accepted(client):
    made = client.post("/api/list_fields", json=BIRTHDAY).json()["payload"]
    assert (made["type"], made["format"], made["mandatory"]) == ("date", "yyyy-mm-dd", True)
    assert client.get(f"/api/list_fields/{made['id']}").json()["payload"] == made


@pytest.mark.parametrize("wrong", [{"format": "yy"}, {"type": "enum"}, {"name": ""}, {"position": None}])
def test_a_field_that_makes_no_sense_is_refused(client, wrong):
    assert client.post("/api/list_fields", json={**BIRTHDAY, **wrong}).status_code == 412


def test_a_field_in_all_lists_says_where_it_failed(emulator, client):
    other = emulator.state.add_list("other")
    emulator.state.add_field(other, {"name": "birthday", "type": "string"})
    payload = client.post("/api/list_fields/all_lists", json=BIRTHDAY).json()["payload"]
    assert [field["list_id"] for field in payload["success_list_fields"]] == [60299]
    assert list(payload["failed_lists_errors"]) == [str(other.id)]


def test_a_field_in_all_lists_that_fails_nowhere_shows_an_empty_array(client):
    payload = client.post("/api/list_fields/all_lists", json=BIRTHDAY).json()["payload"]
    assert payload["failed_lists_errors"] == []


def test_a_renamed_field_keeps_its_values(emulator, client):
    emulator.state.default_list.add_contact("john@doe.com", country="Chile")
    field = emulator.state.default_list.field("country")
    assert client.put(f"/api/list_fields/{field.id}", json={"name": "land"}).status_code == 200
    assert emulator.state.default_list.contact("john@doe.com")["land"] == "Chile"


def test_a_deleted_field_takes_its_values_along(emulator, client):
    emulator.state.default_list.add_contact("john@doe.com", country="Chile")
    field = emulator.state.default_list.field("country")
    assert client.delete(f"/api/list_fields/{field.id}").status_code == 200
    body = {"name": "country", "title": "Country", "type": "string", "position": 1}
    client.post("/api/list_fields", json=body)
    assert emulator.state.default_list.contact("john@doe.com")["country"] is None


def test_the_email_field_stays(emulator, client):
    field = emulator.state.default_list.field("email")
    assert client.put(f"/api/list_fields/{field.id}", json={"title": "Mail"}).status_code == 412
    assert client.delete(f"/api/list_fields/{field.id}").status_code == 412
