"""The nine contact endpoints."""

import pytest

JOHN = {"email": "john@doe.com", "overwrite": True, "fields": {"name": "John Doe", "country": "Chile"}}


def create(client, body):
    return client.post("/api/v2/contacts/", json=body).json()["payload"]


def look(client, email="john@doe.com"):
    return client.get(f"/api/contacts/by_email/{email}").json()["payload"]


def test_the_vendors_example_creates_a_contact(client):
    result = create(client, JOHN)
    contact_id = result["created_emails"]["john@doe.com"]
    assert len(contact_id) == 24
    assert result == {
        "rows": 1, "success": 1, "failed": 0,
        "created": 1, "created_emails": {"john@doe.com": contact_id},
        "updated": 0, "updated_emails": [],
        "revived": 0, "revived_emails": [],
        "success_emails": {"john@doe.com": contact_id},
        "failed_emails": [],
    }  # fmt: skip
    by_id = client.get(f"/api/contacts/by_id/{contact_id}").json()["payload"]
    assert by_id == look(client, "john%40doe.com")
    assert (by_id["name"], by_id["country"], by_id["ocx_status"]) == ("John Doe", "Chile", "Active")
    assert by_id["ocx_import_id"] is None


def test_a_flat_contact_has_its_values_beside_the_email(client):
    create(client, {"email": "john@doe.com", "name": "John", "product_id": "123456"})
    assert (look(client)["name"], look(client)["product_id"]) == ("John", 123456)


def test_an_existing_contact_fails_without_overwrite_and_changes_nothing(client):
    create(client, JOHN)
    result = create(client, {"email": "JOHN@doe.com", "fields": {"name": "Other"}})
    assert (result["failed"], list(result["failed_emails"])) == (1, ["JOHN@doe.com"])
    assert look(client)["name"] == "John Doe"


def test_overwrite_updates_what_exists(client):
    create(client, JOHN)
    result = create(client, [{**JOHN, "fields": {"name": "Jack"}}, {"email": "new@doe.com"}])
    assert (result["rows"], result["updated"], result["created"]) == (2, 1, 1)
    assert (look(client)["name"], look(client)["country"]) == ("Jack", "Chile")


def test_overwrite_needs_fields(client):
    assert client.post("/api/v2/contacts", json={"email": "a@b.de", "overwrite": True}).status_code == 412


@pytest.mark.parametrize("fields", [{}, []])
def test_empty_fields_may_be_an_object_or_phps_array(client, fields):
    assert create(client, {"email": "a@b.de", "overwrite": True, "fields": fields})["created"] == 1


def test_an_address_twice_in_a_batch_exists_the_second_time(client):
    result = create(client, [{"email": "a@b.de"}, {"email": "A@b.de"}])
    assert (result["created"], result["failed"]) == (1, 1)


def test_a_list_id_in_the_body_is_refused(client):
    assert client.post("/api/v2/contacts", json={"email": "a@b.de", "list_id": 60299}).status_code == 412


@pytest.mark.parametrize("body", [[], "text", 5])
def test_a_body_that_is_no_row_is_a_bad_request(client, body):
    assert client.post("/api/v2/contacts", json=body).status_code == 400


def test_a_batch_over_the_cap_is_refused_whole(emulator, client):
    rows = [{"email": f"user{number}@doe.com"} for number in range(501)]
    assert client.post("/api/v2/contacts", json=rows).status_code == 412
    assert len(emulator.state.default_list.contacts) == 0
    assert create(client, rows[:500])["created"] == 500


@pytest.fixture
def strict_list(emulator):
    mailing_list = emulator.state.default_list
    emulator.state.add_field(mailing_list, {"name": "birthday", "type": "date", "format": "yyyy-mm-dd hh24:mi"})
    emulator.state.add_field(mailing_list, {"name": "code", "type": "string", "mandatory": True})
    return mailing_list


@pytest.mark.parametrize(
    "fields",
    [{"product_id": "many"}, {"birthday": "24.12.1990"}, {"code": ""}, {"name": {"first": "John"}}],
)
def test_an_invalid_row_fails_alone_in_a_batch(client, strict_list, fields):
    rows = [
        {"email": "bad@doe.com", "fields": {"code": "x", **fields}},
        {"email": "good@doe.com", "fields": {"code": "x", "birthday": "1990-12-24 18:30", "product_id": 1.5}},
    ]
    result = create(client, rows)
    assert (result["created"], list(result["failed_emails"])) == (1, ["bad@doe.com"])


def test_an_invalid_row_may_fail_the_whole_batch(emulator, client):
    emulator.readings.invalid_row = "batch"
    answer = client.post("/api/v2/contacts", json=[{"email": "good@doe.com"}, {"email": "bad"}])
    assert (answer.status_code, list(answer.json()["payload"]["errors"])) == (412, ["1"])
    assert len(emulator.state.default_list.contacts) == 0


def test_a_single_invalid_contact_is_refused(client):
    answer = client.post("/api/v2/contacts", json={"email": "nobody"})
    assert answer.status_code == 412
    assert "valid Email address" in str(answer.json()["payload"]["errors"])


def test_a_default_stands_in_for_a_mandatory_value(emulator, client):
    emulator.state.add_field(
        emulator.state.default_list, {"name": "plan", "type": "string", "mandatory": True, "default": "free"}
    )
    create(client, {"email": "john@doe.com"})
    assert look(client)["plan"] == "free"


@pytest.mark.parametrize(("reading", "status"), [("ignored", 200), ("invalid", 412)])
def test_unknown_fields_are_read_both_ways(emulator, client, reading, status):
    emulator.readings.unknown_fields = reading
    assert client.post("/api/v2/contacts", json={"email": "a@b.de", "shoe": 42}).status_code == status


@pytest.mark.parametrize(("reading", "shown"), [("list", ["a@b.de"]), ("empty", [])])
def test_failed_emails_are_read_three_ways(emulator, client, reading, shown):
    emulator.readings.failed_emails = reading
    create(client, {"email": "a@b.de"})
    assert create(client, {"email": "a@b.de"})["failed_emails"] == shown


def test_results_may_be_keyed_by_the_stored_address(emulator, client):
    emulator.readings.result_keys = "stored"
    assert list(create(client, {"email": "JOHN@Doe.com"})["created_emails"]) == ["john@doe.com"]


def test_add_by_get_takes_its_fields_from_the_query(client):
    answer = client.get("/api/contacts/add?email=john@doe.com&name=John%20Doe&country=Chile").json()
    assert answer["payload"]["created"] == 1
    assert look(client)["name"] == "John Doe"


def test_update_changes_by_email_or_id_and_never_adds(client):
    contact_id = create(client, JOHN)["created_emails"]["john@doe.com"]
    rows = [
        {"id": contact_id, "fields": {"name": "By id"}},
        {"email": "john@doe.com", "overwrite": True, "fields": {"country": "Peru"}},
        {"email": "nobody@doe.com", "fields": {}},
        {"id": "5aae312578464ae01f8b4567", "fields": {}},
    ]
    result = client.put("/api/v2/contacts", json=rows).json()["payload"]
    assert (result["updated"], result["created"], result["failed"]) == (2, 0, 2)
    assert (look(client)["name"], look(client)["country"]) == ("By id", "Peru")


@pytest.mark.parametrize(
    ("change_to", "status", "date"),
    [
        ("unsubscribe", "Unsubscribed", "ocx_unsubscribe_date"),
        ("bounce", "Bounced", "ocx_bounce_date"),
        ("complaint", "Complaint", "ocx_complaint_date"),
        ("soft_bounce", "Active", "ocx_bounce_date"),
        ("resubscribe", "Active", "ocx_resubscribe_date"),
    ],
)
def test_statuses_change_only_by_change_status(client, change_to, status, date):
    create(client, JOHN)
    body = {"list_id": 60299, "change_to": change_to, "emails": ["john@doe.com", "none@doe.com"]}
    result = client.post("/api/v2/contacts/change_status", json=body).json()["payload"]
    assert (result["rows"], result["success"], result["failed"]) == (2, 1, 1)
    create(client, JOHN)
    client.put("/api/v2/contacts", json=JOHN)
    assert look(client)["ocx_status"] == status
    assert look(client)[date] > 1_500_000_000


def test_remove_deletes_for_good(emulator, client):
    old = create(client, JOHN)["created_emails"]["john@doe.com"]
    body = {"change_to": "remove", "emails": ["john@doe.com"]}
    assert client.post("/api/v2/contacts/change_status", json=body).json()["payload"]["success"] == 1
    assert client.get(f"/api/contacts/by_id/{old}").status_code == 404
    assert create(client, JOHN)["created_emails"]["john@doe.com"] != old


@pytest.mark.parametrize("body", [{"change_to": "sleep", "emails": ["a@b.de"]}, {"change_to": "remove"}, {}])
def test_a_change_of_status_that_makes_no_sense_is_refused(client, body):
    assert client.post("/api/v2/contacts/change_status", json=body).status_code == 412


def test_delete_is_soft_and_creating_again_revives(client):
    contact_id = create(client, JOHN)["created_emails"]["john@doe.com"]
    assert client.post("/api/contacts/delete", json={"contact_id": contact_id}).json()["payload"]["success"] == 1
    gone = client.get("/api/contacts/by_email/john@doe.com")
    assert (gone.status_code, gone.json()["payload"]["message"]) == (404, "Unauthorized / Email not found")
    result = create(client, JOHN)
    assert result["revived_emails"] == {"john@doe.com": contact_id}


def test_resubscribe_revives_what_was_deleted(client):
    contact_id = create(client, JOHN)["created_emails"]["john@doe.com"]
    client.post("/api/contacts/delete", json={"contact_ids": [contact_id]})
    body = {"change_to": "resubscribe", "emails": ["john@doe.com"]}
    assert client.post("/api/v2/contacts/change_status", json=body).json()["payload"]["revived"] == 1


def test_delete_needs_ids(client):
    answer = client.post("/api/contacts/delete", json={})
    assert (answer.status_code, answer.json()["payload"]["message"]) == (400, "Missing contact ID(s)")
    assert client.post("/api/contacts/delete", json={"contact_id": "0" * 24}).status_code == 412


def test_an_unknown_contact_id_is_404_with_the_vendors_words(client):
    answer = client.get("/api/contacts/by_id/zz")
    assert (answer.status_code, answer.json()["payload"]["message"]) == (404, "Unauthorized / Contact not found")


def test_change_email_keeps_the_contact(client):
    contact_id = create(client, JOHN)["created_emails"]["john@doe.com"]
    body = {"email": "john@doe.com", "new_email": "john@doe.org"}
    answer = client.put("/api/contacts/change_email", json=body).json()["payload"]
    assert answer == {"success_emails": {"john@doe.com": contact_id}}
    assert look(client, "john@doe.org")["name"] == "John Doe"


@pytest.mark.parametrize(
    "body",
    [
        {"email": "john@doe.com"},
        {"email": "john@doe.com", "new_email": "x"},
        {"email": "john@doe.com", "new_email": "taken@doe.com"},
        {"email": "nobody@doe.com", "new_email": "a@b.de"},
    ],
)
def test_change_email_refuses_what_it_can_not_do(client, body):
    create(client, [JOHN, {"email": "taken@doe.com"}])
    assert client.put("/api/contacts/change_email", json=body).status_code == 412


def test_cross_account_looks_into_every_list(emulator, client):
    other = emulator.state.add_list("other")
    emulator.state.default_list.add_contact("john@doe.com", name="John")
    other.add_contact("john@doe.com", name="Johnny")
    found = client.get("/api/contacts/cross_account?email=john@doe.com&behavior=1").json()["payload"]
    assert [(each["list_id"], each["name"], each["opens"]) for each in found] == [
        (60299, "John", 0),
        (other.id, "Johnny", 0),
    ]
    emulator.readings.cross_account = "object"
    assert set(client.get("/api/contacts/cross_account?email=john@doe.com").json()["payload"]) == {
        "60299",
        str(other.id),
    }
    assert client.get("/api/contacts/cross_account?email=nobody@doe.com").json()["payload"] == []
    assert client.get("/api/contacts/cross_account").status_code == 412


@pytest.mark.anyio
async def test_the_same_address_changes_again_only_after_fifteen_minutes(inside):
    import anyio

    inside.state.default_list.add_contact("a@b.de")
    async with inside.http_client() as client:

        async def change(old, new):
            answer = await client.put("/api/contacts/change_email", json={"email": old, "new_email": new})
            return answer.status_code

        assert await change("a@b.de", "b@b.de") == 200
        await anyio.sleep(899)
        assert await change("b@b.de", "c@b.de") == 412
        await anyio.sleep(1)
        assert await change("b@b.de", "c@b.de") == 200


def test_a_hashed_suppression_list_takes_digests(emulator, client):
    hashed = emulator.state.add_list("hashes", type="suppression", hash_type="md5")
    digest = "D41D8CD98F00B204E9800998ECF8427E"
    assert client.post(f"/{hashed.id}/api/v2/contacts", json={"email": digest}).json()["payload"]["created"] == 1
    assert client.post(f"/{hashed.id}/api/v2/contacts", json={"email": "a@b.de"}).status_code == 412
