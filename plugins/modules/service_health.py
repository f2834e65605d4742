#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: service_health
short_description: Wait until services respond
version_added: 0.1.0
description:
  - Polls the health URLs of all services until all respond or the time is up; on failure shows the last log lines of
    the unit.
  - In check mode it does nothing, as services may not be deployed yet.
author: The Cairn authors (@cairn)
options:
  services:
    description: The services.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      url:
        description: Health URL; any status below 400 is healthy.
        type: str
        required: true
      unit:
        description: The systemd unit whose log is shown.
        type: str
        required: true
      log:
        description: Log file of the unit.
        type: path
  checks:
    description:
      - Requests with a token, sent after all services respond. A service may pass its health check and still fail for
        its users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      url:
        description: URL of the request; C(%(project_id)s) is replaced by the project of O(auth).
        type: str
        required: true
      status:
        description: Expected status.
        type: int
        default: 200
      unit:
        description: The systemd unit whose log is shown.
        type: str
        required: true
      log:
        description: Log file of the unit.
        type: path
  auth:
    description: Credentials for the token. Required by O(checks).
    type: dict
    suboptions:
      url:
        description: URL of Keystone, with the API version.
        type: str
        required: true
      username:
        description: The user.
        type: str
        default: admin
      password:
        description: The password.
        type: str
        required: true
      project:
        description: The project that the token is for.
        type: str
        default: admin
      domain:
        description: The domain of both.
        type: str
        default: Default
      cafile:
        description: CA bundle to verify Keystone and the services with.
        type: path
  wait:
    description: Maximum seconds to wait.
    type: int
    default: 120
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Wait for Glance
  cairn.openstack.service_health:
    services:
      - {name: glance-api, unit: glance-api, url: "http://127.0.0.1:9292/healthcheck"}
"""

RETURN = r"""
silent:
  description: Services that did not respond, with the reason.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import AUTH, failing, poll
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import last_words

SERVICE = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "log": {"type": "path"},
}


CHECK = {**SERVICE, "status": {"type": "int", "default": 200}}


def main() -> None:
    """Poll, and fail with the logs of the services."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE},
            "checks": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
            "auth": {"type": "dict", "options": AUTH},
            "wait": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, silent={})
    silent = poll(module.params["services"], module.params["wait"])
    reasons = {name: why for name, (_service, why) in silent.items()}
    if silent:
        words = [
            f"{name} does not answer at {service['url']}: {why}\n{last_words(service['unit'], service['log'])}"
            for name, (service, why) in silent.items()
        ]
        module.fail_json(msg="\n\n".join(words), silent=reasons)
    checks = module.params["checks"]
    if wrong := failing(module.params["auth"], checks, module.params["wait"]) if checks else []:
        words = [
            f"{check['name']} does not work: GET {check['url']}: {why}\n{last_words(check['unit'], check['log'])}"
            for check, why in wrong
        ]
        module.fail_json(msg="\n\n".join(words), silent={check["name"]: why for check, why in wrong})
    module.exit_json(changed=False, silent={})


if __name__ == "__main__":
    main()
