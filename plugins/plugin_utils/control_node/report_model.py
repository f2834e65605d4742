# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report shows: what was read, sorted, with the problems first and what to do about each."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

CRITICAL, WARNING, NOTE = "critical", "warning", "note"
LEVELS = (CRITICAL, WARNING, NOTE)
DAY = 86400
# Fill from which a disk is critical, in percent; what is left of memory is a warning.
FULL, LITTLE_MEMORY = 95, 5
# Seconds that a clock may differ: the answer of a busy host takes some.
CLOCK = 5
# Age of apt's lists.
OLD_LISTS = 14 * DAY
# A unit that systemd has started again so often, and that is up for less than these seconds, is not well.
MANY_RESTARTS, SHORT = 5, 600
# Kinds of interfaces that carry a network even without an address of their own.
NIC_KINDS = ("physical", "bond", "vlan", "veth")
# The parts of a host that may be unread.
PARTS = {
    "newer_kernel": "installed kernels",
    "system": "system",
    "debian": "Debian's version",
    "uptime": "uptime",
    "load": "load",
    "memory": "memory",
    "disks": "disks",
    "nics": "network interfaces",
    "packages": "package versions",
    "updates": "pending updates",
    "lists_age": "age of the package lists",
    "units": "units",
    "other_failed_units": "other failed units",
    "cluster": "state of the storage cluster",
    "silent": "APIs of the host",
    "errors": "log files",
    "journal": "journal",
    "certificates": "certificates",
    "drift": "drift",
}
# The last runs and restarts that are listed.
RUNS, RESTARTS = 10, 15
# Problems of a kind that are listed one by one.
MOST = 12
PURPOSES = ("external", "management", "tunnel", "vlan")
_OPERATIONS = "docs/operations.md"


def problem(
    level: str, what: str, where: str, detail: str, command: str, page: str, section: str, log: bool = False
) -> dict[str, Any]:
    """Return a problem: what and where it is, the detail, the command that helps, and the page and section about it.

    :param log: whether the detail is a line of a log.
    """
    keys = ("level", "what", "where", "detail", "command", "page", "section", "log")
    return dict(zip(keys, (level, what, where, detail, command, page, section, log), strict=True))


def plural(number: int, word: str) -> str:
    """Return a number with its word: ``1 host``, ``3 hosts``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def percent(used: float, total: float) -> int:
    """Return the fill in percent, 0 of nothing."""
    return round(100 * used / total) if total > 0 else 0


def verification(path: str | None) -> dict[str, Any] | None:
    """Return the counts of the last verification from its JUnit XML, with the failed checks; None if there is none."""
    try:
        suite = ElementTree.parse(path or "").getroot()
        numbers = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "skipped")}
        failed = [str(case.get("name")) for case in suite.iter("testcase") if case.find("failure") is not None]
        return {**numbers, "seconds": float(suite.get("time", 0)), "time": os.stat(path).st_mtime, "failed": failed}
    except (OSError, ElementTree.ParseError, ValueError):
        return None


def of_unit(host: Mapping[str, Any], unit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem of a unit that is not as it should be."""
    what = f"{unit['name']} is {unit['state']}"
    command = f"playbooks/site.yml --limit {host['name']}"
    if unit["wanted"] in ("any", "kept"):
        return problem(
            CRITICAL, what, host["name"], "", f"systemctl status {unit['name']}", _OPERATIONS, "What a run shows"
        )
    if unit["wanted"] != "started":
        detail = f"it should be {unit['wanted']}"
        return problem(CRITICAL, what, host["name"], detail, command, _OPERATIONS, "Repair")
    found = host["report"]["errors"]
    lines = found.get(unit["log"]) or found.get(unit["name"]) or found.get(f"{unit['name']}.service") or [""]
    return problem(CRITICAL, what, host["name"], lines[-1], command, _OPERATIONS, "Repair", bool(lines[-1]))


def of_host(host: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the problems of a host."""
    name, said = host["name"], host["report"]
    if said is None and host.get("answers"):
        yield problem(
            CRITICAL, f"{name} could not be read", name, host["why"][:300], "", _OPERATIONS, "What a run shows"
        )
        return
    if said is None:
        groups = host["groups"]
        section = "A compute host is lost" if "compute" in groups else "Maintenance of a host"
        yield problem(CRITICAL, f"{name} does not answer", name, host["why"][:300], "", _OPERATIONS, section)
        return
    for part, why in said["unread"].items():
        what = f"{PARTS.get(part, part)} could not be read"
        yield problem(WARNING, what, name, why, "", "", "")
    limit = f"playbooks/site.yml --limit {name}"
    down = {unit["name"] for unit in said["units"] if not unit["fits"]}
    yield from (of_unit(host, unit) for unit in said["units"] if not unit["fits"])
    for unit in said["units"]:
        up = said["time"] - unit["since"]
        if unit["fits"] and unit["since"] and unit["restarts"] >= MANY_RESTARTS and up < SHORT:
            what, detail = f"{unit['name']} restarts again and again", f"{unit['restarts']} times, up for {span(up)}"
            yield problem(WARNING, what, name, detail, f"journalctl -u {unit['name']}", _OPERATIONS, "Repair")
    for nic in said["nics"]:
        if lost := nic_failure(nic):
            names = " and ".join(nic["purposes"])
            what = f"{nic['name']} ({names} network{'s' * (len(nic['purposes']) > 1)}) {lost}"
            yield problem(CRITICAL, what, name, "", f"ip link show {nic['name']}", "docs/preflight.md", "Hosts")
    for api, why in said["silent"].items():
        if api not in down:
            yield problem(CRITICAL, f"{api} does not answer", name, why, limit, _OPERATIONS, "Repair")
    if said["other_failed_units"]:
        units = ", ".join(said["other_failed_units"])
        command = f"systemctl status {said['other_failed_units'][0]}"
        yield problem(WARNING, f"other failed units: {units}", name, "", command, _OPERATIONS, "What a run shows")
    for disk in said["disks"]:
        space = percent(disk["used"], disk["total"])
        fill = max(space, disk["inodes"])
        if fill >= options["full_percent"]:
            level = CRITICAL if fill >= FULL else WARNING
            detail = "" if fill == space else "all of its inodes" if fill == 100 else f"{fill} % of its inodes"
            command = f"df {'-h' if fill == space else '-i'} {disk['path']}"
            yield problem(level, f"{disk['path']} is {fill} % full", name, detail, command, "", "")
    memory = said["memory"]
    if memory["total"] and percent(memory["available"], memory["total"]) < LITTLE_MEMORY:
        detail = f"{size(memory['available'])} of {size(memory['total'])} available"
        yield problem(WARNING, "little memory is left", name, detail, "systemd-cgtop -m", "docs/preflight.md", "Hosts")
    if abs(host["clock_offset"] or 0) > CLOCK:
        detail = f"{host['clock_offset']} s from the control node's clock"
        yield problem(WARNING, "the clock differs", name, detail, limit, _OPERATIONS, "Repair")
    if said["newer_kernel"] or said["reboot_required"]:
        detail = f"{said['newer_kernel']} is installed, {said['kernel']} runs" if said["newer_kernel"] else ""
        command = f"playbooks/maintenance.yml -e host={name}"
        yield problem(NOTE, "a reboot is required", name, detail, command, _OPERATIONS, "Maintenance of a host")
    if security := [one["name"] for one in said["updates"] if one["security"]]:
        what = f"{plural(len(security), 'security update')} pending"
        yield problem(WARNING, what, name, ", ".join(security[:MOST]), "apt-get upgrade", "", "")
    if "lists_age" not in said["unread"] and (said["lists_age"] is None or said["lists_age"] > OLD_LISTS):
        age = "never read" if said["lists_age"] is None else f"{round(said['lists_age'] / DAY)} days old"
        yield problem(NOTE, "the package lists are old", name, age, "apt-get update", "", "")
    if said["drift"]:
        what = f"{plural(len(said['drift']), 'difference')} from the desired state"
        detail = "; ".join(sentence(one) for one in said["drift"][:3])
        detail += f"; {len(said['drift']) - 3} more" if len(said["drift"]) > 3 else ""
        command = f"playbooks/site.yml --check --diff --limit {name}"
        yield problem(WARNING, what, name, detail, command, _OPERATIONS, "Plan and drift")


def nic_failure(nic: Mapping[str, Any]) -> str:
    """Return what is wrong with a NIC that a network of the cloud uses, empty if nothing is."""
    # The interface of a bridge that has no address is not used.
    if not nic["purposes"] or (nic["kind"] not in NIC_KINDS and not nic["addresses"]):
        return ""
    return "" if nic["up"] and nic["carrier"] else nic_state(nic) if not nic["up"] else f"has {nic_state(nic)}"


def nic_state(nic: Mapping[str, Any]) -> str:
    """Return the state of a NIC as text."""
    return "is down" if not nic["up"] else "up" if nic["carrier"] else "no carrier"


def sentence(change: Mapping[str, str]) -> str:
    """Return a change as text: ``restart nova-api: /etc/nova/nova.conf``."""
    if change["kind"] == "step":
        return f"step {change['name'].replace('_', ' ')}"
    words = f"{change['verb']} {change['name']}"
    return f"{words}: {change['detail']}" if change["detail"] else words


def of_part(part: Mapping[str, Any], page: str, section: str) -> dict[str, Any]:
    """Return the problem of a cluster that is not well."""
    what = f"{part['name']}: {part['state']}"
    level = WARNING if part.get("mild") else CRITICAL
    return problem(level, what, "cloud", part["detail"], "playbooks/site.yml --check", page, section)


def of_cloud(
    cloud: Mapping[str, Any], options: Mapping[str, Any], silent: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the problems of the cloud as a whole.

    :param silent: the hosts that do not answer, whose processes are no problems of their own.
    """
    again = "playbooks/site.yml"
    for one in cloud["problems"]:
        yield problem(CRITICAL, f"{one['name']}: no answer", "cloud", one["why"], again, _OPERATIONS, "Repair")
    for part in cloud["parts"]:
        if not part["ok"]:
            yield of_part(part, "docs/reliability.md", "Several controllers")
    for one in cloud["processes"]:
        name = f"{one['name']} on {one['host']}{'@' * bool(one['backend'])}{one['backend']}"
        if one["left"]:
            yield problem(WARNING, f"{name} is left over", "cloud", one["left"], again, _OPERATIONS, "Remove a host")
        elif not one["ok"] and not (one["host"] in silent and "down" in one["state"]):
            level = CRITICAL if "down" in one["state"] else WARNING
            # One that names its back end in place of a host can run on several.
            command = again if one["host"] == one["backend"] else f"{again} --limit {one['host']}"
            section = "Maintenance of a host" if "disabled" in one["state"] else "Repair"
            yield problem(level, f"{name} is {one['state']}", "cloud", one["reason"], command, _OPERATIONS, section)
    for server in cloud["broken_servers"]:
        what = f"server {server['name']} is in state ERROR"
        command = f"openstack server show {server['id']}"
        yield problem(WARNING, what, server["host"] or "cloud", server["why"], command, "", "")
    for share in cloud["capacity"]:
        if (fill := percent(share["used"], share["total"])) >= options["full_percent"]:
            what = f"{share['name']}{' of ' * bool(share['of'])}{share['of']}: {fill} % used"
            yield problem(WARNING, what, "cloud", "", "", _OPERATIONS, "Change, repair, grow, remove")


def counted(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the numbers of a run's changes as text: ``2 files, 1 unit``."""
    words = ("directory", "directories"), ("repository", "repositories")
    found = []
    for kind, verbs in sorted(counts.items()):
        text = plural(sum(verbs.values()), kind)
        for one, many in words:
            text = text.replace(f"{one}s", many)
        found.append(text)
    return ", ".join(found) or "nothing"


def of_runs(runs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the problems of the last run: that it was refused, failed, or was killed."""
    if runs["held"] or not runs["last"]:
        return
    last = runs["last"][0]
    command = f"playbooks/{last['playbook']}"
    if last["refused"]:
        what, detail = f"preflight refused the last run: {last['playbook']}", plural(last["refused"], "error")
        yield problem(WARNING, what, "cloud", detail, command, "docs/preflight.md", "Preflight")
    try:
        started = datetime.datetime.strptime(runs["lock"].get("since", ""), "%Y-%m-%d %H:%M:%S %z").timestamp()
    except ValueError:
        started = 0
    if started > last["time"] + 1:
        what, detail = (
            "the last run has recorded no end",
            f"it began {runs['lock']['since']}, and was killed",
        )
        yield problem(WARNING, what, "cloud", detail, "playbooks/site.yml", _OPERATIONS, "What a run shows")
    elif last["failed"] or last["unreachable"]:
        words = ("failed on", last["failed"]), ("without", last["unreachable"])
        detail = "; ".join(f"{word} {', '.join(map(str, names))}" for word, names in words if names)
        what = f"the last run failed: {last['playbook']}" if last["failed"] else "the last run has left out hosts"
        yield problem(WARNING, what, "cloud", detail, command, _OPERATIONS, "What a run shows")


def of_certificates(found: Iterable[Mapping[str, Any]], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the problems of certificates."""
    for one in found:
        if one["days"] is None:
            what, where = f"the end of {one['subject']} is unknown", ", ".join(one["hosts"])
            detail = ", ".join(one["paths"])
            yield problem(WARNING, what, where, detail, "", _OPERATIONS, "Renew certificates")
        elif one["days"] < options["certificate_days"]:
            level = CRITICAL if one["days"] < 0 else WARNING
            what = (
                f"{one['subject']} {'has expired' if one['days'] < 0 else 'expires in ' + plural(one['days'], 'day')}"
            )
            where = ", ".join(one["hosts"])
            yield problem(
                level, what, where, ", ".join(one["paths"]), "playbooks/site.yml", _OPERATIONS, "Renew certificates"
            )


def certificates(hosts: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Return each certificate once, with its hosts and the days that are left, the first end first."""
    found: dict[tuple[str, float], dict[str, Any]] = {}
    for host in hosts:
        for one in host["report"]["certificates"] if host["report"] else ():
            entry = found.setdefault(
                (one["subject"], one["end"]),
                {"subject": common_name(one["subject"]), "end": one["end"], "hosts": [], "paths": []},
            )
            entry["hosts"].append(host["name"])
            entry["paths"] += [path for path in one["paths"] if path not in entry["paths"]]
    for entry in found.values():
        entry["days"] = int((entry["end"] - now) // DAY) if entry["end"] else None
        entry["hosts"] = list(dict.fromkeys(entry["hosts"]))
    return sorted(found.values(), key=lambda one: (one["end"], one["subject"]))


def common_name(subject: str) -> str:
    """Return the common name of a subject, or the subject if it has none."""
    found = re.search(r"CN ?= ?([^,]+)", subject)
    return found[1] if found else subject


def networks(hosts: Iterable[Mapping[str, Any]], external: str) -> list[dict[str, Any]]:
    """Return the networks that hosts use, each with its CIDR and what each host has in it: the NIC and its address."""
    found: dict[str, dict[str, Any]] = {}
    for host in hosts:
        for nic in host["report"]["nics"] if host["report"] else ():
            for purpose in nic["purposes"]:
                network = found.setdefault(purpose, {"purpose": purpose, "cidr": "", "hosts": {}})
                place = network["hosts"].setdefault(host["name"], {"nics": [], "address": ""})
                place["nics"].append(nic["name"])
                plain = [text for text in nic["addresses"] if ":" not in text]
                # The VIP has a prefix of its own.
                own = next((text for text in plain if text.split("/")[0] == host["address"]), next(iter(plain), ""))
                # Other networks of the NIC have no address here.
                if own and purpose == nic["purposes"][0]:
                    place["address"] = own.split("/")[0]
                    network["cidr"] = network["cidr"] or str(ipaddress.ip_interface(own).network)
    if "external" in found:
        found["external"]["cidr"] = external or found["external"]["cidr"]
    return sorted(found.values(), key=lambda one: PURPOSES.index(one["purpose"]))


def leaders(hosts: list[Mapping[str, Any]], addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return which host has each of the cloud's addresses."""
    found = []
    controllers = [host for host in hosts if "controller" in host["groups"]]
    # keepalived moves all addresses of the cloud, unless the internal one is that of its only controller.
    moving = addresses.get("internal") not in [host["address"] for host in controllers]
    for address in dict.fromkeys(filter(None, addresses.values())):
        uses = " and ".join(use for use, one in addresses.items() if one == address)
        here = [
            host["name"]
            for host in hosts
            if host["report"]
            for nic in host["report"]["nics"]
            if address in [text.split("/")[0] for text in nic["addresses"]]
        ]
        ok, state = len(here) == 1, f"on {' and '.join(here) or 'no host'}"
        unread = [host for host in controllers if not host["report"] or "nics" in host["report"]["unread"]]
        if not here and unread:
            ok, state = True, "on no host that has answered"
        elif not here and "internal" not in uses and not moving:
            # A router in front of the cloud may have it.
            ok, state = True, "outside of the cloud"
        found.append({"name": f"Address {address}", "ok": ok, "state": state, "detail": f"{uses} endpoints"})
    return found


def restarts(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the last restarts by runs, the newest first."""
    found = [
        {"host": host["name"], "unit": unit["name"], **unit["last_restart"]}
        for host in hosts
        if host["report"]
        for unit in host["report"]["units"]
        if unit["last_restart"]
    ]
    return sorted(found, key=lambda one: one["time"], reverse=True)[:RESTARTS]


def processes(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the processes by name."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for one in found:
        named.setdefault(one["name"], []).append(one)
    return [{"name": name, "places": places} for name, places in sorted(named.items())]


def cluster(hosts: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what a host says of a cluster of storage: one that has an answer, else why there is none; None of none."""
    found = [host["report"]["cluster"] for host in hosts if host["report"] and host["report"]["cluster"]]
    return next((one for one in found if "part" in one), next(iter(found), None))


def totals(shares: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the capacity by name: the sum, and its parts if there are several."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for share in shares:
        # What counts addresses or back ends is shown one by one.
        named.setdefault(share["name"] if share["of"] != "volumes" else f"volumes: {share['name']}", []).append(share)
    found = []
    for name, parts in named.items():
        used, total = (sum(part[key] for part in parts) for key in ("used", "total"))
        several = sorted(parts, key=lambda part: part["of"]) if len(parts) > 1 else []
        of = "" if several or parts[0]["of"] == "volumes" else parts[0]["of"]
        found.append(
            {"name": name, "of": of, "used": used, "total": total, "bytes": parts[0]["bytes"], "parts": several}
        )
    return found


def size(number: float) -> str:
    """Return bytes as text in the unit that fits."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("not reached")


def span(seconds: float) -> str:
    """Return a duration as text: ``3 d``, ``5 h``, ``12 min``."""
    for length, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length or (unit == "min" and seconds >= 60):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def summary(hosts: list[Mapping[str, Any]], problems: list[Mapping[str, str]], ends: list[Mapping[str, Any]]) -> str:
    """Return the state of the cloud in one sentence."""
    answering = [host for host in hosts if host["report"]]
    answers = sum(bool(host["report"] or host.get("answers")) for host in hosts)
    failed = sum(not unit["fits"] for host in answering for unit in host["report"]["units"])
    silent = sum(len(host["report"]["silent"]) for host in answering)
    numbers = [f"{answers} of {plural(len(hosts), 'host')} answer{'s' * (len(hosts) == 1)}"]
    if unread := answers - len(answering):
        numbers.append(f"{plural(unread, 'host')} could not be read")
    partly = sum(bool(host["report"]["unread"]) for host in answering)
    if partly:
        numbers.append(f"{plural(partly, 'host')} could be read in part only")
    if failed:
        numbers.append(f"{plural(failed, 'unit')} failed")
    elif answering and not any("units" in host["report"]["unread"] for host in answering):
        numbers.append("all units run" if len(answering) == len(hosts) else "all units run on the hosts that were read")
    if silent:
        numbers.append(f"{plural(silent, 'API')} silent")
    if drifting := sum(bool(host["report"]["drift"]) for host in answering):
        numbers.append(f"{plural(drifting, 'host')} differ{'s' * (drifting == 1)} from the desired state")
    if dated := [one["days"] for one in ends if one["days"] is not None]:
        days = dated[0]
        first = f"the first certificate ends in {plural(days, 'day')}" if days >= 0 else "a certificate has expired"
        numbers.append(first)
    return ", ".join(numbers)


def model(
    options: Mapping[str, Any],
    hosts: list[dict[str, Any]],
    cloud: Mapping[str, Any] | None,
    reason: str,
    runs: Mapping[str, Any],
    now: float,
) -> dict[str, Any]:
    """Return what the page shows.

    :param options: those of the action.
    :param hosts: name, address, groups, what M(cairn.openstack.host_report) returned or None, the reason for None,
        whether it answers all the same, and the offset of the clock.
    :param cloud: what M(cairn.openstack.cloud_report) returned, None if no controller answered.
    :param reason: why *cloud* is None.
    :param runs: the ``last`` ones, the ``lock`` of the last one, ``held`` by a run now, and the last ``verification``.
    """
    ends = certificates(hosts, now)
    problems = [one for host in hosts for one in of_host(host, options)]
    problems += of_certificates(ends, options)
    parts, shares = [], []
    if (stored := cluster(hosts)) and "part" in stored:
        shares.append(stored["capacity"])
    if cloud:
        parts = [*leaders(hosts, options["addresses"]), *cloud["parts"]]
        moved = [part for part in parts[: len(parts) - len(cloud["parts"])] if not part["ok"]]
        section = "Several controllers"
        problems += (
            problem(CRITICAL, f"{part['name']} is {part['state']}", "cloud", "", "", "docs/reliability.md", section)
            for part in moved
        )
        away = [host["name"] for host in hosts if not host["report"] and not host.get("answers")]
        problems += of_cloud(cloud, options, away)
    else:
        why = reason or "no controller has answered"
        problems.append(problem(CRITICAL, "the cloud could not be read", "cloud", why, "", _OPERATIONS, "Repair"))
    if stored and "part" in stored:
        parts.append(stored["part"])
    elif stored:
        what = f"{stored['name']} does not answer"
        problems.append(problem(CRITICAL, what, "cloud", stored["why"], "", stored["page"], stored["section"]))
    if stored and not stored.get("part", {"ok": True})["ok"]:
        problems.append(of_part(stored["part"], stored["page"], stored["section"]))
    problems += of_runs(runs)
    if (verified := runs["verification"]) and verified["failures"]:
        what = f"{plural(verified['failures'], 'check')} of the last verification failed"
        page = "roles/verify/README.md"
        detail = ", ".join(verified["failed"][:MOST])
        problems.append(problem(WARNING, what, "cloud", detail, "playbooks/verify.yml", page, "Verifying a cloud"))
    problems.sort(key=lambda one: LEVELS.index(one["level"]))
    counts = {level: sum(one["level"] == level for one in problems) for level in LEVELS}
    by_host = {
        host["name"]: next((one["level"] for one in problems if one["where"] == host["name"]), "") for host in hosts
    }
    return {
        "cloud": options["cloud"],
        "now": now,
        "time": time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)),
        "stamp": datetime.datetime.fromtimestamp(now).astimezone().isoformat(timespec="seconds"),
        "sentence": summary(hosts, problems, ends),
        "level": CRITICAL if counts[CRITICAL] else WARNING if counts[WARNING] else "",
        "counts": counts,
        "problems": problems,
        "hosts": [{**host, "level": by_host[host["name"]]} for host in hosts],
        "networks": networks(hosts, options["external_network"]),
        "parts": parts,
        "processes": processes(cloud["processes"]) if cloud else [],
        "endpoints": cloud["endpoints"] if cloud else [],
        "numbers": _numbers(cloud) if cloud else {},
        "capacity": totals([*(cloud["capacity"] if cloud else []), *shares]),
        "certificates": ends,
        "restarts": restarts(hosts),
        "runs": runs,
        "log_hours": options["log_hours"],
        "full_percent": options["full_percent"],
        "certificate_days": options["certificate_days"],
    }


def _numbers(cloud: Mapping[str, Any]) -> dict[str, Any]:
    states = ", ".join(f"{number} {state}" for state, number in sorted(cloud["servers"].items()))
    return {"servers": sum(cloud["servers"].values()), **cloud["counts"], "server states": states}
