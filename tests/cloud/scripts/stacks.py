# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: make a stack with a network and a user of its own, remove it, ask for Heat's panel in the dashboard.

Prints as JSON the stack's status, how long it took, and the statuses of the CloudFormation API and of the panel.
"""

import json
import ssl
import time
import urllib.error
import urllib.request

import openstack
import yaml

TEMPLATE = {
    "heat_template_version": "2021-04-16",
    "resources": {
        "network": {"type": "OS::Neutron::Net"},
        # Its signal is a user in Heat's domain.
        "handle": {"type": "OS::Heat::WaitConditionHandle", "properties": {"signal_transport": "TOKEN_SIGNAL"}},
    },
}

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    settings = next(iter(yaml.safe_load(file)["clouds"].items()))
cloud = openstack.connect(cloud=settings[0])
context = ssl.create_default_context(cafile=settings[1].get("cacert"))


def status(url):
    """Return the status that *url* answers with, without following where it leads."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_arguments):
            return None

    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))
    try:
        return opener.open(url, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code


began = time.monotonic()
stack = cloud.orchestration.create_stack(name="cairn-test", template=TEMPLATE, timeout_mins=5)
try:
    while True:
        stack = cloud.orchestration.get_stack(stack.id)
        if not stack.status.endswith("IN_PROGRESS") or time.monotonic() - began > 300:
            break
        time.sleep(1)
    reached = stack.status
finally:
    cloud.orchestration.delete_stack(stack.id)
    cloud.orchestration.wait_for_delete(stack, wait=300)
public = settings[1]["auth"]["auth_url"].rsplit(":", 1)[0]
endpoint = cloud.session.get_endpoint(service_type="cloudformation", interface="public")
print(
    json.dumps(
        {
            "status": reached,
            "seconds": round(time.monotonic() - began, 1),
            "cloudformation": status(endpoint),
            "panel": status(f"{public}/horizon/project/stacks/"),
        }
    )
)
