# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domains of cloud_ldap_domains in the form of the module identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Keystone's defaults try three times, each as long as the kernel does, and other log-ins may wait behind it.
_TIMEOUTS = {"pool_connection_timeout": 5, "pool_retry_max": 1}
# Keystone asks for one of them, and does without the other.
_AUTHORITIES = {"tls_cacertfile", "tls_cacertdir"}
_DEBIANS = "/etc/ssl/certs/ca-certificates.crt"


def ldap_domains(setting: Iterable[Mapping[str, Any]], ca_file: str) -> list[dict[str, Any]]:
    """Return the domains of *setting*, with the password apart from the other options.

    :param ca_file: where the hosts have the CAs of all directories.
    """
    found = []
    for one in setting:
        given = dict(one.get("options") or {})
        password = given.pop("password", None)
        own = {} if _AUTHORITIES & given.keys() else {"tls_cacertfile": ca_file if one.get("ca") else _DEBIANS}
        entry = {"name": one["name"], "ldap": {**_TIMEOUTS, **own, **given}, "state": one.get("state", "present")}
        if one.get("description"):
            entry["description"] = one["description"]
        if password:
            entry["ldap_password"] = str(password)
        found.append(entry)
    return found


class FilterModule:
    """A filter of the service definition of Keystone."""

    def filters(self):
        return {"ldap_domains": ldap_domains}
