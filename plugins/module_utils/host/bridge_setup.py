# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Open vSwitch bridges with addresses of the host: the actual and the desired state, and the commands to change it.

Standard library only: M(cairn.openstack.ovs_bridges) uses it, and installs this file as a command that the unit
cairn-bridges.service runs at each start of Open vSwitch, so that module and boot do the same.

A *record* has the requested bridges, and the configuration of the NICs before they became ports::

    {"datapath": "netdev",
     "bridges": [{"name", "ports", "patches", "addresses", "routes", "take_over", "mtu"}, ...],
     "nics": {"eth0": {"mac", "mtu", "tx_checksums", "addresses", "routes"}}}

Usage: cairn-bridges apply|trial|undo
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time

RECORD = "/etc/cairn/bridges.json"
TRIAL = "/etc/cairn/bridges.trial.json"
UNDONE = "/run/cairn-bridges-undone"
# First in order, so that networkd ignores other files for these interfaces.
NETWORKD = "/etc/systemd/network/00-cairn-{}.network"
NOTHING = {"datapath": "system", "bridges": [], "nics": {}}

# The kernel also receives a port's packets when Open vSwitch runs in user space. Without these it would reply to ARP,
# process the packets a second time and configure itself by router advertisements, on a NIC without an address.
PORT_SYSCTLS = {"net/ipv4/conf/{}/arp_ignore": 8, "net/ipv4/conf/{}/rp_filter": 1, "net/ipv6/conf/{}/disable_ipv6": 1}

# On a NIC without addresses, these values are as good; with 3 to 7 it would reply. A reverse path filter of either kind
# drops what it receives.
SILENT_ARP = ("1", "2", "8")

# The value of a bridge's arp_ignore. Connected bridges all receive a broadcast. If a bridge replied for the address of
# another one, the peer would send the packets of its tunnel to the wrong device, where they are lost. With 8 it would
# reply for no address.
BRIDGE_SYSCTL = "net/ipv4/conf/{}/arp_ignore"
BRIDGE_VALUE = 1


class BridgesError(Exception):
    """A command failed or had no effect; the message is for the user."""


def run(*command: str) -> str:
    """Run *command* and return its output.

    :raises BridgesError: it is missing or fails, or Open vSwitch could not set up a port.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise BridgesError(f"{command[0]}: {error}") from error
    if done.returncode or "Error detected while setting up" in done.stderr:
        raise BridgesError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def read_file(path: str, otherwise: str = "") -> str:
    """Return the text of a file, or *otherwise* if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return otherwise


def read_json(path: str) -> dict | None:
    """Return the JSON object in a file, None if there is no file."""
    content = read_file(path)
    return json.loads(content) if content else None


def ssh_connection() -> dict[str, str]:
    """Return the ends of the ssh connection of this process: ``client``, ``address`` and ``port``; empty without one.

    sudo removes the variable, so it is searched in the environments of the parents.
    """
    pid = os.getpid()
    while pid > 1:
        words = re.search(r"(?:^|\0)SSH_CONNECTION=(\S+) \S+ (\S+) (\d+)", read_file(f"/proc/{pid}/environ"))
        if words:
            return {"client": words[1], "address": words[2], "port": words[3]}
        pid = int(read_file(f"/proc/{pid}/stat", ") 0 0").rpartition(")")[2].split()[1])
    return {}


def ssh_address() -> str:
    """Return the host's address in the ssh connection of this process, empty without one."""
    return ssh_connection().get("address", "")


# Actual state ---------------------------------------------------------------------------------------------------------


def read_links() -> dict[str, dict]:
    """Return the interfaces: name → {mac, mtu, up, master, addresses, routes}, without those of the kernel itself."""
    links = {}
    for link in json.loads(run("ip", "-j", "address", "show")):
        links[link["ifname"]] = {
            "mac": link.get("address", ""),
            "mtu": link["mtu"],
            "up": "UP" in link["flags"],
            "master": link.get("master", ""),
            "addresses": [
                f"{item['local']}/{item['prefixlen']}"
                for item in link["addr_info"]
                # IPv6 addresses from a router return by themselves; IPv4 ones from DHCP are kept.
                if item["scope"] != "link" and not (item["family"] == "inet6" and item.get("dynamic"))
            ],
            "routes": [],
        }
    keys = {"to": "dst", "via": "gateway", "metric": "metric", "src": "prefsrc"}
    for family, usual_metric in (("-4", 0), ("-6", 1024)):
        for route in json.loads(run("ip", family, "-j", "route", "show") or "[]"):
            if route.get("dev") not in links or route.get("protocol") in ("kernel", "ra"):
                continue
            if route.get("metric") == usual_metric:
                del route["metric"]
            links[route["dev"]]["routes"].append({key: route[name] for key, name in keys.items() if name in route})
    return links


def _plain(value):
    """Decode a value of OVSDB's JSON; a set of one is only its value, so use `_list` for lists."""
    if isinstance(value, list):
        kind, content = value
        if kind == "set":
            return [_plain(item) for item in content]
        if kind == "map":
            return {key: _plain(item) for key, item in content}
        return content  # an uuid
    return value


def _list(value) -> list:
    plain = _plain(value)
    return plain if isinstance(plain, list) else [plain]


def parse_ovs(output: str) -> dict[str, dict]:
    """Return the bridges in the output of `read_ovs`: name → its state.

    The state is {datapath, secure, ports: {port: peer or empty}, tagged_ports: ports with a VLAN tag}.
    """
    tables = []
    for line in output.splitlines():
        table = json.loads(line)
        tables.append([dict(zip(table["headings"], row, strict=True)) for row in table["data"]])
    bridges, ports, interfaces = tables
    peers = {_plain(one["_uuid"]): dict(_plain(one["options"])).get("peer", "") for one in interfaces}
    by_id = {_plain(one["_uuid"]): one for one in ports}
    return {
        bridge["name"]: {
            "datapath": bridge["datapath_type"] or "system",
            "secure": bridge["fail_mode"] == "secure",
            "ports": {
                by_id[port]["name"]: peers[_list(by_id[port]["interfaces"])[0]] for port in _list(bridge["ports"])
            },
            "tagged_ports": sorted(
                by_id[port]["name"] for port in _list(bridge["ports"]) if by_id[port]["tag"] != ["set", []]
            ),
        }
        for bridge in bridges
    }


def read_ovs() -> dict[str, dict]:
    """Return the bridges of Open vSwitch, none if it is not installed yet.

    :raises BridgesError: Open vSwitch is installed but does not respond.
    """
    if not shutil.which("ovs-vsctl"):
        return {}
    queries = (
        ("--columns=name,datapath_type,fail_mode,ports", "list", "Bridge"),
        ("--columns=_uuid,name,interfaces,tag", "list", "Port"),
        ("--columns=_uuid,options", "list", "Interface"),
    )
    words = [word for query in queries for word in ("--", *query)]
    return parse_ovs(run("ovs-vsctl", "--timeout=10", "--format=json", *words))


def _kernel_value(key: str, name: str) -> str:
    """Return the value of the sysctl *key* of the interface *name*, empty if the kernel does not have it."""
    return read_file(f"/proc/sys/{key.format(name)}").strip()


def read_host(*records: dict) -> dict:
    """Return links and bridges, with details for those in *records*; `error` is why the bridges are unknown."""
    host = {"links": read_links(), "bridges": {}, "error": ""}
    try:
        host["bridges"] = read_ovs()
    except BridgesError as error:
        host["error"] = str(error)
    bridges = {bridge["name"] for record in records for bridge in record["bridges"]}
    nics = {nic for record in records for bridge in record["bridges"] for nic in bridge["ports"]}
    for name in (bridges | nics) & set(host["links"]):
        link = host["links"][name]
        features = run("ethtool", "-k", name) if shutil.which("ethtool") else ""
        link["tx_checksums"] = not features or bool(re.search(r"^tx-checksumming: on$", features, re.MULTILINE))
        arp, *others = (_kernel_value(key, name) for key in PORT_SYSCTLS)
        # A kernel without IPv6 lacks one of the files.
        link["silent"] = arp in SILENT_ARP and "0" not in others
    for name in bridges & set(host["links"]):
        host["links"][name]["own_arp"] = _kernel_value(BRIDGE_SYSCTL, name) == str(BRIDGE_VALUE)
    for name in bridges & set(host["bridges"]):
        bridge = host["bridges"][name]
        # Neutron's agent sets its bridges to secure: without flows, no packet passes until the agent runs again.
        bridge["forwards"] = not bridge["secure"] or "actions" in run("ovs-ofctl", "dump-flows", name)
    return host


# Desired state ---------------------------------------------------------------------------------------------------


def adopt(asked: dict, former: dict, links: dict) -> dict:
    """Return *asked* ({datapath, bridges}) as a record, with the configuration of its ports now, or before *former*.

    :raises BridgesError: a port does not exist, or belongs to another type of bridge.
    """
    nics = {}
    for bridge in asked["bridges"]:
        for nic in bridge["ports"]:
            if nic in former["nics"]:
                nics[nic] = former["nics"][nic]
                continue
            if nic not in links:
                raise BridgesError(f"{bridge['name']}: there is no interface {nic} on this host ({', '.join(links)})")
            link = links[nic]
            if link["master"] not in ("", "ovs-system"):
                raise BridgesError(f"{bridge['name']}: {nic} belongs to {link['master']} already")
            found = {key: link[key] for key in ("mac", "mtu", "tx_checksums", "addresses", "routes")}
            if nic == bridge["take_over"] and bridge["name"] in links:  # already taken over, but the record is lost
                for key in ("addresses", "routes"):
                    found[key] = found[key] + [one for one in links[bridge["name"]][key] if one not in found[key]]
            nics[nic] = found
    return {"datapath": asked["datapath"], "bridges": asked["bridges"], "nics": nics}


def held(record: dict, name: str, key: str) -> list:
    """Return the `addresses` or `routes` of the bridge *name* in *record*: requested ones and those taken over."""
    for bridge in record["bridges"]:
        if bridge["name"] == name:
            taken = record["nics"].get(bridge["take_over"], {}).get(key, [])
            return bridge[key] + [one for one in taken if one not in bridge[key]]
    return []


def goal(record: dict, former: dict) -> dict[str, dict]:
    """Return the desired state of each bridge and NIC; NICs of *former* that are not in *record* are restored."""
    after = {}
    netdev = record["datapath"] == "netdev"
    for bridge in record["bridges"]:
        name, ports = bridge["name"], sorted(bridge["ports"])
        shared = {"up": True}
        if bridge["mtu"]:
            shared["mtu"] = bridge["mtu"]
        if netdev:  # packets would leave user space with incomplete checksums
            shared["tx_checksums"] = False
        after[name] = {
            "datapath": record["datapath"],
            "ports": ports,
            "patches": sorted(bridge["patches"]),
            "tagged_ports": [],
            "addresses": held(record, name, "addresses"),
            "routes": held(record, name, "routes"),
            "forwards": True,
            "own_arp": True,
            **shared,
        }
        if ports:
            after[name]["mac"] = record["nics"][ports[0]]["mac"]
        for nic in ports:
            after[nic] = {"addresses": [], "silent": True, **shared}
    for nic, found in former["nics"].items():
        if nic not in record["nics"]:
            keys = ("addresses", "routes", "mtu", "tx_checksums")
            after[nic] = {key: found[key] for key in keys} | {"silent": False, "up": True}
    return after


def patch_port(bridge: str, peer: str) -> str:
    """Return the name of the patch port on *bridge* to *peer*."""
    return f"{bridge}--{peer}"


def view(host: dict, record: dict, former: dict) -> dict[str, dict]:
    """Return the actual state of the objects in `goal`, in the same form, without additions by others."""
    after = goal(record, former)
    before = {}
    nics = {**former["nics"], **record["nics"]}
    patches = {(bridge["name"], peer) for bridge in former["bridges"] + record["bridges"] for peer in bridge["patches"]}
    joints = {patch_port(*ends) for here, peer in patches for ends in ((here, peer), (peer, here))}
    for name in {bridge["name"]: None for bridge in former["bridges"] + record["bridges"]}:
        if name not in host["bridges"] or name not in host["links"]:  # a device may appear shortly after its record
            continue
        bridge, link = host["bridges"][name], host["links"][name]
        ports = bridge["ports"]
        found = {
            **link,
            "datapath": bridge["datapath"],
            "ports": sorted(port for port in ports if port in nics),
            "patches": sorted(
                peer for here, peer in patches if here == name and ports.get(patch_port(name, peer)) is not None
            ),
            "tagged_ports": [port for port in bridge["tagged_ports"] if port in {name, *nics, *joints}],
            "forwards": bridge["forwards"],
        }
        for key in ("addresses", "routes"):
            ours = held(record, name, key)
            ours += [item for item in held(former, name, key) if item not in ours]
            found[key] = [item for item in ours if item in link[key]]
        before[name] = {key: found[key] for key in after.get(name, ("datapath", "ports", "addresses", "routes"))}
    for nic in nics:
        if nic not in host["links"] or nic not in after:
            continue
        link = host["links"][nic]
        found = {**link}
        if not after[nic]["silent"]:  # restored: others may have added to it since
            for key in ("addresses", "routes"):
                found[key] = [item for item in after[nic][key] if item in link[key]]
        before[nic] = {key: found[key] for key in after[nic]}
    return before


# Changes ------------------------------------------------------------------------------------------------------


def _route(verb: str, route: dict, device: str) -> list[str]:
    family = "-6" if ":" in route.get("via", route["to"]) else "-4"
    words = [word for key in ("via", "src", "metric") if key in route for word in (key, str(route[key]))]
    # The route to the gateway may come later, or never: some providers have it outside the prefix.
    return ["ip", family, "route", verb, route["to"], *words, "dev", device, *(["onlink"] if "via" in route else [])]


def _switch(before: dict, after: dict, record: dict, former: dict) -> list[str]:
    """Return all changes to Open vSwitch as one transaction, empty if there are none."""
    words = []
    for bridge in former["bridges"]:
        name = bridge["name"]
        shall = after.get(name, {"ports": [], "patches": []})
        gone = [port for port in bridge["ports"] if port not in shall["ports"]]
        for peer in bridge["patches"]:
            if peer not in shall["patches"]:
                gone += [patch_port(name, peer), patch_port(peer, name)]
        for port in gone:
            words += ["--", "--if-exists", "del-port", port]
        if name not in after:
            words += ["--", "--if-exists", "del-br", name]
    patches = []
    for bridge in record["bridges"]:
        name = bridge["name"]
        shall = after[name]
        if before.get(name) == shall:
            continue
        words += ["--", "--may-exist", "add-br", name, "--", "set", "bridge", name]
        words += [f"datapath_type={shall['datapath']}"]
        words += [f'other_config:hwaddr="{shall["mac"]}"'] if "mac" in shall else []
        for port in shall["ports"]:
            words += ["--", "--may-exist", "add-port", name, port]
        for port in before.get(name, {}).get("tagged_ports", []):
            words += ["--", "--if-exists", "clear", "port", port, "tag"]
        if "mtu" in shall:
            for port in (name, *shall["ports"]):
                words += ["--", "set", "interface", port, f"mtu_request={shall['mtu']}"]
        for peer in shall["patches"]:
            for here, there in ((name, peer), (peer, name)):
                port = patch_port(here, there)
                patches += ["--", "--may-exist", "add-port", here, port, "--", "set", "interface", port, "type=patch"]
                patches += [f"options:peer={patch_port(there, here)}"]
    return ["ovs-vsctl", "--timeout=20", *(words + patches)[1:]] if words else []


def commands(before: dict, after: dict, record: dict, former: dict) -> list[list[str]]:
    """Return the commands from *before* to *after*, in the order that interrupts connections for the shortest time."""
    switch = _switch(before, after, record, former)
    todo = [switch] if switch else []
    differing = {name: shall for name, shall in after.items() if before.get(name) != shall}
    for name, shall in differing.items():
        was = before.get(name, {})
        if "tx_checksums" in shall and shall["tx_checksums"] != was.get("tx_checksums"):
            todo.append(["ethtool", "-K", name, "tx", "on" if shall["tx_checksums"] else "off"])
        if not was.get("forwards", True):
            todo.append(["ovs-ofctl", "add-flow", name, "priority=0,actions=NORMAL"])
        if "own_arp" in shall and not was.get("own_arp"):
            todo.append(["sysctl", "-q", "-w", f"{BRIDGE_SYSCTL.format(name)}={BRIDGE_VALUE}"])
        todo.append(["ip", "link", "set", name, "up"])
    for name, shall in differing.items():
        if shall.get("silent") is True:
            todo.append(["ip", "address", "flush", "dev", name])
            todo += [["sysctl", "-q", "-e", "-w", f"{key.format(name)}={value}"] for key, value in PORT_SYSCTLS.items()]
            # A client that keeps running would restore the address at the next renewal.
            todo.append(["pkill", "-KILL", "-f", rf"^\S*(dhclient|dhcpcd|udhcpc)\b.* {re.escape(name)}\b"])
        elif "silent" in shall:
            for key in PORT_SYSCTLS:
                value = read_file(f"/proc/sys/{key.format('default')}", "0").strip()
                todo.append(["sysctl", "-q", "-e", "-w", f"{key.format(name)}={value}"])
            todo.append(["ip", "link", "set", name, "mtu", str(shall["mtu"])])
    for name, shall in differing.items():
        was = before.get(name, {}) if "datapath" in shall else {}  # a NIC was already flushed
        gone = {key: [item for item in was[key] if item not in shall[key]] for key in ("addresses", "routes") if was}
        # Routes are removed before the addresses that they disappear with, and added after those that they need.
        todo += [_route("del", route, name) for route in gone.get("routes", [])]
        todo += [["ip", "address", "del", address, "dev", name] for address in gone.get("addresses", [])]
        todo += [["ip", "address", "replace", address, "dev", name] for address in shall["addresses"]]
        todo += [_route("replace", route, name) for route in shall.get("routes", [])]
    return todo


def networkd_files(record: dict) -> dict[str, str | None]:
    """Return the files that prevent networkd from restoring the ports' addresses: path → text, None for no file."""
    bridges = " ".join(bridge["name"] for bridge in record["bridges"])
    nics = " ".join(sorted(record["nics"]))
    # A NIC that networkd manages without addresses still counts for network-online.target.
    ports = "RequiredForOnline=carrier\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=no"
    return {
        NETWORKD.format(kind): f"[Match]\nName={names}\n\n[Link]\n{text}\n" if names else None
        for kind, names, text in (("bridges", bridges, "Unmanaged=yes"), ("ports", nics, ports))
    }


def tell_networkd(record: dict) -> None:
    """Write or remove these files; a running networkd reads them immediately."""
    differing = {path: text for path, text in networkd_files(record).items() if read_file(path) != (text or "")}
    for path, text in differing.items():
        if text is None:
            os.unlink(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    if differing and os.path.exists("/run/systemd/netif/state"):
        run("networkctl", "reload")


def execute(todo: list[list[str]], stubborn: bool = False) -> None:
    """Run the commands in order; a *stubborn* run reports errors and continues.

    :raises BridgesError: a command failed.
    """
    for command in todo:
        try:
            run(*command)
        except BridgesError as error:
            if command[0] == "pkill":  # nothing to stop
                continue
            if not stubborn:
                raise
            sys.stderr.write(f"{error}\n")


def converge(record: dict, former: dict, stubborn: bool = False) -> None:
    """Change the host to the state of *record*; *former* has the other managed objects.

    :raises BridgesError: a command failed, or the host still differs.
    """
    after = goal(record, former)
    host = read_host(record, former)
    if host["error"] and not stubborn:
        raise BridgesError(host["error"])
    before = view(host, record, former)
    todo = commands(before, after, record, former)
    execute(todo, stubborn)
    tell_networkd(record)
    if todo and not stubborn:
        before = view(read_host(record, former), record, former)
        left = {name: (before.get(name), after[name]) for name in after if before.get(name) != after[name]}
        if left:
            raise BridgesError(f"all commands succeeded, but these still differ (actual, desired): {json.dumps(left)}")


def undo(why: str) -> None:
    """Revert a provisional change that was not confirmed; do nothing if it was."""
    claimed = f"{TRIAL}.undone"
    try:
        os.rename(TRIAL, claimed)  # the first rename decides
    except FileNotFoundError:
        return
    sys.stderr.write(f"reverting: {why}\n")
    trial = read_json(claimed)
    converge(trial["former"], trial["record"], stubborn=True)
    links = read_links()
    missing = [
        _route("replace", route, name)
        for name, routes in trial["routes"].items()
        for route in routes
        if name in links and route not in links[name]["routes"]
    ]
    execute(missing, stubborn=True)
    with open(UNDONE, "w", encoding="utf-8") as file:
        file.write(why)
    os.unlink(claimed)


def main() -> None:
    """Run the command of the unit, or of the module's provisional change."""
    os.umask(0o022)  # networkd reads its files as a user of its own
    record = read_json(RECORD) or NOTHING
    verb = sys.argv[1]
    if verb == "trial":
        time.sleep(1)  # let the module's result leave through the old connection
        trial = read_json(TRIAL)
        try:
            converge(trial["record"], trial["former"])
        except BridgesError as error:
            undo(str(error))
            raise SystemExit(str(error)) from error
    elif verb == "undo" or os.path.exists(TRIAL):  # the host was reset during a provisional change
        undo("no new connection reached the host in time")
    else:
        converge(record, record)


if __name__ == "__main__":
    main()
