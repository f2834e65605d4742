# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules say of a cloud of five hosts, one of which does not answer, for tests of the report."""

from __future__ import annotations

NOW = 1_790_000_000.0
DAY = 86400
GIB = 2**30
OPTIONS = {
    "cloud": "cairn",
    "addresses": {"internal": "10.203.0.10", "public": "10.203.0.10"},
    "external_network": "10.203.2.0/24",
    "log_hours": 24,
    "certificate_days": 60,
    "full_percent": 85,
}
GROUPS = {
    "controller1": ["controller"],
    "network1": ["network"],
    "compute1": ["compute"],
    "compute2": ["compute"],
    "storage1": ["storage"],
}
UNITS = {
    "controller": "mariadb rabbitmq-server memcached haproxy keepalived apache2 keystone glance-api"
    " placement-api nova-api nova-conductor nova-scheduler nova-novncproxy neutron-rpc-server"
    " neutron-api cinder-api cinder-scheduler",
    "network": "openvswitch-switch neutron-openvswitch-agent neutron-l3-agent neutron-dhcp-agent"
    " neutron-metadata-agent",
    "compute": "openvswitch-switch neutron-openvswitch-agent libvirtd virtlogd nova-compute",
    "storage": "ceph-mon@storage1 ceph-mgr@storage1 ceph-osd.target swift-account swift-container swift-object",
}


CEPH = {
    "name": "Ceph",
    "page": "docs/storage.md",
    "section": "Ceph",
    "part": {"name": "Ceph", "ok": True, "state": "OK, 2 of 2 OSDs up", "detail": "monitors storage1"},
    "capacity": {"name": "Ceph, all disks", "of": "", "used": 410 * GIB, "total": 1862 * GIB, "bytes": 1},
}


def unit(name, number, **more):
    """Return the state of a unit."""
    return {
        "name": name,
        "state": "active",
        "fits": True,
        "wanted": "started",
        "since": int(NOW - (3 + number) * DAY),
        "memory": (40 + 37 * number % 400) * 2**20,
        "restarts": 0,
        "last_restart": None,
        "log": f"/var/log/{name.split('-')[0]}/{name}.log",
        **more,
    }


def nic(name, purpose, *addresses, kind="physical"):
    """Return a NIC."""
    mac = "52:54:00:00:00:01"
    found = {"name": name, "speed": 10000, "mac": mac, "mtu": 1500, "up": True, "carrier": True, "kind": kind}
    return {**found, "addresses": list(addresses), "purposes": purpose.split()}


def certificate(name, days, *paths):
    """Return a certificate."""
    return {"subject": f"CN={name}", "end": NOW + days * DAY + 3600, "paths": list(paths)}


def report(name, number, **more):
    """Return what a host says that is well."""
    (group,) = GROUPS[name]
    names = [*UNITS[group].split(), "chrony", "cairn-firewall", "ssh"]
    nics = [
        nic("eth0", "management", f"10.203.0.{11 + number}/24"),
        nic("eth1", "tunnel", f"10.203.1.{11 + number}/24"),
    ]
    if group == "controller":
        nics[0]["addresses"].append("10.203.0.10/32")
    if group == "network":
        nics += [nic("eth2", "external"), nic("br-ex", "external", kind="openvswitch")]
    paths = ["/etc/cairn/hosts-ca.crt", "/usr/local/share/ca-certificates/cairn.crt"]
    return {
        "time": NOW,
        "kernel": "6.12.48+deb13-amd64",
        "newer_kernel": "",
        "reboot_required": False,
        "system": "Debian GNU/Linux 13 (trixie)",
        "debian": "13.1",
        "uptime": 12.4 * DAY,
        "load": [0.42, 0.38, 0.31],
        "cpus": 8,
        "memory": {"total": 32 * GIB, "available": (22 - 2 * number) * GIB, "swap_total": 0, "swap_free": 0},
        "disks": [
            {"path": "/", "kind": "ext4", "total": 80 * GIB, "used": 21 * GIB, "inodes": 4},
            {"path": "/var/lib", "kind": "xfs", "total": 400 * GIB, "used": (90 + 30 * number) * GIB, "inodes": 2},
        ],
        "nics": nics,
        "packages": [{"name": one, "version": f"2:31.0.{at}-6+deb13u1"} for at, one in enumerate(names[:-1])],
        "updates": [],
        "lists_age": 4.0 * 3600,
        "units": [unit(one, at) for at, one in enumerate(names)],
        "other_failed_units": [],
        "cluster": CEPH if group == "storage" else None,
        "silent": {},
        "errors": {},
        "certificates": [
            certificate("cairn root certificate authority", 7012, *paths),
            certificate(name, 712, "/etc/cairn/host.pem"),
        ],
        "drift": [],
        "unread": {},
        **more,
    }


def host(name, number, **more):
    """Return a host as the action has it."""
    found = {"name": name, "address": f"10.203.0.{11 + number}", "groups": GROUPS[name], "why": "", "clock_offset": 0.3}
    return {**found, "report": report(name, number), **more}


def well():
    """Return the hosts of a cloud without problems."""
    return [host(name, number) for number, name in enumerate(GROUPS)]


def ailing():
    """Return hosts with one problem of each kind."""
    controller, network, compute1, compute2, storage = well()
    said = controller["report"]
    said["units"][9] |= {
        "state": "failed (exit-code)",
        "fits": False,
        "memory": 0,
        "since": int(NOW - 1500),
        "restarts": 5,
    }
    said["units"][2]["last_restart"] = {"time": "2026-09-20T09:12:44Z", "causes": ["/etc/memcached.conf"]}
    said["units"][10]["last_restart"] = {
        "time": "2026-09-21T10:03:09Z",
        "causes": ["/etc/nova/nova.conf", "package nova-conductor", "/etc/nova/policy.yaml"],
    }
    said["silent"] = {"nova-api": "<urlopen error [Errno 111] Connection refused>"}
    said["errors"] = {
        "/var/log/nova/nova-api.log": [
            "2026-09-21 13:52:11.402 8812 CRITICAL nova [-] Unhandled error: [Errno 98] Address already in use",
            "2026-09-21 13:52:14.118 8840 ERROR oslo_service.service [-] Error starting thread.: <b>OSError</b>",
        ],
        "haproxy.service": ['Server nova-api/controller1 is DOWN, reason: Layer4 connection problem, info: "refused"'],
    }
    said["certificates"].append(certificate("cairn.cairn.internal", 41, "/etc/haproxy/cairn.pem"))
    said["updates"] = [
        {"name": "libssl3t64", "old": "3.5.1-1", "new": "3.5.1-1+deb13u1", "security": True},
        {"name": "openssl", "old": "3.5.1-1", "new": "3.5.1-1+deb13u1", "security": True},
        {"name": "tzdata", "old": "2025b-4+deb13u1", "new": "2025c-0+deb13u1", "security": False},
    ]
    compute1["report"]["drift"] = [
        {"kind": "file", "verb": "change", "name": "/etc/nova/nova.conf", "detail": "content"},
        {"kind": "unit", "verb": "restart", "name": "nova-compute", "detail": "/etc/nova/nova.conf"},
    ]
    compute1["report"]["newer_kernel"] = "6.12.57+deb13-amd64"
    compute2 |= {
        "report": None,
        "why": "Failed to connect to the host via ssh: connect to host 10.203.0.14: No route to host",
    }
    storage["report"]["disks"][1]["used"] = 366 * GIB
    return [controller, network, compute1, compute2, storage]


def cloud():
    """Return what a controller says of the cloud."""
    agents = [
        ("nova-conductor", "controller1"),
        ("nova-scheduler", "controller1"),
        ("nova-compute", "compute1"),
        ("nova-compute", "compute2"),
        ("neutron-l3-agent", "network1"),
        ("neutron-dhcp-agent", "network1"),
        ("neutron-openvswitch-agent", "network1"),
        ("neutron-openvswitch-agent", "compute1"),
        ("neutron-openvswitch-agent", "compute2"),
        ("cinder-scheduler", "controller1"),
        ("cinder-volume", "controller1"),
    ]
    kinds = (("vCPUs", 11, 128, 0), ("memory", 13312, 63488, 2**20), ("disk", 96, 1200, GIB))
    return {
        "parts": [
            {"name": "MariaDB", "ok": True, "state": "one server", "detail": "84 connections"},
            {"name": "RabbitMQ", "ok": True, "state": "one node", "detail": "controller1, 0 messages waiting"},
        ],
        "processes": [
            {
                "name": name,
                "host": where,
                "backend": "ceph" if name == "cinder-volume" else "",
                "ok": True,
                "state": "up",
                "reason": "",
                "left": "",
            }
            for name, where in agents
        ],
        "endpoints": [
            {
                "type": kind,
                "name": name,
                "public": f"https://cairn.cairn.internal:{port}",
                "internal": f"https://cairn.cairn.internal:{port}",
            }
            for kind, name, port in (
                ("compute", "nova", 8774),
                ("identity", "keystone", 5000),
                ("image", "glance", 9292),
                ("network", "neutron", 9696),
                ("placement", "placement", 8778),
                ("volumev3", "cinder", 8776),
            )
        ],
        "capacity": [
            {"name": name, "of": of, "used": used * part, "total": total, "bytes": unit_bytes}
            for part, of in ((1, "compute1"), (2, "compute2"))
            for name, used, total, unit_bytes in kinds
        ]
        + [
            {"name": "ceph", "of": "volumes", "used": 312, "total": 1800, "bytes": GIB},
            {"name": "addresses", "of": "public", "used": 37, "total": 200, "bytes": 0},
        ],
        "counts": {"networks": 9, "routers": 4, "floating IPs": 31},
        "servers": {"ACTIVE": 42, "SHUTOFF": 3},
        "broken_servers": [],
        "problems": [],
    }


RUNS = {
    "lock": {"user": "ops", "host": "bastion", "process": 4711, "since": "2026-09-21 12:02:51 +0200"},
    "held": None,
    "last": [
        {
            "time": NOW - hours * 3600,
            "user": "ops",
            "playbook": playbook,
            "seconds": seconds,
            "hosts": 5,
            "counts": counts,
            "failed": failed,
            "unreachable": [],
            "refused": 0,
        }
        for hours, playbook, seconds, counts, failed in (
            (2, "site.yml", 41.2, {"file": {"change": 2}, "unit": {"restart": 1, "reload": 2}}, []),
            (30, "site.yml", 12.7, {"file": {"change": 2}}, ["controller1"]),
            (50, "verify.yml", 98.0, {}, []),
        )
    ],
    "verification": {"tests": 41, "failures": 0, "skipped": 2, "seconds": 96.4, "time": NOW - 2 * DAY, "failed": []},
}


def sick_cloud():
    """Return the cloud of the ailing hosts."""
    found = cloud()
    for one in found["processes"]:
        if one["host"] == "compute2":
            one |= {"ok": False, "state": "down"}
    found["broken_servers"] = [
        {
            "id": "5c7d3c5e-8a44-4c0e-9f3d-3b7f5a0b8a11",
            "name": "web-3",
            "host": "compute2",
            "why": "No valid host was found.",
        }
    ]
    found["servers"] = {"ACTIVE": 41, "SHUTOFF": 3, "ERROR": 1}
    return found
