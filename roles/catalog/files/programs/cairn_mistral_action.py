# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mistral's action openstack.request: a request to an API of the cloud in the name of the workflow's owner.

Written by Cairn. Debian has no other action that uses the token of a workflow. Mistral executes this text as a module
of its database; run as a program, it writes itself there, for all projects, with the credentials in OS_*.
"""

import importlib
import sys

import requests
from mistral_lib import actions

ACTION = "openstack.request"
# With another number, running executors read a changed text, and the definition registers it.
SOURCE = "cairn_openstack_2"
SECONDS = 60


class Request(actions.Action):
    """Call an API of the cloud, and return its status and body.

    :param service: type of the service in Keystone's catalog, such as compute.
    :param path: what follows the endpoint in the catalog, such as /servers.
    :param method: HTTP method.
    :param body: content, sent as JSON.
    """

    def __init__(self, service, path, method="GET", body=None):
        super().__init__()
        self.service, self.path, self.method, self.body = service, path, method, body

    def run(self, context):
        """Return the response, or an error for a status from 400 on."""
        security = context.security
        # Anything else would end the host's name in another host's.
        if not self.path.startswith("/"):
            return actions.Result(error="path must begin with /")
        auth_url, ca_file = keystone(security)
        verify = ca_file or True
        headers = {"X-Auth-Token": security.auth_token}
        said = requests.get(f"{auth_url}/auth/catalog", headers=headers, verify=verify, timeout=SECONDS)
        if said.status_code >= 400:
            return actions.Result(error=f"Keystone answers {said.status_code}")
        found = endpoint(said.json()["catalog"], self.service, security.region_name)
        if not found:
            return actions.Result(error=f"the catalog has no service {self.service}")
        url = found.rstrip("/") + self.path
        said = requests.request(
            self.method, url, json=self.body, headers=headers, verify=verify, timeout=SECONDS, allow_redirects=False
        )
        try:
            body = said.json()
        except ValueError:
            body = said.text
        result = {"status": said.status_code, "body": body}
        return actions.Result(error=result) if said.status_code >= 400 else actions.Result(data=result)

    def test(self, _context):
        """Return what a dry run returns."""
        return {"status": 200, "body": None}


def keystone(security):
    """Return the URL of Keystone and the file with its authority, which a cron trigger does not pass on."""
    if security.auth_uri:
        return security.auth_uri, security.auth_cacert
    # It declares the options of [keystone_authtoken].
    importlib.import_module("keystonemiddleware.auth_token")
    given = importlib.import_module("oslo_config.cfg").CONF.keystone_authtoken
    return given.www_authenticate_uri, given.cafile


def endpoint(catalog, service, region):
    """Return the internal URL of the service with this type or name in the region, or None."""
    for one in catalog:
        if service in (one["type"], one.get("name")):
            for candidate in one["endpoints"]:
                if candidate["interface"] == "internal" and region in (None, candidate["region"]):
                    return candidate["url"]
    return None


def register(session, text):
    """Write the text into Mistral's database, and let the action use it."""
    there = {"endpoint_filter": {"service_type": "workflowv2", "interface": "internal"}, "raise_exc": False}
    headers = {"Content-Type": "text/plain"}
    query = {"name": SOURCE, "scope": "public"}
    said = session.post("/code_sources", params=query, data=text.encode(), headers=headers, **there)
    # An interrupted run may have written it.
    if said.status_code not in (201, 409):
        raise SystemExit(f"Mistral does not take the text of {ACTION}: {said.status_code} {said.text}")
    action = {"name": ACTION, "class_name": "Request", "code_source_name": SOURCE, "scope": "public"}
    said = session.post("/dynamic_actions", json=action, **there)
    if said.status_code == 409:
        said = session.put("/dynamic_actions", json=action, **there)
    if said.status_code >= 400:
        raise SystemExit(f"Mistral does not take {ACTION}: {said.status_code} {said.text}")


def main():
    """Register the text of this file."""
    import openstack

    with open(sys.argv[0], encoding="utf-8") as file:
        register(openstack.connect().session, file.read())


if __name__ == "__main__":
    main()
