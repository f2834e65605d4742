# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Any value of a definition is a template that resolves, or an error of preflight's; never a traceback."""

from __future__ import annotations

import copy

import pytest
import resolving
import yaml
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.definition_spec import SPEC, findings

GROUPS = {"controller", "network", "compute", "storage", "all"}
HOSTS = {"c1": {"groups": sorted(GROUPS - {"all"}), "address": "192.0.2.11"}}
# Every key that there is.
WHOLE = yaml.safe_load("""
name: acme
description: A driver with services of its own
state: present
optional: false
needs: []
resources: [prices]
when: true
tier: service
user: acme
packages: {controller: [acme-api], network: [acme-agent], compute: [], storage: [], all: [acme-common]}
secrets: [token]
databases: [{name: acme}]
db_sync:
  - {run: acme-manage db_sync, user: acme, environment: {A: B}, unless: {database: acme, query: SELECT 1, table: t}}
after_start: [{run: acme-manage init, credentials: admin, unless: {get: "http://192.0.2.11:5/v1"}}]
registration:
  steps: [{run: acme-manage discover, unless: {database: acme, query: SELECT host FROM hosts, rows: [one]}}]
  units: [acme-agent]
  writes:
    - path: /var/lib/acme/id
      mode: "0600"
      owner: acme
      group: acme
      record: {database: acme, query: "SELECT host, id FROM hosts"}
keys: [{path: /etc/acme/keys, keys: [one], owner: acme, group: acme}]
messaging: true
shared_storage: volumes
needs_storage: volumes
ports:
  - {port: 5555, protocol: udp, source_port: 53, unit: acme-api, groups: [network], when: true, interface: eth0,
     loopback: true, from: [any]}
purge_paths: [/etc/acme]
identity:
  user: true
  roles: [admin]
  new_roles: [acme_user]
  domains: [{name: acme, description: Users, users: [{name: acme_admin, roles: [admin]}]}]
  ldap_domains: [{name: corp, description: Staff, ldap: {url: "ldaps://x"}, ldap_password: secret, state: present}]
  identity_providers: [{name: sso, domain: sso, remote_ids: ["https://x"], protocol: openid, remote_id_attribute: X,
    mapping: [{local: [], remote: []}]}]
  services: [{type: light, name: acme, api: acme-api, path: /v1}]
apis:
  - name: acme-api
    port: 9999
    health: /
    load_balanced: true
    frontend_port: {http: 80, https: 443}
    unit: acme-api
    websocket: false
    paths: [{name: login, port: 9998, paths: [/v1/login]}]
    uwsgi: {app: /usr/bin/acme, file: acme.ini, default: acme, preload: [acme], processes: 2, options: {a: b}}
checks: [{get: /v1, api: acme-api, status: 200}]
health: [{name: acme, url: "http://127.0.0.1:1", unit: acme-api, username: me, password: secret, advice: wait}]
in_use: {controller: [/var/lib/acme/*]}
capacity:
  servers: {files: [acme.conf], shared_disks: {section: DEFAULT, option: disks, value: shared}}
  volumes: {files: [acme.conf]}
maintenance:
  - groups: [controller]
    when: true
    started: {run: acme off, unless: acme is-off}
    ended: {run: acme on, unless: acme is-on}
around_restarts: {controller: [{before: acme drain, after: acme ready}]}
leaving: {controller: [{run: acme forget %(host)s, unless: acme forgot %(host)s}]}
process_list:
  api: acme-api
  get: /v1/services
  key: services
  headers: {a: b}
  name: binary
  host: host
  disabled: {status: disabled}
  reason: reason
  down: {state: down}
  reported: updated_at
  down_after: 60
  forced_down: {forced: true}
  enable: {put: /v1/services/%(id)s, body: {status: enabled}, reasons: "AUTO"}
  commands: {enable: acme enable, remove: acme remove, up: acme up}
units:
  - name: acme-api
    groups: [controller]
    when: true
    tier: service
    state: started
    enabled: true
    restart_anytime: false
    restart_anytime_if: [/bin/false]
    restart_when: ["http://192.0.2.11:5/"]
    restart_with: /usr/bin/acme-restart
    reload: false
    reload_for: [/etc/acme/cert.pem]
    host_owned: false
    watches: [/etc/acme/acme.conf]
    packages: [acme-api]
    state_commands: [acme-show]
    expected_values:
      - command: acme-show values
        values: {acme.load: 3}
        optional: true
        at_least: true
        explained: true
        explain: acme-show files
    log: /var/log/acme/acme.log
    memory: 10
    worker_memory: 10
files:
  acme.conf:
    path: /etc/acme/acme.conf
    groups: [controller]
    when: true
    state: present
    mode: "0640"
    owner: root
    group: acme
    managed_block: false
    comment_out: "^#"
    secret: false
    before_packages: false
    validate: "true %s"
    state_commands: [acme-show loaded]
    host_owned: false
    units: [acme-api]
    databases: {database: {database: acme, option: url}}
    database_groups: [controller]
    sections: {a: {b: c}}
    notifications: acme
    messaging: true
    auth: [keystone_authtoken, {section: x, omit: [cafile], rename: {username: name}}]
config:
  acme.conf: {DEFAULT: {debug: false}}
contributes:
  nova:
    packages: {compute: [acme-client]}
    files: {acme.ini: {path: /etc/nova/acme.ini, groups: [compute]}}
    units: [{name: acme-helper, groups: [compute]}]
    config: {acme.ini: {a: {b: c}}}
backend:
  can: [volumes]
  serves: [volumes]
  always: []
  keys: {address: {type: str, required: true, match: "[0-9.]+", description: an address, example: 192.0.2.5}}
  hosts: false
  devices: false
  by_name: false
  alone: false
  served_from_hosts: false
  volume_group: false
  iscsi: true
  device_memory: 5
each_backend:
  - when: true
    contributes:
      cinder: {packages: {controller: [acme-driver]}, config: {cinder.conf: {acme: {volume_driver: acme.Driver}}}}
""")
STORAGE = [{"name": "acme", "kind": "acme", "address": "192.0.2.5"}]


def paths(value, at=()):
    """Yield the way to everything below *value*."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from paths(item, (*at, key))


def value_at(at):
    """Return what stands at *at* in WHOLE."""
    value = WHOLE
    for key in at:
        value = value[key]
    return value


PLACES = list(paths(WHOLE))
VALUES = [at for at in PLACES if not isinstance(value_at(at), (dict, list))]


def templated(value):
    """Return the template that resolves to *value*."""
    return f"{{{{ {value!r} }}}}"


def with_templates(*places):
    """Return WHOLE with a template at each of *places* that resolves to what stood there."""
    result = copy.deepcopy(WHOLE)
    for at in places:
        place = result
        for key in at[:-1]:
            place = place[key]
        place[at[-1]] = templated(place[at[-1]])
    return result


def resolve(definition, directory):
    """Return what the first host has of the *definition*, and the cloud as all definitions see it."""
    settings = {"catalog_extra": {"acme": definition}, "cloud_storage": STORAGE}
    model = resolving.resolve(HOSTS, "c1", directory, settings)
    for one in model.definitions.values():
        found = definitions.files(one, GROUPS, model.cloud, [])
        definitions.units(one, GROUPS, found)
    return model.definitions["acme"], {key: model.cloud[key] for key in ("storage", "apis", "ports")}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What WHOLE resolves to."""
    return resolve(WHOLE, tmp_path_factory.mktemp("written"))


def test_it_has_every_key():
    assert set(WHOLE) == set(SPEC)
    assert findings("acme", WHOLE) == []


def test_a_template_at_each_value(tmp_path, written):
    allowed = [at for at in VALUES if not findings("acme", with_templates(at))]
    assert len(allowed) > len(VALUES) / 2
    assert resolve(with_templates(*allowed), tmp_path) == written


def test_a_template_in_place_of_a_list_or_a_dictionary(tmp_path, written):
    """Where it is allowed, the definition is the same; those of one depth are replaced together, to be fast."""
    allowed: dict[int, list] = {}
    for at in (at for at in PLACES if at not in VALUES):
        if found := findings("acme", with_templates(at)):
            assert all("template" in finding.found for finding in found), at
        else:
            allowed.setdefault(len(at), []).append(at)
    assert sum(map(len, allowed.values())) > 20
    for depth, places in sorted(allowed.items()):
        assert resolve(with_templates(*places), tmp_path) == written, f"{depth}: {places}"
