# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each API answers by TLS that the cloud's own authority has signed, and lets in only who has a token."""

from __future__ import annotations

import json

import pytest
from support import ask


@pytest.fixture(scope="module")
def apis(controller, state, looks):
    """Return how each public API answers."""
    bundle = next(iter(looks.values()))["part"]["cairn"]["identity"]["auth"]["cafile"]
    found = ask(controller, "cloud/scripts/apis.py", bundle, json.dumps(state["endpoints"]))
    assert found, "the catalog has no public endpoint"
    return found


@pytest.fixture
def secure_apis(apis, state):
    """Return the same where the cloud serves TLS."""
    if all(item["url"].startswith("http://") for item in state["endpoints"]):
        pytest.skip("not run: the cloud is set to go without TLS")
    return apis


def test_no_entry_without_a_token(apis):
    """Who sends no token is told so (401), by every API whose guarded path is known here."""
    assert {name: api["with our authority"] for name, api in apis.items() if api["known"]} == {
        name: 401 for name, api in apis.items() if api["known"]
    }


def test_no_entry_with_a_wrong_token(apis):
    """Nor is a made-up token let in."""
    known = {name: api["with a wrong token"] for name, api in apis.items() if api["known"]}
    assert known == dict.fromkeys(known, 401)


def test_every_api_answers(apis):
    """Also those of the user's own definitions respond without a server error."""
    answers = {name: api["with our authority"] for name, api in apis.items()}
    assert {name: code for name, code in answers.items() if not isinstance(code, int) or code >= 500} == {}


def test_tls_is_signed_by_our_authority(secure_apis):
    """A client that does not know the authority does not trust the API."""
    assert {name: api["without it"] for name, api in secure_apis.items()} == dict.fromkeys(secure_apis, "not trusted")


def test_no_api_without_tls(secure_apis):
    """Without TLS the public port gives nothing away."""
    answers = {name: api["without TLS"] for name, api in secure_apis.items()}
    assert {name: code for name, code in answers.items() if isinstance(code, int) and code < 400} == {}
