# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The providers of cloud_identity_providers: what Keystone has of each, and how the web server serves its log-ins."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any

PROTOCOL = "openid"
# Of the variables that the web server sets from what the provider says. A client's headers are in HTTP_….
PREFIX = "OIDC_"
FIRST_PORT = 9220


def identity_providers(setting: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the providers of *setting* in the form of the module identity."""
    return [
        {
            "name": one["name"],
            "domain": one.get("domain") or one["name"],
            "remote_ids": [one["issuer"]],
            "protocol": PROTOCOL,
            "remote_id_attribute": f"{PREFIX}iss",
            "mapping": one["mapping"],
        }
        for one in setting
    ]


def openid_sites(setting: Iterable[Mapping[str, Any]], secret: str = "") -> list[dict[str, Any]]:
    """Return how the web server serves the log-ins of each provider: one port, as its module has one provider for each.

    :param secret: of the cloud; cookies are encrypted with what follows from it.
    """
    sites = []
    for number, one in enumerate(setting):
        below = f"OS-FEDERATION/identity_providers/{one['name']}/protocols/{PROTOCOL}"
        # The API of the providers themselves has other paths.
        paths = {name: f"/v3/auth/{below}/{name}" for name in ("websso", "redirect")} | {"auth": f"/v3/{below}/auth"}
        sites.append(
            {
                "name": one["name"],
                "label": one.get("label") or one["name"],
                "port": FIRST_PORT + number,
                "protocol": PROTOCOL,
                "paths": paths,
                "cookie_path": f"/v3/auth/{below}",
                "issuer": one["issuer"],
                "metadata": one.get("metadata") or f"{one['issuer'].rstrip('/')}/.well-known/openid-configuration",
                "scopes": " ".join(one.get("scopes") or ("openid", "email", "profile")),
                "client_id": one["client_id"],
                # Apache reads it twice: in the line that defines it, and in the lines that name it.
                "client_secret": _quoted(_quoted(str(one["client_secret"]))),
                "clients": [one["client_id"], *(one.get("clients") or [])],
                "claims": _claims(one),
                "ca": (one.get("ca") or "").strip(),
                "passphrase": hmac.new(secret.encode(), f"openid {one['name']}".encode(), hashlib.sha256).hexdigest(),
            }
        )
    return sites


def openid_paths(setting: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the paths of Keystone's API that the web server serves, in the form of a definition's C(apis)."""
    return [
        {"name": f"{site['protocol']}-{site['name']}", "port": site["port"], "paths": list(site["paths"].values())}
        for site in openid_sites(setting)
    ]


def _claims(provider: Mapping[str, Any]) -> list[str]:
    """Return the claims that the mapping rules name, but those whose variable is named otherwise than the claim."""
    remote = [part for rule in provider["mapping"] for part in rule.get("remote") or ()]
    names = {str(part.get("type")).removeprefix(PREFIX) for part in remote}
    return sorted(name for name in names if re.fullmatch(r"[A-Za-z0-9_-]+", name))


def _quoted(text: str) -> str:
    """Return *text* as Apache reads it between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


class FilterModule:
    """Filters of the service definition of Keystone."""

    def filters(self):
        return {
            "identity_providers": identity_providers,
            "openid_paths": openid_paths,
            "openid_sites": openid_sites,
        }
