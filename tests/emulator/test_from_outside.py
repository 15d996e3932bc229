"""The emulators examined from outside: by cases made from their own documents, and by bytes made from nothing.

Schemathesis knows the document alone: it makes requests that fit and requests that nearly do, and holds every answer
against what the document says of statuses, media types and bodies. A 500 is in the document for the families that
refuse with it, with their sentence; any other is a crash.
"""

import logging
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from .outside import STRANGERS

CHECKS = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
CASES_IN_ALL = 10_000
OTHER_SPELLING = "PUT /api/emails/{id}/favorite"  # there only under another reading


@pytest.fixture(params=list(STRANGERS))
def stranger(request):
    made = STRANGERS[request.param]()
    yield made
    made.close()


def operations(stranger):
    schema = schemathesis.openapi.from_dict(stranger.emulator.openapi())
    schema.config.generation.with_security_parameters = False  # the session has what opens the door
    return [found.ok() for found in schema.get_all_operations()]


def examine(stranger, operation, cases, number):
    """Send cases of one operation and hold the answers against the document; return the statuses."""
    seen = Counter()
    strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(strategies))
    def run(case):
        stranger.acquaint(case)
        answer = case.call(base_url=stranger.url, session=stranger.session)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    run()
    return seen


def test_a_few_cases_of_every_operation_are_answered_as_the_document_says(stranger, caplog):
    """No answer is undocumented, in a few hundred cases that take seconds."""
    seen = Counter()
    with caplog.at_level(logging.ERROR, "ongage_async.emulator"):
        for operation in operations(stranger):
            seen += examine(stranger, operation, cases=3, number=1)
    assert caplog.messages == []
    assert {200, 400} <= set(seen)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_ten_thousand_cases_find_no_crash_and_no_undocumented_status(caplog):
    """The two emulators take ten thousand cases; every operation succeeds at least once, so that its answer is seen."""
    seen, succeeded = Counter(), Counter()
    strangers = [made() for made in STRANGERS.values()]
    known = [(stranger, operation) for stranger in strangers for operation in operations(stranger)]
    number = 0
    try:
        while seen.total() < CASES_IN_ALL:
            number += 1
            for stranger, operation in known:
                found = examine(stranger, operation, cases=40, number=number)
                seen += found
                succeeded[operation.label] += found[200] + found[204]
    finally:
        for stranger in strangers:
            stranger.close()
    print(f"\n{seen.total()} cases of {len(known)} operations in {number} rounds: {dict(sorted(seen.items()))}")
    assert caplog.messages == []
    assert {label for label, count in succeeded.items() if not count} <= {OTHER_SPELLING}
