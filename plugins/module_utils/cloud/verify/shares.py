# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared file systems: one that two servers mount, one that no rule opens, and one restored from a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.sdk import client, rest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import account, volume
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import (
    Bad,
    Check,
    NotRun,
    Service,
    poll,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

TYPE = "shared-file-system"
OF, NODES = ("manila", "nfs-ganesha", "ganesha", "ceph"), ("controller", "storage")
# The version of the API, which has the rules of a share as a list of their own.
VERSION = {"X-OpenStack-Manila-API-Version": "2.60"}
SHARED, CLOSED, RESTORED = "share", "closed", "restored"
SIZE = 1  # GiB
PORT = 2049
# What a server prints in place of an error.
NO_CLIENT, UNREACHED = "cairn-verify: no NFS client", "cairn-verify: no response"
REFUSED, MOUNTED = "refused", "mounted"


def checks(run: Run, check: Callable[..., Check]) -> list[Check]:
    """Return the checks that use the API."""
    return [
        check("share", created, ("token",), OF, groups=NODES),
        check("share's rules", opened, ("share", "floating IP"), OF, groups=NODES),
    ]


def written(probe: Any) -> list[Check]:
    """Return the checks in two servers."""

    def check(name, function, *needs):
        return Check(name, partial(function, probe), needs, services=OF, groups=NODES)

    return [
        check("share written", wrote, "ssh", "share's rules"),
        check("share read by another server", other, "share written", "other servers"),
        check("share refused", refused, "share written"),
    ]


def copies(of: volume.Copies) -> list[Check]:
    """Return the checks that restore what a server wrote."""

    def check(name, function, *needs):
        return Check(name, partial(function, of.run), needs, services=OF, groups=NODES)

    return [
        check("share snapshot", snapped, "share written"),
        check("share from snapshot", restored, "share snapshot"),
    ]


def reread(probe: Any) -> list[Check]:
    """Return the check of what was restored."""
    function = partial(read, probe, RESTORED)
    return [Check("restored share read", function, ("share from snapshot",), services=OF, groups=NODES)]


def created(run: Run) -> str:
    """Create two shares of the default type."""
    made = {name: _create(run, name) for name in (SHARED, CLOSED)}
    for name, share in made.items():
        run.shares[name] = _ready(run, share)
    return f"{SIZE} GiB, {run.shares[SHARED].partition(':')[0]}"


def opened(run: Run) -> str:
    """Let the first server, which comes from its floating IP, and others, which come from the router, use one."""
    addresses = (run.floating_address, run.router_address)
    for address in addresses:
        _allow(run, _named(run, SHARED), address)
    return ", ".join(addresses)


def snapped(run: Run) -> str:
    """Create a snapshot of the share."""
    body = {"snapshot": {"share_id": _named(run, SHARED), "name": run.name}}
    made = _rest(run.user, "POST", "/snapshots", json=body)["snapshot"]["id"]
    _wait(run, "snapshot", made)
    return f"of {SIZE} GiB"


def restored(run: Run) -> str:
    """Create a share from the snapshot, and let the first server use it."""
    (snapshot,) = _rest(run.user, "GET", "/snapshots")["snapshots"]
    share = _create(run, RESTORED, snapshot_id=snapshot["id"])
    run.shares[RESTORED] = _ready(run, share)
    # The same rule as before; in this phase nothing else knows the floating IP.
    rules = _rest(run.user, "GET", f"/share-access-rules?share_id={_named(run, SHARED)}")["access_list"]
    for rule in rules:
        _allow(run, share, rule["access_to"])
    return f"{SIZE} GiB, with {len(rules)} rules"


def wrote(probe: Any) -> str:
    """Write to the share in the first server, and read it."""
    command = f"{_mount(probe, SHARED)} yes {probe.made['run']} | head -c {volume.WRITTEN} | sudo -n tee $place/data "
    said = probe.within(f"{command} >/dev/null && sync")
    _usable(probe, said)
    return f"{volume.WRITTEN // 2**20} MiB, and {read(probe, SHARED)}"


def other(probe: Any) -> str:
    """Read in another server what the first one has written."""
    if not probe.neighbours:
        raise NotRun("there is no other server")
    return f"in {probe.neighbours[0]['name']}, {read(probe, SHARED, probe.neighbours[0])}"


def refused(probe: Any) -> str:
    """Mount the share without a rule: the NFS server refuses it."""
    found = probe.within(f"{_mount(probe, CLOSED, f'echo {REFUSED}; exit 0')} sudo -n umount $place; echo {MOUNTED}")
    _usable(probe, found)
    if found.splitlines()[-1:] != [REFUSED]:
        raise probe.bad(f"a share without a rule was mounted: {probe.made['shares'][CLOSED]}")
    return "without a rule"


def read(probe: Any, name: str, guest: dict | None = None) -> str:
    """Compare what a server reads from a share with what the first one wrote to it."""
    said = probe.within(f"{_mount(probe, name, guest=guest)} sudo -n cat $place/data | sha256sum | cut -c1-64", guest)
    _usable(probe, said)
    if said != volume.digest(probe.made["run"]):
        raise probe.bad(f"the data differs from what was written: sha256 {said}", guest)
    return f"read back: sha256 {said[:12]}…"


def _mount(probe: Any, name: str, otherwise: str = "exit 1", guest: dict | None = None) -> str:
    """Return the shell commands that mount a share at C($place), which need no helper program.

    :param otherwise: what is done if that fails.
    """
    path, own = probe.made["shares"][name], (guest or probe.guest)["address"]
    server, options = path.partition(":")[0], f"vers=4.1,proto=tcp,soft,clientaddr={own}"
    return (
        f"place=/tmp/{probe.made['run']}-{name}; "
        "grep -qw nfs4 /proc/filesystems || sudo -n modprobe nfsv4 2>/dev/null; "
        f"grep -qw nfs4 /proc/filesystems || {{ echo '{NO_CLIENT}'; exit 0; }}; "
        # One that refuses the connection is there, but no NFS server.
        f"said=$(timeout 15 bash -c '</dev/tcp/{server}/{PORT}' 2>&1) || case $said in *refused*) ;; "
        f"*) echo '{UNREACHED}'; exit 0;; esac; "
        f'mkdir -p $place; grep -q " $place nfs4 " /proc/mounts || '
        f"sudo -n timeout 60 mount -t nfs4 -o {options} {path} $place || {{ {otherwise}; }};"
    )


def _usable(probe: Any, said: str) -> None:
    """Raise NotRun if the server could not try it."""
    if said == NO_CLIENT:
        raise NotRun("the servers' image has no NFS client (the kernel's module nfsv4)")
    if said == UNREACHED:
        server = probe.made["shares"][SHARED].partition(":")[0]
        raise NotRun(f"servers do not reach {server}, port {PORT}")


def _rest(connection: Any, method: str, path: str, **more: Any) -> Any:
    """Return what Manila's API responds, None without a body."""
    response = rest(client(connection, TYPE), method, path, headers=VERSION, **more)
    return response.json() if response.content else None


def _create(run: Run, name: str, **of: str) -> str:
    """Create a share, and return its id."""
    body = {"share": {"name": f"{run.name}-{name}", "share_proto": "NFS", "size": SIZE, **of}}
    return _rest(run.user, "POST", "/shares", json=body)["share"]["id"]


def _named(run: Run, name: str) -> str:
    """Return the id of a share of the run."""
    (found,) = _rest(run.user, "GET", f"/shares?name={run.name}-{name}")["shares"]
    return found["id"]


def _ready(run: Run, share: str) -> str:
    """Wait for a share, and return its path."""
    _wait(run, "share", share)
    found: list[str] = []

    def look() -> bool:
        locations = _rest(run.user, "GET", f"/shares/{share}/export_locations")["export_locations"]
        found.extend(one["path"] for one in locations)
        return bool(found)

    # One from a snapshot is available a moment before it has a path.
    if not poll(look, run.options["boot_timeout"], 1):
        raise Bad(f"the share is available, but has no path after {run.options['boot_timeout']} s", (share,))
    return found[0]


def _wait(run: Run, kind: str, name: str) -> None:
    """Wait until a share or a snapshot is available."""
    seconds = run.options["boot_timeout"]

    def look() -> str:
        status = _rest(run.user, "GET", f"/{kind}s/{name}")[kind]["status"]
        return status if status == "available" or "error" in status else ""

    if (status := poll(look, seconds)) != "available":
        said = _rest(run.user, "GET", f"/messages?resource_id={name}")["messages"]
        why = "".join(f": {one['user_message']}" for one in said[:1])
        raise Bad(f"the {kind} is {status or 'not available'} after at most {seconds} s{why}", (name,))


def _allow(run: Run, share: str, address: str) -> None:
    """Let an address use a share, and wait until the NFS server knows it."""
    body = {"allow_access": {"access_type": "ip", "access_to": address, "access_level": "rw"}}
    rule = _rest(run.user, "POST", f"/shares/{share}/action", json=body)["access"]["id"]
    seconds = run.options["boot_timeout"]

    def look() -> str:
        state = _rest(run.user, "GET", f"/share-access-rules/{rule}")["access"]["state"]
        return state if state in ("active", "error") else ""

    if (state := poll(look, seconds)) != "active":
        raise Bad(f"the rule for {address} is {state or 'not active'} after at most {seconds} s", (share, rule))


def sweep(admin: Any, project: str, seconds: float) -> list[str]:
    """Delete all snapshots and shares of a project as admin, and return those that remain.

    :param seconds: how long to wait for that.
    """
    there = account.admin_of(admin, project)
    left: list[str] = []
    # A share with a snapshot is not deleted.
    for kind in ("snapshot", "share"):

        def listed(kind: str = kind) -> list[dict]:
            return _rest(there, "GET", f"/{kind}s")[f"{kind}s"]

        for one in listed():
            # One that is gone meanwhile, or is busy, shows in the list.
            client(there, TYPE).request(f"/{kind}s/{one['id']}", "DELETE", headers=VERSION)
        poll(lambda listed=listed: not listed(), seconds)
        left += [f"{kind} {one['name']}" for one in listed()]
    return left


SERVICE = Service("manila", "shared file system", checks, sweep, written, copies, reread)
