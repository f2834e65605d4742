# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Handles many hosts in parallel."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import known_hosts, states, store
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.host import Host, Lab
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, locked
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.seed import lab_key


def lab_from(params):
    """Return the lab of a module's options, after checking them."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root on this computer: run as root, or with --become")
    if not re.fullmatch(r"[a-z]{1,6}", params["prefix"]):
        raise LabError("the prefix of a lab must have one to six lowercase letters, as names of interfaces are short")
    os.umask(0o022)  # files of the hosts are read by other users than root
    return Lab(params["directory"], params["prefix"], params.get("networks") or {})


def host_from(lab, item):
    """Return a host of the list; an existing one is identified by its name."""
    made = store.record(Host(lab, item["name"]))
    known = {key: made[key] for key in store.LASTING} if made and not item["address"] else {}
    values = {**item, **known}
    lists = {key: tuple(values[key]) for key in ("networks", "disks") if key in values}
    return Host(lab, **{**values, **lists})


def _each(function, items):
    """Run in parallel; return the results, and the errors by position."""
    answers, errors = {}, {}
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(items)))) as pool:
        futures = {key: pool.submit(function, *arguments) for key, arguments in items.items()}
        for key, future in futures.items():
            try:
                answers[key] = future.result()
            except (LabError, OSError) as error:
                errors[key] = str(error)
    return answers, errors


def twice(hosts):
    """Return the addresses and names that two hosts have."""
    seen, problems = {}, []
    for host in hosts:
        for what in (f"name {host.name}", f"address {host.address}"):
            if what in seen and host.address:
                problems.append(f"{host.name} and {seen[what]} have the same {what}")
            seen[what] = host.name
    return problems


def prepare(lab):
    """Create the shared parts before the hosts are created in parallel."""
    os.makedirs(lab.path("logs"), exist_ok=True)
    lab_key(lab)


def apply(lab, params, check_mode):
    """Change all hosts of the list to the state; return a result for each."""
    state, snapshot = params["state"], params["snapshot"]
    # Check mode and the removal of missing hosts create nothing.
    if not os.path.isdir(lab.directory) and (check_mode or state == "absent"):
        return _run(lab, params, check_mode, state, snapshot)
    with locked(lab.path("lock")):
        return _run(lab, params, check_mode, state, snapshot)


def _run(lab, params, check_mode, state, snapshot):
    result = {"changed": False, "hosts": []}
    items = list(params["hosts"])
    if params["others"]:
        listed = {item["name"] for item in items}
        items += [{"name": name, "address": ""} for name in lab.names() if name not in listed]
    hosts = [host_from(lab, item) for item in items]
    before, after = {}, {}
    # Hosts of several inventories are removed together.
    problems = [] if state == "absent" else twice(hosts)
    for host in hosts:
        before[host.name] = states.current(host)
        after[host.name] = states.wanted(state, before[host.name], snapshot)
        try:
            states.check(host, state, before[host.name], snapshot)
        except LabError as error:
            problems.append(str(error))
    refused = bool(problems)
    if not refused and not check_mode:
        due = {
            host.name: (host, state, before[host.name], params)
            for host in hosts
            if before[host.name] != after[host.name]
        }
        if due and state == "started":
            prepare(lab)
        _answers, errors = _each(states.begin, due)
        waiting = {host.name: (host, state, params) for host in hosts if host.name not in errors}
        _answers, late = _each(states.finish, waiting)
        problems += [*errors.values(), *late.values()]
        known_hosts.refresh(lab)
    for host in hosts:
        changed = before[host.name] != after[host.name]
        item = {"name": host.name, "address": host.address, "changed": changed}
        result["hosts"].append({**item, "before": before[host.name], "after": after[host.name]})
        result["changed"] |= changed and not refused
    result["diff"] = {"before": before, "after": after}
    result["failures"] = problems
    gone = [name for name in after if not after[name]["exists"]]
    made = [name for name in after if after[name]["exists"]]
    result["remaining"] = sorted({*lab.names(), *made} - set(gone))
    return result
