# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report says of a host: its load, disks, NICs, packages, units, log lines, certificates and drift."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.cairn.openstack.plugins.module_utils.common import service_logs
from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import hidden, hide
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.service_health import poll
from ansible_collections.cairn.openstack.plugins.module_utils.control_plane.user_ids import user_ids
from ansible_collections.cairn.openstack.plugins.module_utils.host import config_files, packages, units
from ansible_collections.cairn.openstack.plugins.module_utils.overview.host_probe import interfaces, text
from ansible_collections.cairn.openstack.plugins.module_utils.overview.pending import pending
from ansible_collections.cairn.openstack.plugins.module_utils.storage.ceph.status import cluster_status

# Seconds for apt to compute the updates.
APT_TIMEOUT = 120
# A virtual disk of the kernel's own, or one that is full by its nature.
NO_DISK = ("/dev/loop", "/dev/sr")
NIC_KINDS = ("physical", "bond", "vlan", "veth")
LISTS = "/var/lib/apt/lists"
KERNELS = "/boot/vmlinuz-*"
REBOOT = "/run/reboot-required"
# Lines of the journal to read, of all units.
JOURNAL_LINES = 20000
_UPDATE = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<old>[^]]*)\] )?\((?P<new>\S+) (?P<source>[^[)]*)", re.MULTILINE)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,ActiveEnterTimestamp,InactiveEnterTimestamp"
_PROPERTIES += ",MemoryCurrent,NRestarts,ControlGroup"
# How journalctl says that none of the units has written anything.
_NO_ENTRY = "No data available"
# The last line of a traceback, as oslo.log writes it, may be empty.
_BARE = re.compile(r"\b(ERROR|CRITICAL) \S+$")


def _run(words: list[str], stdin: str | None = None, seconds: float = 30) -> str:
    """Return the output of a command without translations.

    :raises Failed: it fails, or does not end.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"{words[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Failed(f"{words[0]}: {last}")
    return done.stdout


def memory() -> dict[str, int]:
    """Return total and available memory, and total and free swap, in bytes."""
    found = dict(re.findall(r"^(\w+):\s+(\d+)", text("/proc/meminfo"), re.MULTILINE))
    keys = {"total": "MemTotal", "available": "MemAvailable", "swap_total": "SwapTotal", "swap_free": "SwapFree"}
    return {key: int(found.get(name, 0)) * 1024 for key, name in keys.items()}


def disks(mounts: str = "/proc/self/mounts") -> list[dict]:
    """Return the mounted file systems on disks, with their bytes and the percentage of used inodes; each disk once.

    As in C(df), what only root may use counts as neither used nor available.
    """
    found: dict[int, dict] = {}
    for line in text(mounts).splitlines():
        device, path, kind = line.split()[:3]
        path = path.encode().decode("unicode_escape")
        # The root of a container has no device of its own, and its host's disks are mounted below /run.
        if path != "/" and (not device.startswith("/dev/") or device.startswith(NO_DISK) or path.startswith("/run/")):
            continue
        try:
            size, number = os.statvfs(path), os.stat(path).st_dev
        except OSError:
            continue
        if size.f_blocks and number not in found and os.path.isdir(path):
            used = size.f_blocks - size.f_bfree
            # Some file systems have no number of inodes.
            inodes = round(100 * (size.f_files - size.f_ffree) / size.f_files) if size.f_files else 0
            found[number] = {
                "path": path,
                "kind": kind,
                "total": (used + size.f_bavail) * size.f_frsize,
                "used": used * size.f_frsize,
                "inodes": inodes,
            }
    return sorted(found.values(), key=lambda disk: disk["path"])


def nics(links: dict[str, dict], networks: dict, root: str = "/sys/class/net") -> list[dict]:
    """Return the NICs, and whatever else has an address, with their carrier and speed in Mbit/s; 0 if unknown.

    :param links: as returned by ``host_probe.interfaces``.
    :param networks: as for ``purposes``.
    """
    named = {networks.get(purpose) for purpose in ("tunnel", "external", "vlan")}
    named |= {port for bridge in networks.get("bridges", []) for port in bridge.get("ports", [])}
    found = []
    for name, link in links.items():
        if link["kind"] == "loopback" or not (link["addresses"] or link["kind"] in NIC_KINDS):
            continue
        # Ends of guests' cables have no address, and would hide the others.
        if link["kind"] == "veth" and not link["addresses"] and name not in named:
            continue
        speed, carrier = (text(f"{root}/{name}/{key}").strip() for key in ("speed", "carrier"))
        found.append({**link, "name": name, "speed": int(speed) if speed.isdigit() else 0, "carrier": carrier == "1"})
    return found


def purposes(found: list[dict], networks: dict) -> list[dict]:
    """Return the NICs in *found*, each with the C(purposes) of its networks; that of its address is the first one.

    :param networks: ``address`` is the management address; ``tunnel``, ``external`` and ``vlan`` are NICs, or empty;
        ``bridges`` are those of M(cairn.openstack.ovs_bridges), which take over NICs and their addresses.
    """
    owners = {port: one["name"] for one in networks.get("bridges", []) for port in one.get("ports", [])}
    of_nic: dict[str, list[str]] = {}
    address = networks.get("address", "")
    for one in found:
        if address in [text.split("/")[0] for text in one["addresses"]]:
            of_nic[one["name"]] = ["management"]
    for purpose in ("tunnel", "external", "vlan"):
        nic = networks.get(purpose)
        # Only some hosts use the last two, and those bridge them.
        if nic and (purpose == "tunnel" or nic in owners):
            for name in sorted({nic, owners.get(nic, nic)}):
                of_nic.setdefault(name, []).append(purpose)
    return [{**one, "purposes": of_nic.get(one["name"], [])} for one in found]


def newer_kernel(running: str, images: Iterable[str]) -> str:
    """Return the release of a kernel that was installed after the *running* one, empty if there is none."""
    found = sorted((os.stat(path).st_mtime, path.partition("vmlinuz-")[2]) for path in images)
    releases = [release for _time, release in found]
    return releases[-1] if running in releases and releases[-1] != running else ""


def updates(said: str) -> list[dict]:
    """Return the pending updates from the output of `apt-get --simulate upgrade`; new packages have no old version."""
    return [
        {
            "name": row["name"],
            "old": row["old"] or "",
            "new": row["new"],
            "security": "security" in row["source"].lower(),
        }
        for row in _UPDATE.finditer(said)
    ]


def lists_age(now: float, directory: str = LISTS) -> float | None:
    """Return the seconds since apt's lists were read, None if there are none."""
    times = [os.stat(path).st_mtime for path in glob.glob(f"{directory}/*_dists_*")]
    # A download keeps the time of the server's file; its directories have the time of the download.
    places = [path for path in (directory, f"{directory}/partial") if os.path.isdir(path)]
    return max(0.0, now - max([*times, *(os.stat(path).st_mtime for path in places)])) if times else None


def group_memory(group: str, root: str = "/sys/fs/cgroup") -> int:
    """Return the memory of the processes in a control group in bytes, their share of what they share with others.

    Where the kernel does not account for the group, as in a container, systemd knows no number.
    """
    total = 0
    for path in glob.glob(f"{root}{glob.escape(group)}/**/cgroup.procs", recursive=True) if group else ():
        for pid in text(path).split():
            found = re.search(r"^Pss:\s+(\d+)", text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
    return total


def unit_states(asked: list[dict], stamps: dict[str, dict]) -> list[dict]:
    """Return the state of each unit: since when, its memory, restarts by systemd, and the last one by Cairn."""
    names = [unit["name"] for unit in asked]
    if not names:
        return []
    said = _systemctl("show", "--timestamp=unix", f"--property={_PROPERTIES}", *names)
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.strip().split("\n\n")]
    return [unit_state(unit, shown, stamps.get(unit["name"], {})) for unit, shown in zip(asked, blocks, strict=True)]


def _systemctl(*arguments: str) -> str:
    done = units.systemctl(*arguments)
    if done.returncode:
        raise Failed(f"systemctl {arguments[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def unit_state(asked: dict, shown: dict[str, str], stamp: dict) -> dict:
    """Return the state of one unit, from what systemctl has *shown*."""
    active = shown.get("ActiveState", "") in units.RUNNING
    since = shown.get("ActiveEnterTimestamp" if active else "InactiveEnterTimestamp", "").lstrip("@")
    memory_now = shown.get("MemoryCurrent", "")
    known = memory_now.isdigit() and len(memory_now) < 16
    restarts = shown.get("NRestarts", "")
    wanted = asked.get("state", "started")
    sub, result = shown.get("SubState", ""), shown.get("Result", "")
    plain = ("", "running", "exited", "dead", "waiting", "listening", "success", shown.get("ActiveState", ""))
    more = ", ".join(word for word in (sub, result) if word not in plain)
    words = f"{shown.get('ActiveState', 'unknown')}{f' ({more})' if more else ''}"
    fits = {"started": active, "stopped": not active}.get(wanted, True) and shown.get("ActiveState") != "failed"
    if shown.get("LoadState") == "not-found":
        words = "absent" if fits else "not installed"
    return {
        "name": asked["name"],
        "state": words,
        "log": asked.get("log") or "",
        "fits": fits,
        "wanted": wanted,
        "since": int(since) if since.isdigit() else 0,
        "memory": int(memory_now) if known else group_memory(shown.get("ControlGroup", "")),
        "restarts": int(restarts) if restarts.isdigit() else 0,
        "last_restart": stamp.get("last_restart"),
    }


def failed_units(said: str, known: Iterable[str]) -> list[str]:
    """Return the failed units of the host that are not *known*, from the output of `systemctl list-units`."""
    own = {name if "." in name.split("@")[-1] else f"{name}.service" for name in known}
    return sorted({line.split()[0] for line in said.splitlines() if line.strip()} - own)


def log_sources(asked: list[dict], root: str = "/var/log/") -> list[str]:
    """Return the directories and files in the directory of logs that the units write to."""
    found = set()
    for path in filter(None, (unit.get("log") for unit in asked)):
        relative = path.removeprefix(root)
        if relative != path:
            found.add(relative.split("/")[0].removesuffix(".log"))
    return sorted(found)


def file_errors(asked: list[dict], age: float, limit: int, secrets: list[str]) -> dict[str, list[str]]:
    """Return the last error lines of the units' log files by file, without secrets.

    :param age: maximum age in seconds.
    :param limit: maximum number of lines per source.
    """
    return _errors(service_logs.files(log_sources(asked), age, keep=service_logs.suspect), limit, secrets)


def journal_errors(asked: list[dict], age: float, limit: int, secrets: list[str]) -> dict[str, list[str]]:
    """Return the last error lines of the units in the journal by unit, otherwise as ``file_errors``."""
    names = [unit["name"].removesuffix(".service") for unit in asked]
    if not names:
        return {}
    try:
        said = _run([*service_logs.journal_command(names, age), f"--lines={JOURNAL_LINES}"], seconds=60)
    except Failed as error:
        if _NO_ENTRY in str(error):
            return {}
        raise
    return _errors(service_logs.journal(said), limit, secrets)


def _errors(sources: dict[str, list[tuple[str, bool]]], limit: int, secrets: list[str]) -> dict[str, list[str]]:
    known = sorted(secrets, key=len, reverse=True)
    found = {}
    for source, lines in sources.items():
        # Before a line is cut: a part of a secret is not recognized.
        suspect = [(line, serious) for line, serious in service_logs.suspect(lines) if not _BARE.search(line.rstrip())]
        clean = [(hide(line, known), serious) for line, serious in suspect]
        if chosen := service_logs.chosen(clean, [], limit):
            found[source] = chosen
    return found


def certificates(paths: Iterable[str]) -> list[dict]:
    """Return the certificates in the files, each once: subject, end in seconds since the epoch, and paths.

    The end of one that openssl cannot read is 0.
    """
    found: dict[str, dict] = {}
    for path in paths:
        for block in _CERTIFICATE.findall(text(path)):
            key = hashlib.sha256(block.encode()).hexdigest()
            if key not in found:
                try:
                    said = _run(["openssl", "x509", "-noout", "-subject", "-enddate", "-nameopt", "RFC2253"], block)
                except Failed:
                    said = f"subject={os.path.basename(path)}"
                parts = dict(line.partition("=")[::2] for line in said.splitlines())
                found[key] = {"subject": parts.get("subject", "").strip(), "end": _end(parts), "paths": []}
            if path not in found[key]["paths"]:
                found[key]["paths"].append(path)
    return list(found.values())


def _end(parts: dict[str, str]) -> float:
    try:
        # ssl has the parser of this format; its import is cheap next to openssl's start.
        import ssl

        return ssl.cert_time_to_seconds(parts.get("notAfter", ""))
    except ValueError:
        return 0


def certificate_files(first: dict[str, dict]) -> list[str]:
    """Return the paths of the desired files that have certificates, from the steps in *first*."""
    return [
        file["path"]
        for step in first.values()
        if step["module"] == "config_files"
        for file in step["options"]["files"]
        if file.get("state", "present") == "present" and "-BEGIN CERTIFICATE-" in (file.get("content") or "")
    ]


def _validated(spec: dict, options: dict) -> dict:
    checked = ArgumentSpecValidator(spec).validate(options)
    if checked.error_messages:
        raise Failed("; ".join(checked.error_messages))
    return checked.validated_parameters


def _file_drift(options: dict) -> list[dict]:
    """Return the files that are not as desired, in the form of changes."""
    found = []
    for file in _validated(config_files.SPEC, options)["files"]:
        before = config_files.read(file["path"])
        after = config_files.wanted(file, before)
        if before != after:
            found.append(config_files.change(file["path"], before, after))
    return found


def _unit_drift(options: dict) -> list[dict]:
    """Return what a run would do to the units, in the form of changes."""
    surveyed = units.survey(_validated(units.SPEC, options)["units"], user_ids=user_ids)
    return [
        {"kind": "unit", "verb": verb, "name": unit.name, "detail": ", ".join(unit.stale()[:5])}
        for verb, found in units.actions(surveyed, restart=True)
        for unit in found
    ]


def _package_drift(options: dict) -> list[dict]:
    lacking, half = packages.lacking(_validated(packages.SPEC, options)["names"])
    found = [{"kind": "package", "verb": "install", "name": name, "detail": ""} for name in lacking]
    return found + [{"kind": "package", "verb": "configure", "name": name, "detail": "half installed"} for name in half]


_DETAILED = {"config_files": _file_drift, "units": _unit_drift, "packages": _package_drift}


def drift(first: dict[str, dict], steps: dict[str, dict]) -> list[dict]:
    """Return how the host differs from its desired state, as the changes that a run would make.

    Of files, units and packages each is returned, of the other steps the name only.
    """
    found = []
    for name, one in first.items():
        if detailed := _DETAILED.get(one["module"]):
            found += detailed(one["options"])
        elif pending({name: one})[name]:
            found.append({"kind": "step", "verb": "do", "name": name, "detail": ""})
    # As in a run, they are compared after those on which they depend.
    if not found:
        named = [name for name, differs in pending(steps).items() if differs]
        found = [{"kind": "step", "verb": "do", "name": name, "detail": ""} for name in named]
    return found


def _system() -> str:
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text("/etc/os-release"), re.MULTILINE))
    return found.get("PRETTY_NAME", "")


def _packages(names: list[str]) -> list[dict]:
    versions = units.package_versions(set(names))
    return [{"name": name, "version": versions.get(name, "")} for name in sorted(names)]


def _silent(health: list[dict]) -> dict[str, str]:
    found = poll([{**one, "expected": one.get("expected")} for one in health], 0)
    return {name: why for name, (_service, why) in found.items()}


def report(options: dict, now: float | None = None) -> dict:
    """Return everything about this host; a part that cannot be read is empty, with the reason in C(unread).

    :param options: those of the module.
    """
    now = time.time() if now is None else now
    asked, release = options["units"], os.uname().release
    mask = sorted(options["mask"], key=len, reverse=True)
    logs = (asked, options["log_age"], options["log_lines"], mask)
    bare = ("--plain", "--no-legend", "--full", "--state=failed")
    apt = ["apt-get", "--simulate", "-o", "Debug::NoLocking=true", "--with-new-pkgs", "upgrade"]
    nothing = {"total": 0, "available": 0, "swap_total": 0, "swap_free": 0}
    parts: dict[str, tuple[Callable[[], Any], Any]] = {
        "newer_kernel": (lambda: newer_kernel(release, glob.glob(KERNELS)), ""),
        "system": (_system, ""),
        "debian": (lambda: text("/etc/debian_version").strip(), ""),
        "uptime": (lambda: float(text("/proc/uptime").split()[0]), 0.0),
        "load": (lambda: [float(word) for word in text("/proc/loadavg").split()[:3]], []),
        "memory": (memory, nothing),
        "disks": (disks, []),
        "nics": (lambda: purposes(nics(interfaces(), options["networks"]), options["networks"]), []),
        "packages": (lambda: _packages(options["packages"]), []),
        "updates": (lambda: updates(_run(apt, seconds=APT_TIMEOUT)), []),
        "lists_age": (lambda: lists_age(now), None),
        "units": (lambda: unit_states(asked, units.load_stamps()), []),
        "other_failed_units": (
            lambda: failed_units(_systemctl("list-units", *bare), [unit["name"] for unit in asked]),
            [],
        ),
        "cluster": (cluster_status, None),
        "silent": (lambda: _silent(options["health"]), {}),
        "errors": (lambda: file_errors(*logs), {}),
        "journal": (lambda: journal_errors(*logs), {}),
        "certificates": (lambda: certificates(certificate_files(options["first"])), []),
        "drift": (lambda: drift(options["first"], options["steps"]), []),
    }
    found: dict[str, Any] = {"time": now, "kernel": release, "reboot_required": os.path.exists(REBOOT), "unread": {}}
    found["cpus"] = len(os.sched_getaffinity(0))
    for name, (read, empty) in parts.items():
        try:
            found[name] = read()
        # Whatever one part meets, the others are shown.
        except Exception as error:
            found[name] = empty
            found["unread"][name] = hide(_why(error), mask)[: service_logs.WIDTH]
    found["errors"] |= found.pop("journal")
    for name in ("silent", "drift", "cluster", "other_failed_units"):
        found[name] = hidden(found[name], mask)
    return found


def _why(error: Exception) -> str:
    """Return an exception as one line."""
    words = " ".join(str(error).split())
    return words if isinstance(error, Failed) and words else f"{type(error).__name__}: {words}".rstrip(": ")
