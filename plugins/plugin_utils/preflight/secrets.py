# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the secrets directory, and whether the hosts were deployed with its secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding

SECRETS = "secrets.yml"
# Of all others, some format takes one for its own: $ in oslo.config, # and ; in ini files, quotes in most.
SPECIAL = "-_.~+/=:@^,"
# Each public key or certificate, and its private key.
PAIRS = (("ca.crt", "ca.key"), ("frontend.crt", "frontend.key"))
FILES = (SECRETS, *(name for pair in PAIRS for name in pair), "root.key")


def findings(path: str, files: Mapping[str, str | None], errors: Mapping[str, str]) -> Iterator[Finding]:
    """Find files of the directory *path* that cannot be read or are missing.

    :param files: name → text, for the FILES that exist; None if unreadable.
    :param errors: name → why it could not be read; ``""`` is the directory itself.
    """
    for name, why in errors.items():
        where = f"{path}/{name}".rstrip("/")
        if "ecrypt" in why or "vault" in why.lower():
            remedy = "Provide the password that it was encrypted with: --vault-password-file or --ask-vault-pass."
            yield Finding(where, why, "a vault password that decrypts it", remedy)
        else:
            yield Finding(
                where, why, "readable by the user who runs Ansible", "Correct its owner and mode, or the path."
            )
    if "" in errors:
        return
    for public, private in PAIRS:
        if public in files and private not in files:
            remedy = f"Restore {private} from a backup. Remove {public} only to generate both again."
            yield Finding(
                f"{path}/{private}", f"missing, but {public} exists", "all files of the directory, or none", remedy
            )
    if SECRETS not in files and "ca.key" in files:
        remedy = "Restore it from a backup. Without it new passwords would be generated."
        yield Finding(f"{path}/{SECRETS}", "missing, but ca.key exists", "all files of the directory, or none", remedy)


def values(path: str, found: Any) -> Iterator[Finding]:
    """Check *found*, the content of secrets.yml."""
    where = f"{path}/{SECRETS}"
    if not isinstance(found, Mapping):
        yield Finding(where, "not a dictionary", "name: secret, a line for each", "Restore it from a backup.")
        return
    if empty := [str(name) for name, value in found.items() if not value]:
        remedy = "Restore them; or remove the lines, and the next run generates new ones."
        yield Finding(where, f"no value for {', '.join(empty)}", "a value for each name", remedy)
    for name, value in found.items():
        if value and not isinstance(value, str):
            # 0123 is a number, and another one than it looks like.
            allowed = "text"
            yield Finding(where, f"{name} is not text but a {type(value).__name__}", allowed, "Write it in quotes.")
        elif value and not _usable(str(name), value):
            remedy = "Choose another one. It stands in configuration files of many formats, and in URLs."
            yield Finding(where, f"{name} has other characters", f"letters, digits and {SPECIAL}", remedy)


def _usable(name: str, value: str) -> bool:
    """Whether each file that has the secret reads it as it is; a private key stands in a file of its own."""
    return (
        name.endswith(("_ssh", "_authority")) or re.fullmatch(rf"[A-Za-z0-9{re.escape(SPECIAL)}]+", value) is not None
    )


def forgotten(
    where: str, names: Iterable[str], optional: Collection[str], clouds: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Find user definitions that were deployed to a host and no longer exist.

    :param where: the place of the user's definitions.
    :param names: the names of all existing definitions.
    :param optional: those of them that are shipped, and not in cloud_services: a run would remove the service.
    :param clouds: host → its record, with ``definitions``.
    """
    gone: dict[str, list[str]] = {}
    for host, cloud in clouds.items():
        for name in set(cloud.get("definitions") or ()) - (set(names) - set(optional)):
            gone.setdefault(name, []).append(host)
    for name, hosts in sorted(gone.items()):
        if name in optional:
            found = f"no definition {name} of yours any more, and {name} is not in cloud_services"
            remedy = (
                f"To keep the service, add {name} to cloud_services. To remove it, put your definition back with "
                "state: absent and run once; then delete it."
            )
            yield Finding(where, found, f"{name} in cloud_services, or your definition", remedy, "error", tuple(hosts))
            continue
        remedy = (
            "Put it back with state: absent and run once, which removes its units, users and endpoints; then delete it."
        )
        found = f"no definition {name}, whose units, users and endpoints are still there"
        yield Finding(
            where, found, "a definition with state: absent before it is deleted", remedy, "warning", tuple(hosts)
        )


def operator(path: str, mine: str, names: Iterable[str], clouds: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Find hosts that belong to a cloud with other secrets than those in the directory *path*.

    :param mine: the directory's identity, empty if it has none.
    :param names: the secrets in it.
    :param clouds: host → its record, with ``identity`` and ``names``, the secrets that it was deployed with.
    """
    remedy = (
        "Use the secrets directory that the cloud was deployed with (cloud_secrets_dir). If that cloud no longer "
        "exists and only this host remains, remove /etc/cairn/cloud.json on it."
    )
    for host, cloud in clouds.items():
        if cloud["identity"] != mine:
            found = "the host belongs to a cloud that " + (
                "has other secrets" if mine else "was deployed with secrets that are not in this directory"
            )
            yield Finding(path, found, "the secrets of the cloud that the host belongs to", remedy, hosts=(host,))
        elif lacking := sorted(set(cloud["names"]) - set(names)):
            found = f"older than the cloud: it lacks {', '.join(lacking)}"
            yield Finding(
                path,
                found,
                "every secret of the cloud",
                "Use the newer directory of the control node that ran last.",
                hosts=(host,),
            )
