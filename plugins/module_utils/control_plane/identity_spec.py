# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module C(identity)."""

from __future__ import annotations

_TEXT = {"type": "str"}
_NAME = {"type": "str", "required": True}
_DOMAIN = {"type": "str", "default": "Default"}
_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_NAMES = {"type": "list", "elements": "str", "default": []}


def _entries(**options):
    return {"type": "list", "elements": "dict", "default": [], "options": {"name": _NAME, **options}}


def _spec() -> dict:
    auth = {
        "url": _NAME,
        "username": {"type": "str", "default": "admin"},
        "password": {"type": "str", "required": True, "no_log": True},
        "project": {"type": "str", "default": "admin"},
        "domain": _DOMAIN,
        "cafile": {"type": "path"},
    }
    urls = {"type": "dict", "default": {}, "options": {"public": _TEXT, "internal": _TEXT, "admin": _TEXT}}
    secret = {"type": "str", "no_log": True}
    user = {
        "password": secret,
        "domain": _DOMAIN,
        "project": _TEXT,
        "roles": _NAMES,
        "system_roles": _NAMES,
        "state": _STATE,
    }
    enabled = {"type": "bool", "default": True}
    provider = {
        "domain": _NAME,
        "remote_ids": {"type": "list", "elements": "str", "required": True},
        "protocol": _NAME,
        "remote_id_attribute": _NAME,
        "mapping": {"type": "list", "elements": "dict", "required": True},
    }
    return {
        "auth": {"type": "dict", "required": True, "options": auth},
        "bootstrap": {"type": "bool", "default": True},
        "region": _NAME,
        "wait": {"type": "int", "default": 60},
        "domains": _entries(description=_TEXT, ldap={"type": "dict"}, ldap_password=secret, state=_STATE),
        "projects": _entries(domain=_DOMAIN, description=_TEXT, state=_STATE),
        "identity_providers": _entries(**provider),
        "roles": _NAMES,
        "users": _entries(**user),
        "services": _entries(type=_NAME, description=_TEXT, enabled=enabled, endpoints=urls, state=_STATE),
    }


SPEC = _spec()
