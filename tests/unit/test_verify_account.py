# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of accounts: application credentials, and directories of users."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad
from openstack.exceptions import HttpException

MADE = SimpleNamespace(id="a1", secret="secret-a")


def run(identity, **options):
    connection = SimpleNamespace(identity=identity, current_user_id="u1")
    return SimpleNamespace(name="check", user=connection, admin=connection, options=options)


@pytest.fixture
def identity():
    """An identity service whose application credential can be deleted."""
    found = SimpleNamespace(deleted=[])
    found.create_application_credential = lambda **_fields: MADE
    found.delete_application_credential = lambda user, made: found.deleted.append((user, made.id))
    return found


def test_an_application_credential(identity, monkeypatch):
    monkeypatch.setattr(sdk, "roles_with", lambda _connection, _made: None if identity.deleted else ["member"])
    assert account.application_credential(run(identity)) == "roles: member"
    assert identity.deleted == [("u1", "a1")]


def test_one_that_outlives_its_deletion(identity, monkeypatch):
    monkeypatch.setattr(account, "PATIENCE", 0)
    monkeypatch.setattr(sdk, "roles_with", lambda _connection, _made: ["member"])
    with pytest.raises(Bad, match="still gives a token"):
        account.application_credential(run(identity))


def test_directories():
    asked = []

    def users(**query):
        asked.append(query)
        return iter(())

    identity = SimpleNamespace(find_domain=lambda name: SimpleNamespace(id=f"id of {name}"), users=users)
    assert account.directories(run(identity, ldap_domains=["corp"])) == "of corp searched"
    assert asked == [{"domain_id": "id of corp", "name": "check"}]


def test_a_directory_that_is_off():
    def users(**_query):
        raise HttpException("500")

    identity = SimpleNamespace(find_domain=lambda _name: SimpleNamespace(id="d"), users=users)
    with pytest.raises(Bad, match="the directory of domain corp does not answer"):
        account.directories(run(identity, ldap_domains=["corp"]))
    identity.find_domain = lambda _name: None
    with pytest.raises(Bad, match="there is no domain corp"):
        account.directories(run(identity, ldap_domains=["corp"]))


def test_the_users_password_is_like_that_of_a_service(monkeypatch):
    made = {}

    def create_user(**fields):
        made.update(fields)
        return SimpleNamespace(id="u2")

    identity = SimpleNamespace(
        roles=lambda: [SimpleNamespace(name=name, id=name) for name in ("member", "admin")],
        create_project=lambda **_fields: SimpleNamespace(id="p"),
        create_user=create_user,
        assign_project_role_to_user=lambda *_ids: None,
    )
    access = SimpleNamespace(user_domain_id="d")
    session = SimpleNamespace(auth=SimpleNamespace(get_access=lambda _session: access))
    admin = SimpleNamespace(identity=identity, session=session, current_user_id="a", connect_as=lambda **_options: None)
    account.project_and_user(SimpleNamespace(name="check", admin=admin, options={}))
    assert re.fullmatch("[A-Za-z0-9]{40}", made["password"])
    assert made["options"] == {"ignore_change_password_upon_first_use": True}
