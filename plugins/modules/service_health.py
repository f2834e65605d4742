#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: service_health
short_description: Wait until services respond, and all of their processes report
version_added: 0.1.0
description:
  - Polls the health URLs of all services until all respond or the time is up; on failure shows the last log lines of
    the unit.
  - Then requests from each service the list of its processes on all hosts. Waits until those on O(playing) report,
    enables those that the service disabled after a failure that has ended, and warns about those that others disabled
    and about those on hosts that have left.
  - In check mode it waits for nothing and warns about what fails. It asks only services whose unit a run has started on
    this host, so neither those of a new cloud or of an interrupted first run, nor a service that the run would add.
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
      username:
        description: User for basic authentication. With it, the body of an error is shown.
        type: str
      password:
        description: Password for basic authentication.
        type: str
      advice:
        description: What to do if it fails.
        type: str
      expected:
        description: The response is a list in JSON, whose items must have these values if they have these keys.
        type: dict
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
  hosts:
    description: Names of all hosts of the cloud, and of back ends in their place.
    type: list
    elements: str
    default: []
  playing:
    description: Names of the hosts of this run, whose processes must report.
    type: list
    elements: str
    default: []
  auth:
    description: Credentials for the token. Required by O(checks) and O(process_lists).
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
extends_documentation_fragment: [cairn.openstack.process_lists]
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
changes:
  description: Processes that were enabled.
  type: list
  elements: dict
  returned: always
  contains:
    kind: {description: Kind of object., type: str, returned: always}
    verb: {description: "The action, as a verb in its base form.", type: str, returned: always}
    name: {description: Name of the object., type: str, returned: always}
    detail: {description: "The reason that the service had given.", type: str, returned: always}
  sample: [{kind: service process, verb: enable, name: nova-compute on compute1, detail: "AUTO: no libvirt"}]
silent:
  description: Services that did not respond, with the reason.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, listed
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane import process_lists as p
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import (
    AUTH,
    Caller,
    Unexpected,
    failing,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.host.units import last_words, load_stamps

_NAMED = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "log": {"type": "path"},
}
SERVICE = {
    **_NAMED,
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "advice": {"type": "str"},
    "expected": {"type": "dict"},
}
CHECK = {**_NAMED, "status": {"type": "int", "default": 200}}


def main() -> None:
    """Poll, and fail with the logs of the services."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE},
            "checks": {"type": "list", "elements": "dict", "default": [], "options": CHECK},
            "process_lists": {"type": "list", "elements": "dict", "default": [], "options": p.PROCESS_LIST},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "playing": {"type": "list", "elements": "str", "default": []},
            "auth": {"type": "dict", "options": AUTH},
            "wait": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    result = {"changed": False, "changes": [], "silent": {}}
    started = load_stamps() if module.check_mode else {}

    def asked(option: str) -> list[dict]:
        """Return the entries of an option, in check mode those of started units."""
        return [one for one in module.params[option] if not module.check_mode or one["unit"] in started]

    wait = 0 if module.check_mode else module.params["wait"]

    def told(messages: list[str]) -> None:
        """In check mode, warn: the run may change that. Otherwise fail."""
        if module.check_mode:
            for text in messages:
                module.warn(text)
        elif messages:
            module.fail_json(msg="\n\n".join(messages), **result)

    silent = poll(asked("services"), wait)
    result["silent"] = {name: why for name, (_service, why) in silent.items()}
    told([_message(service, _fault(why), why, module.check_mode) for service, why in silent.values()])
    checks = asked("checks")
    wrong = failing(module.params["auth"], checks, wait) if checks else []
    result["silent"] |= {check["name"]: why for check, why in wrong}
    told([_message(check, "does not work", why, module.check_mode) for check, why in wrong])
    if lists := asked("process_lists"):
        playing, hosts = set(module.params["playing"]), set(module.params["hosts"])

        def connect():
            return p.client(Caller(module.params["auth"]))

        try:
            found = p.settled(lists, connect, hosts, playing, wait)
            result["changes"] = p.enable(found, connect(), module.check_mode)
        except Failed as error:
            told([str(error)])
            found = []
        result["changed"] = bool(result["changes"])
        if result["changes"]:
            result["diff"] = listed(result["changes"])
        told(p.silent(found, hosts, playing))
        for text in p.warnings(found, hosts):
            module.warn(text)
    module.exit_json(**result)


def _fault(why: str) -> str:
    return "is not as expected" if isinstance(why, Unexpected) else "does not answer"


def _message(service: dict, what: str, why: str, short: bool) -> str:
    """Return a message about a service that failed, with its last log lines unless *short*."""
    message = f"{service['name']} {what}: GET {service['url']}: {why}"
    if service.get("advice"):
        message += f"\n{service['advice']}"
    return message if short else f"{message}\n{last_words(service['unit'], service['log'])}"


if __name__ == "__main__":
    main()
