# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks, their dependencies, and the services whose logs may show why they failed."""

from __future__ import annotations

from functools import partial

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import (
    account,
    clean,
    console,
    image,
    network,
    objects,
    optional,
    servers,
    volume,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Check
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.servers import BOOT, NODES, TO_BOOT
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.volume import SERVICES as VOLUMES
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.volume import STORES

STORAGE = ("controller", "storage")
NETWORKING = ("neutron", "openvswitch")
OBJECTS = ("swift", "ceph")
# Every request passes through the first, and is authenticated by the second.
FRONT = ("haproxy", "keystone")


def checks(run: Run) -> list[Check]:
    """Return the checks that use the cloud's APIs, in the table's order."""

    def check(name, function, needs=(), services=(), **options):
        return Check(name, partial(function, run), needs, services=(*services, *FRONT), **options)

    delete_timeout = run.options["delete_timeout"]
    able = ("token",)
    found = [
        check("project and user", account.project_and_user),
        check("token", account.token, ("project and user",)),
        check("application credential", account.application_credential, able),
        check("catalog", account.catalog, able),
        Check(
            "leftovers",
            partial(
                clean.sweep_earlier,
                run.admin,
                run.name,
                delete_timeout,
                run.options["objects"],
                run.options["services"],
            ),
            ("project and user",),
            services=("nova", "neutron", *FRONT),
            groups=("controller", "compute"),
        ),
        check("image upload", image.round_trip, able, ("glance",)),
        check("image import", image.imported, able, ("glance",)),
        check("guest image", image.guest, able, ("glance",)),
        check("flavor", account.flavor, able, ("nova",)),
        check("network", network.tenant, able, ("neutron",)),
        check("router", network.router, ("network",), ("neutron",), groups=("controller", "network")),
        check("security group", network.security_group, able, ("neutron",)),
        check("key pair", servers.key_pair, able, ("nova",)),
        check("server", servers.first, TO_BOOT, BOOT, after=("leftovers",), groups=NODES),
        check("other servers", servers.others, TO_BOOT, BOOT, after=("leftovers",), groups=NODES),
        check("address by DHCP", servers.dhcp, ("server",), NETWORKING, after=("other servers",), groups=NODES),
        check("floating IP", network.floating_ip, ("server", "router"), NETWORKING, groups=("controller", "network")),
        check("VLAN servers", servers.on_vlan, (*TO_BOOT, "router"), BOOT, after=("leftovers",), groups=NODES),
        check("volume", volume.attached, ("server",), VOLUMES, groups=STORES),
        check("boot from volume", volume.booted, TO_BOOT, VOLUMES, after=("volume",), groups=STORES),
        check("resize", servers.resized, TO_BOOT, BOOT, after=("leftovers",), groups=NODES),
        check("cold migration", servers.moved, ("resize",), BOOT, groups=NODES),
        check("console", console.novnc, ("server",), ("nova",), groups=("controller", "compute")),
    ]
    if run.options["snapshot"]:
        needs = ("server", "address by DHCP")
        found.append(check("snapshot", image.snapshot, needs, ("nova", "glance"), groups=("controller", "compute")))
    if run.options["ldap_domains"]:
        found.append(check("directories of users", account.directories))
    for service in optional.of(run.options["services"]):
        found += service.checks(run, check)
    if run.options["objects"]:
        # Ceph's gateway refuses some of a project's first requests if they arrive together: they create its account.
        others = {"after": ("object",), "groups": STORAGE}
        found += [
            check("object", objects.round_trip, able, OBJECTS, groups=STORAGE),
            check("large object", objects.large, able, OBJECTS, **others),
            check("object quota", objects.quota, able, OBJECTS, **others),
            check("temporary URL", objects.temporary_url, able, OBJECTS, **others),
            check("object by S3", objects.by_s3, able, OBJECTS, **others),
        ]
    return found
