# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the identity service gets of cloud_ldap_domains."""

from __future__ import annotations

import json
import re

import yaml
from ansible_collections.cairn.openstack.plugins.filter.ldap_domains import ldap_domains

OWN = {"pool_connection_timeout": 5, "pool_retry_max": 1}


def test_the_password_is_apart():
    setting = [{"name": "corp", "options": {"url": "ldaps://x", "password": "secret-bind"}, "description": "Staff"}]
    (found,) = ldap_domains(setting, "/ca.pem")
    assert found["ldap_password"] == "secret-bind"
    assert found["ldap"] == {"url": "ldaps://x", **OWN, "tls_cacertfile": "/etc/ssl/certs/ca-certificates.crt"}
    assert (found["name"], found["description"], found["state"]) == ("corp", "Staff", "present")
    assert setting[0]["options"]["password"] == "secret-bind"


def test_the_users_options_win():
    (found,) = ldap_domains([{"name": "x", "ca": "pem", "options": {"pool_retry_max": 3}}], "/ca.pem")
    assert found["ldap"] == {**OWN, "tls_cacertfile": "/ca.pem", "pool_retry_max": 3}
    assert "ldap_password" not in found
    (found,) = ldap_domains([{"name": "x", "options": {"tls_cacertdir": "/own"}}], "/ca.pem")
    assert found["ldap"] == {**OWN, "tls_cacertdir": "/own"}


def test_one_that_is_gone():
    (found,) = ldap_domains([{"name": "x", "state": "absent"}], "/ca.pem")
    assert found["state"] == "absent"


def test_keystone_takes_all_options_of_its_index(root):
    """Those that it would refuse in a domain's own configuration are in its list, and the password is not."""
    known = json.loads((root / "roles/catalog/files/options/keystone.json").read_text())["sets"]["all"]["ldap"]
    text = yaml.safe_load((root / "roles/catalog/defaults/main/keystone.yml").read_text())
    listed = text["catalog_keystone"]["config"]["keystone.conf"]["domain_config"]["additional_whitelisted_options"]
    assert set(re.findall(r"\w+", listed)) - {"ldap", "split", "join"} == set(known) - {"password"}
