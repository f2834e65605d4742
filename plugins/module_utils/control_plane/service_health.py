# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Polls all services at the same time until they respond or the time is up."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.urls import open_url
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.common.rest import Api

AUTH = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str", "default": "admin"},
    "password": {"type": "str", "required": True, "no_log": True},
    "project": {"type": "str", "default": "admin"},
    "domain": {"type": "str", "default": "Default"},
    "cafile": {"type": "path"},
}
"""Credentials for requests with a token, as options of a module."""


class Unexpected(str):
    """The error of a service that responds, with other values than the expected ones."""


def answer(
    url: str,
    timeout: float = 10,
    username: str | None = None,
    password: str | None = None,
    expected: dict | None = None,
) -> str:
    """Return an empty string if *url* responds with a status below 400, and the error otherwise (C(Unexpected)).

    :param username: user for basic authentication; then the error includes the body of the response.
    :param expected: values that the items of a list in the response must have, if they have these keys.
    """
    basic = {"url_username": username, "url_password": password, "force_basic_auth": True} if username else {}
    try:
        response = open_url(url, timeout=timeout, follow_redirects="none", use_proxy=False, http_agent="cairn", **basic)
        return Unexpected("; ".join(_unexpected(json.load(response), expected))) if expected else ""
    except Exception as error:  # URLError, HTTPError, timeouts and broken connections, of several libraries
        code = getattr(error, "code", None)
        if code is not None and code < 400:
            return ""
        return f"{error}{_body(error) if username else ''}"


def _unexpected(items: list[dict], expected: dict) -> list[str]:
    return [
        f"{item.get('name')}: {key} is {json.dumps(item[key])}"
        for item in items
        for key, value in expected.items()
        if item.get(key, value) != value
    ]


def _body(error: Exception) -> str:
    """Return the start of a response's body as an addition to a message."""
    try:
        return f": {error.read().decode()[:300]}"
    except Exception:  # no response, or no body
        return ""


def poll(services: list[dict], wait: float, interval: float = 0.5) -> dict[str, tuple[dict, str]]:
    """Return the services that do not respond within *wait* seconds, by name, each with the last reason."""
    end = time.monotonic() + wait
    open_ones = {service["name"]: (service, "") for service in services}
    with ThreadPoolExecutor(max_workers=16) as pool:
        while open_ones:
            asked = [service for service, _reason in open_ones.values()]
            reasons = pool.map(
                lambda one: answer(
                    one["url"],
                    username=one.get("username"),
                    password=one.get("password"),
                    expected=one.get("expected"),
                ),
                asked,
            )
            open_ones = {service["name"]: (service, why) for service, why in zip(asked, reasons, strict=True) if why}
            if not open_ones or time.monotonic() > end:
                break
            time.sleep(interval)
    return open_ones


class Caller:
    """Sends requests to APIs with a token, which the first request gets.

    :param auth: in the form of ``AUTH``.
    """

    def __init__(self, auth: dict) -> None:
        self._auth = auth
        self._token = ""
        self._project = ""

    def _enter(self) -> None:
        domain = {"name": self._auth["domain"]}
        user = {"name": self._auth["username"], "password": self._auth["password"], "domain": domain}
        scope = {"project": {"name": self._auth["project"], "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        keystone = Api(self._auth["url"], self._auth["cafile"])
        headers, body = keystone.call("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self._token = {name.lower(): value for name, value in headers.items()}["x-subject-token"]
        self._project = body["token"]["project"]["id"]

    def entered(self) -> tuple[str, str, str | None]:
        """Return a token, the id of its project, and the CA bundle.

        :raises Failed: Keystone refuses the credentials, or does not respond.
        """
        if not self._token:
            self._enter()
        return self._token, self._project, self._auth["cafile"]

    def status(self, url: str) -> int:
        """Return the status of *url*, 0 without a response; C(%(project_id)s) in it is replaced."""
        return self.call(url)[0]

    def call(self, url: str) -> tuple[int, str]:
        """Return the status of *url*, 0 without a response, and the message of an error."""
        try:
            self.entered()
            answer = open_url(
                url % {"project_id": self._project},
                headers={"X-Auth-Token": self._token, "Accept": "application/json"},
                ca_path=self._auth["cafile"],
                timeout=30,
                use_proxy=False,
                http_agent="cairn",
            )
        except Failed as error:
            return 0, str(error)
        except Exception as error:  # as above
            return getattr(error, "code", None) or 0, str(error)
        return answer.status, ""


def failing(auth: dict, checks: list[dict], wait: float, interval: float = 2) -> list[tuple[dict, str]]:
    """Repeat requests until all have the expected status; return those that have not, with the reason.

    :param checks: each with ``url`` and ``status``.
    """
    end = time.monotonic() + wait
    while True:
        # A new token each time: the previous one may be from a Keystone that was not ready.
        caller = Caller(auth)
        found = [(check, *caller.call(check["url"])) for check in checks]
        wrong = [
            (check, f"status {status}, expected {check['status']}{': ' if words else ''}{words}")
            for check, status, words in found
            if status != check["status"]
        ]
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(interval)
