# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connections to a cloud: how long they try, and what their errors say."""

from __future__ import annotations

import json

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable
from keystoneauth1.exceptions import ConnectTimeout
from openstack.exceptions import HttpException, NotSupported

SERVICES = ("identity", "compute", "block-storage", "image", "network")
AUTH = {"auth_url": "http://127.0.0.1:1/v3", "username": "admin", "password": "p", "project_name": "admin"}


@pytest.fixture
def cloud(monkeypatch, tmp_path):
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps({"clouds": {"cairn": {"auth": AUTH, "region_name": "One"}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    return "cairn"


def refusal(status, details):
    error = HttpException("Error", details=details)
    error.status_code, error.url = status, "http://cloud:8776/v3/types"
    return error


@pytest.mark.parametrize(("plan", "retries", "timeout"), [(True, 1, 10.0), (False, 5, None)])
def test_retries_of_every_service(cloud, plan, retries, timeout):
    conn = sdk.connect(cloud, plan=plan)
    for service in SERVICES:
        assert conn.config.get_connect_retries(service) == retries
        assert conn.config.get_status_code_retries(service) == retries
    assert conn.session.timeout == timeout


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_unreachable_api_is_named(status):
    error = refusal(status, "no database")
    with (
        pytest.raises(Unreachable, match=f"^http://cloud:8776/v3/types: status {status}: no database$"),
        sdk.translate_errors(),
    ):
        raise error


@pytest.mark.parametrize("error", [ConnectTimeout("Request to http://cloud:9696 timed out"), NotSupported("no image")])
def test_errors_that_name_the_api_themselves(error):
    with pytest.raises(Unreachable, match=f"^{error}$"), sdk.translate_errors():
        raise error


def test_a_refused_request_is_no_unreachable_api():
    error = refusal(409, "in use")
    with pytest.raises(Failed, match=r"^in use$") as found, sdk.translate_errors():
        raise error
    assert not isinstance(found.value, Unreachable)
