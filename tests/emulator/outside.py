"""Both emulators as a stranger meets them: over a socket, by their own documents, with things in them to find.

A generator that knows only the document would name objects that are not there in nearly every case. `acquaint` puts
numbers and words that mean something into nine places of ten.
"""

import functools
import zlib

import requests
import schemathesis
from hypothesis import strategies as st

from ongage_async.emulator import Emulator
from ongage_async.emulator.ownpage import OwnpageEmulator

ADDRESSES = ["ada@example.com", "bob@example.com", "eve@example.org", "zoë@example.net"]
DAY = "2026-11-22"
FILE = b"email,first_name\nada@example.com,Ada\nbob@example.com,Bob\nno address,x\n"

schemathesis.openapi.format("uri", st.sampled_from(["http://files.test/a.csv", "https://files.test/b.csv?x=1"]))
schemathesis.openapi.format("email", st.sampled_from(ADDRESSES) | st.emails())


async def serve_file(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": FILE})


class Stranger:
    """Serve one emulator, and know what is in it; a subclass for each vendor."""

    def __init__(self, emulator):
        self.emulator = emulator
        emulator.mount_fetch("all://", serve_file)  # nothing leaves this machine
        emulator.start()
        self.url = emulator.url.removesuffix("/v1")
        self.session = requests.Session()
        self.session.trust_env = False

    def close(self):
        self.session.close()
        self.emulator.stop()

    def post(self, path, body):
        answer = self.session.post(self.url + path, json=body)
        assert answer.status_code == 200, answer.text

    def furnish(self):
        """Make one of each thing that there is none of."""

    def candidates(self, path, name):
        """Return the values that mean something under a name."""
        return []

    def acquaint(self, case):
        self.furnish()
        for holder in (case.path_parameters, case.query):
            for name in holder or ():
                holder[name] = self.known(case.path, name, holder[name])
        case.body = self.known_within(case.path, "", case.body)

    def known(self, path, name, value):
        chance = zlib.crc32(repr(value).encode("utf-8", "replace"))
        found = self.candidates(path, name)
        return found[chance % len(found)] if found and chance % 10 else value

    def known_within(self, path, name, value):
        if isinstance(value, dict):
            return {key: self.known_within(path, key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.known_within(path, name, inner) for inner in value]
        return self.known(path, name, value) if isinstance(value, int | str) and not isinstance(value, bool) else value


class OngageStranger(Stranger):
    def __init__(self):
        super().__init__(Emulator(calls=None, parallel=None))
        self.session.headers.update(self.emulator.credentials.headers())
        self.emulator.imports.queued_s = self.emulator.imports.validating_s = self.emulator.imports.stats_s = 0.0
        self.emulator.state.audience.ready_s = 0.0
        self.emulator.state.messages.sending_s = 3600.0

    def furnish(self):
        state, messages = self.emulator.state, self.emulator.state.messages
        for address in ADDRESSES:
            if state.default_list.contact(address) is None:
                self.post("/api/v2/contacts", {"email": address, "overwrite": True, "fields": {"first_name": "A"}})
        if all(each.type == "sending" for each in state.live_lists()):
            self.post("/api/lists", {"name": "out", "type": "suppression"})
        for path, store, body in self.first_things():
            if not store:
                self.post(path, body)
        if not any(each["type"] == "folder" for each in messages.emails.values()):
            self.post("/api/emails", {"name": "folder", "type": "folder"})
        self.furnish_mailings(messages.mailings)
        messages.folders.setdefault(1, {"id": 1, "name": "pictures"})
        messages.credits = 1000

    def furnish_mailings(self, mailings):
        """Have two mailings that go out, two without a date, two that are held, and two that are cancelled."""
        for status, way in ((60003, ""), (60001, "unscheduled"), (60009, "abort"), (60006, "cancel")):
            if sum(each.status == status for each in mailings.values()) < 2:
                body = {"name": "m", "email_message": [next(iter(self.emulator.state.messages.emails))]}
                self.post("/api/mailings", body)
                number = next(reversed(mailings))
                if way == "unscheduled":
                    self.post(f"/api/mailings/{number}/duplicate", {})
                elif way:
                    self.session.put(f"{self.url}/api/mailings/{number}/{way}", json={"action": "hold"})

    def mailings_for(self, action):
        """Return the mailings that an action of the path may be done to, and one that it may not."""
        mailings = self.emulator.state.messages.mailings
        allowed = {"abort": (60003, 60009), "cancel": (60003,), "revive": (60006,)}.get(action, (60001,))
        return [*list(mailings)[:1], *(number for number, each in mailings.items() if each.status in allowed)]

    def segments(self, external="01"):
        known = self.emulator.state.audience.segments.items()
        return [key for key, each in known if each["deleted"] == "0" and each["is_external"] in external]

    def first_things(self):
        state, messages, audience = self.emulator.state, self.emulator.state.messages, self.emulator.state.audience
        rule = {"field_name": "email", "type": "email", "operator": "notempty", "operand": [""]}
        report = {"title": "all", "filters": {"criteria": [rule]}}
        segment = {"name": "all", "criteria": [rule], "is_external": True}
        export = {"name": "x", "date_format": "mm/dd/yyyy", "file_format": "csv", "status": ["active"]}
        event = {"name": "e", "segments": [1], "triggers": [{}], "status": True, "distribution": [{}]}
        yield "/api/import", state.imports, {"file_url": "http://files.test/a.csv"}
        yield "/api/segments", self.segments("1"), segment
        yield "/api/contact_counts", audience.counts, {"criteria": [rule]}
        yield "/api/export", audience.exports, {**export, "mailing_id": [1]}
        for name in ("contact_search", "contact_activity", "aggregate_activity"):
            yield f"/api/{name}", audience.family(name), report
        yield "/api/emails", messages.emails, {"name": "mail", "content_html": '<a href="https://example.com/">x</a>'}
        yield "/api/smses", messages.smses, {"name": "sms", "description": "x", "content_text": "y"}
        yield "/api/transactional", messages.campaigns, {"name": "t", "description": "x"}
        yield "/api/events", messages.events, event
        yield "/api/email_tag", messages.tags, {"title": "tag"}
        yield "/api/account_addresses", messages.addresses, {"email": ADDRESSES[0]}
        yield "/api/esp_connections", messages.connections, {"esp_id": 4}

    def candidates(self, path, name):
        if name == "id":
            name = path.removeprefix("/{list_id}").split("/")[2]
            if name == "mailings":
                return self.mailings_for(path.rpartition("/")[2])
            if path.endswith("populate_external"):
                return self.segments("1")
            if path.endswith("retrieve"):
                name = "export"
            if name == "contacts":
                return [contact.id for contact in self.emulator.state.default_list.contacts]
        return list(self.stores.get(name, tuple)()) or (["11/22/26"] if name in ("date_from", "date_to") else [])

    @functools.cached_property
    def stores(self):
        state, messages, audience = self.emulator.state, self.emulator.state.messages, self.emulator.state.audience
        return {
            **dict.fromkeys(("contact_id", "contact_ids"), lambda: [each.id for each in state.default_list.contacts]),
            **dict.fromkeys(
                ("lists", "list_id", "list_ids", "target_list_id", "target_list_ids"),
                lambda: [each.id for each in state.live_lists()],
            ),
            "list_fields": lambda: [own.id for own in state.default_list.fields],
            "email": lambda: ADDRESSES,
            "emails": lambda: ADDRESSES,
            "import": lambda: state.imports,
            "contact_counts": lambda: audience.counts,
            **dict.fromkeys(("segments", "segment_id"), self.segments),
            **{name: functools.partial(audience.family, name) for name in ("contact_search", "contact_activity")},
            "aggregate_activity": lambda: audience.family("aggregate_activity"),
            "export": lambda: audience.exports,
            **dict.fromkeys(("mailings", "mailing_id"), lambda: messages.mailings),
            **dict.fromkeys(("transactional", "campaign_id"), lambda: messages.campaigns),
            **dict.fromkeys(("email_message", "message_id", "email_message_id", "parent_id"), lambda: messages.emails),
            "email_tag": lambda: messages.tags,
            "events": lambda: messages.events,
            "esps": lambda: [4, 9],
            "account_addresses": lambda: messages.addresses,
            "folder_id": lambda: messages.folders,
            **dict.fromkeys(("esp_connections", "sending_connection_id"), lambda: messages.connections),
        }

    def known(self, path, name, value):
        if path.startswith("/api/emails/") and name == "id":
            name = "email_message"
        return super().known(path, name, value)


class OwnpageStranger(Stranger):
    def __init__(self):
        super().__init__(OwnpageEmulator())
        self.emulator.form_limits.per_address = self.emulator.form_limits.in_all = None
        self.emulator.files.queued_s = self.emulator.files.fetch_s = 0.0
        self.session.headers["X-Ownpage-Client-Token"] = self.emulator.tokens.grant()

    def furnish(self):
        state = self.emulator.state
        if not state.templates:
            state.add_template("first")
            for kind in ("nl_click", "nl_display", "nl_send", "nl_subscribe", "nl_unsubscribe", "nl_bounce"):
                state.add_events(kind, DAY, ("date", "email"), [(DAY, ADDRESSES[0])])
        if len(state.first_list.subscribers) < len(ADDRESSES):
            path = f"/v1/newsletters/lists/{state.first_list_id}/subscribers"
            self.post(path, [{"email": address, "guid": address[:3]} for address in ADDRESSES])
        if not state.exports:
            answer = self.session.get(f"{self.url}/v1/newsletters/stats/export?startDate={DAY}&endDate={DAY}")
            assert answer.status_code == 200

    def candidates(self, path, name):
        state, customer = self.emulator.state, self.emulator.customer
        token, (filename, _, _) = next(iter(state.exports.items()))
        return {
            "list_id": list(state.lists),
            "email_list_id": list(state.lists),
            "email": ADDRESSES,
            "day": [DAY],
            "guid": [address[:3] for address in ADDRESSES],
            "templateId": [1],
            "token": [token],
            "filename": [filename],
            "tracking_key": [customer.tracking_key],
            "form_key": [customer.form_key],
            "username": [customer.username],
            "password": [customer.api_key],
        }.get(name, [])


STRANGERS = {"ongage": OngageStranger, "ownpage": OwnpageStranger}
