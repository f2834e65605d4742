# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of M(cairn.openstack.ovs_bridges) besides `bridge_setup`: files, the unit, and provisional changes."""

from __future__ import annotations

import ipaddress
import json
import os

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import returned
from ansible_collections.cairn.openstack.plugins.module_utils.common.module_source import source
from ansible_collections.cairn.openstack.plugins.module_utils.host import bridge_setup, config_files
from ansible_collections.cairn.openstack.plugins.module_utils.host.bridge_setup import (
    NOTHING,
    RECORD,
    TRIAL,
    UNDONE,
    BridgesError,
)

COMMAND = "/usr/local/sbin/cairn-bridges"
UNIT = "cairn-bridges.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
TRIAL_SECONDS = 30
_BRIDGE = {
    "name": {"type": "str", "required": True},
    "ports": {"type": "list", "elements": "str", "default": []},
    "patches": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"peer": {"type": "str", "required": True}},
    },
    "addresses": {"type": "list", "elements": "str", "default": []},
    "routes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"to": {"type": "str", "required": True}, "via": {"type": "str", "required": True}},
    },
    "take_over": {"type": "str"},
    "mtu": {"type": "int"},
}
SPEC = {
    "datapath": {"type": "str", "choices": ["system", "netdev"], "default": "system"},
    "bridges": {"type": "list", "elements": "dict", "default": [], "options": _BRIDGE},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "confirm": {"type": "bool", "default": False},
}
"""The options of the module."""

UNIT_TEXT = """\
[Unit]
Description=Addresses of the host on its Open vSwitch bridges
# In user space the bridges' devices disappear with ovs-vswitchd, and networking.service restores the NICs' addresses:
# restart this unit whenever they restart.
PartOf=ovs-vswitchd.service networking.service
ReloadPropagatedFrom=ovs-vswitchd.service
After=ovs-vswitchd.service openvswitch-switch.service networking.service systemd-networkd.service {hotplug}
Before=network.target network-online.target neutron-openvswitch-agent.service nova-compute.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} apply
ExecReload={command} apply

[Install]
WantedBy=multi-user.target ovs-vswitchd.service
"""


def _destination(text: str) -> str:
    """Return the destination of a route in the format of `ip`."""
    if text == "default":
        return text
    network = ipaddress.ip_network(text, strict=False)
    if network.prefixlen == 0:
        return "default"
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def asked(params: dict) -> dict:
    """Return the module's parameters in the form of a record without NICs, with addresses in the format of `ip`.

    :raises BridgesError: an address or a destination is invalid.
    """
    if params["state"] == "absent":
        return {"datapath": params["datapath"], "bridges": []}
    bridges = []
    try:
        for bridge in params["bridges"]:
            ports = [*bridge["ports"], bridge["take_over"]] if bridge["take_over"] else bridge["ports"]
            bridges.append(
                {
                    "name": bridge["name"],
                    "ports": list(dict.fromkeys(ports)),
                    "patches": [patch["peer"] for patch in bridge["patches"]],
                    "addresses": [ipaddress.ip_interface(item).with_prefixlen for item in bridge["addresses"]],
                    "routes": [
                        {"to": _destination(route["to"]), "via": str(ipaddress.ip_address(route["via"]))}
                        for route in bridge["routes"]
                    ],
                    "take_over": bridge["take_over"],
                    "mtu": bridge["mtu"],
                }
            )
    except ValueError as error:
        raise BridgesError(f"{bridge['name']}: {error}") from error
    return {"datapath": params["datapath"], "bridges": bridges}


def files(record: dict) -> dict[str, config_files.State]:
    """Return the files that keep *record* across reboots; all absent if it has no bridges."""

    def state(content: str, mode: int = 0o644) -> config_files.State:
        there = record["bridges"] and content
        return config_files.State(content, mode, "root", "root") if there else config_files.State()

    hotplug = " ".join(f"ifup@{nic}.service" for nic in sorted(record["nics"]))
    program = source(bridge_setup)
    return {
        COMMAND: state(f"#!/usr/bin/python3\n{program}", 0o755),
        UNIT_FILE: state(UNIT_TEXT.format(command=COMMAND, hotplug=hotplug)),
        RECORD: state(json.dumps(record, indent=2) + "\n"),
        **{path: state(text or "") for path, text in bridge_setup.networkd_files(record).items()},
    }


def unit_state() -> dict[str, str]:
    """Return the state of the unit: {UnitFileState, ActiveState}."""
    output = bridge_setup.run("systemctl", "show", "-p", "UnitFileState,ActiveState", UNIT)
    return dict(line.split("=", 1) for line in output.split())


def at_stake(links: dict, names: list[str]) -> list[str]:
    """Return those of *names* with the default route or Ansible's own connection."""
    own = bridge_setup.ssh_address()
    return [
        name
        for name in names
        if name in links
        and (
            any(address.split("/")[0] == own for address in links[name]["addresses"])
            or any(route["to"] == "default" for route in links[name]["routes"])
        )
    ]


def refuse_losses(record: dict, former: dict, links: dict) -> None:
    """Check that the host stays reachable.

    :raises BridgesError: a NIC with the default route or Ansible's connection would only become a port.
    """
    for bridge in record["bridges"]:
        for nic in set(bridge["ports"]) - set(former["nics"]):
            lost = [
                item
                for key in ("addresses", "routes")
                for item in links[nic][key]
                if item not in bridge_setup.held(record, bridge["name"], key)
            ]
            if lost and at_stake(links, [nic]):
                raise BridgesError(
                    f"{nic} has this host's default route or Ansible's own connection, which {bridge['name']} would "
                    f"interrupt: set take_over: {nic} to move its addresses and routes to the bridge"
                )


def _write(wanted: dict[str, config_files.State]) -> None:
    for path, state in wanted.items():
        if config_files.read(path) != state:
            config_files.write(path, state)


def install(record: dict) -> None:
    """Install the command and its unit, so that a provisional change is reverted at boot after a reset."""
    wanted = files(record)
    if not record["bridges"]:
        return
    _write({path: wanted[path] for path in (COMMAND, UNIT_FILE)})
    bridge_setup.run("systemctl", "daemon-reload")
    bridge_setup.run("systemctl", "enable", UNIT)


def keep(record: dict) -> None:
    """Make *record*, which is already applied, persistent."""
    if not record["bridges"] and unit_state()["UnitFileState"]:
        bridge_setup.run("systemctl", "disable", "--now", UNIT)
    _write(files(record))
    bridge_setup.run("systemctl", "daemon-reload")
    if record["bridges"]:
        bridge_setup.run("systemctl", "restart", UNIT)


def arm(record: dict, former: dict, links: dict) -> None:
    """Start the change in the background, and its reversal unless `confirm` is called in time."""
    transient = ("systemd-run", "--quiet", "--collect")
    if os.path.exists(UNDONE):
        os.unlink(UNDONE)
    timer = (f"--on-active={TRIAL_SECONDS}", "--timer-property=AccuracySec=1s")
    bridge_setup.run(*transient, "--unit=cairn-bridges-undo", *timer, COMMAND, "undo")
    routes = {name: link["routes"] for name, link in links.items()}
    trial = json.dumps({"record": record, "former": former, "routes": routes})
    config_files.write(TRIAL, config_files.State(trial, 0o644, "root", "root"))
    bridge_setup.run(*transient, "--unit=cairn-bridges-trial", COMMAND, "trial")


def confirm() -> dict:
    """Confirm the provisional change: this call proves that the host is reachable.

    :returns: {pending: true} while the change, or its reversal, is still running; otherwise {pending: false}.
    :raises BridgesError: it was reverted, with the cause.
    """
    if bridge_setup.run("systemctl", "show", "-P", "ActiveState", "cairn-bridges-trial.service").strip() == "active":
        return {"pending": True}
    claimed = f"{TRIAL}.confirmed"
    try:
        os.rename(TRIAL, claimed)  # whoever renames it first has decided
    except FileNotFoundError:
        why = bridge_setup.read_file(UNDONE)
        if why:
            raise BridgesError(f"{why}, so it reverted the change: its network is as before") from None
        return {"pending": True}
    bridge_setup.run("systemctl", "stop", "cairn-bridges-undo.timer")
    keep(bridge_setup.read_json(claimed)["record"])
    os.unlink(claimed)
    return {"pending": False}


def _unit(before: dict, after: dict) -> dict[str, str]:
    """Return the change of the unit."""
    started, enabled = after["ActiveState"] == "active", after["UnitFileState"] == "enabled"
    if before["ActiveState"] == after["ActiveState"]:
        return returned("unit", "enable" if enabled else "disable", UNIT)
    return returned("unit", "start" if started else "stop", UNIT)


def _change(name: str, before: dict | None, after: dict | None) -> dict[str, str]:
    """Return the change of a bridge, an interface or the unit."""
    if name == UNIT:
        return _unit(before, after)
    # Only a bridge has ports.
    kind = "bridge" if "ports" in (before or after) else "network interface"
    if before is None:
        return returned(kind, "create", name)
    if after is None:
        return returned(kind, "remove", name)
    return returned(kind, "change", name, ", ".join(key for key in after if before.get(key) != after[key]))


def compare(before: dict, after: dict, record: dict) -> dict:
    """Return the changes from *before* to *after*, and of the files of *record*."""
    names = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    stored = {path: (config_files.read(path), state) for path, state in files(record).items()}
    stored = {path: states for path, states in stored.items() if states[0] != states[1]}
    changes = [_change(name, before.get(name), after.get(name)) for name in names]
    changes += [config_files.change(path, *states) for path, states in stored.items()]
    diffs = [
        {"before_header": name, "after_header": name, "before": before.get(name, ""), "after": after.get(name, "")}
        for name in names
    ]
    # The diff of the program is not useful.
    diffs += [
        config_files.difference(path, *states, secret=False, binary=path == COMMAND) for path, states in stored.items()
    ]
    return {"changed": bool(changes), "changes": changes, "diff": diffs}


def bring(params: dict, check_mode: bool) -> dict:
    """Compare, and apply the changes unless in check mode; return the module's result and a list of `warnings`.

    :raises BridgesError: the requested state is not possible, or a command failed.
    """
    if os.path.exists(TRIAL):
        raise BridgesError(f"an earlier change is not yet confirmed or reverted: run again in {TRIAL_SECONDS} seconds")
    warnings = []
    former = bridge_setup.read_json(RECORD) or NOTHING
    wish = asked(params)
    host = bridge_setup.read_host(wish, former)
    record = bridge_setup.adopt(wish, former, host["links"])
    refuse_losses(record, former, host["links"])
    after = bridge_setup.goal(record, former)
    if not host["error"]:
        before = bridge_setup.view(host, record, former)
    elif not record["bridges"] and former == NOTHING:
        before = after  # no managed bridge, and Open vSwitch may not be installed
    elif check_mode:
        warnings.append(f"Open vSwitch does not respond, so its record is compared: {host['error']}")
        before = bridge_setup.goal(former, former)
    else:
        raise BridgesError(host["error"])
    todo = bridge_setup.commands(before, after, record, former) if before != after else []
    risky = at_stake(host["links"], [name for name in {**after, **before} if before.get(name) != after.get(name)])
    present = bool(record["bridges"])
    before[UNIT] = unit_state()
    after[UNIT] = {"UnitFileState": "enabled" if present else "", "ActiveState": "active" if present else "inactive"}
    result = compare(before, after, record)
    result |= {"commands": [" ".join(command) for command in todo], "trial": False, "warnings": warnings}
    if check_mode or not result["changed"]:
        return result
    install(record)
    if risky:
        arm(record, former, host["links"])
        result["trial"] = True
    else:
        bridge_setup.converge(record, former)
        keep(record)
    return result
