# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Octavia needs of the cloud: a network for its amphorae, a port of this host on it, and their image.

Written by Cairn. All of it belongs to the project of Octavia's user, whose credentials it reads from octavia.conf.
Commands:

prepare         creates what is missing: quotas of the project, the network, security groups, the amphorae's flavor, a
                port for each network host, and Octavia's flavors
connected       waits until the ports of all network hosts are connected; or else says which are not
image           builds an image from Debian's packages and uploads it; amphorae made from then on use it
find            prints what this host needs of them, as JSON
serve           keeps the host's port connected, and writes the ids into octavia.conf.d. Prints what it changes
run COMMAND     waits until the port is connected for the first time since the boot, and becomes the command
stop PID        stops the health manager when what it does is done
forget HOST     deletes the port of a host
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SETTINGS = "/etc/cairn/octavia.json"
CREDENTIALS = "/etc/octavia/octavia.conf"
OPTIONS = "/etc/octavia/octavia.conf.d/cairn-network.conf"
STATE = "/var/lib/cairn/octavia.json"
# While it exists, the port has been connected since the boot.
READY = "/run/cairn-octavia/ready"
INTERFACE, BRIDGE = "o-hm0", "br-int"
NETWORK, TAG, FLAVOR = "octavia-management", "octavia-amphora", "octavia-amphora"
OWNER = "octavia:management"
AGENT_PORT, HEARTBEAT_PORT = 9443, 5555
TOPOLOGIES = {"single": "SINGLE", "active-standby": "ACTIVE_STANDBY"}
# Units that read the ids when they start.
READERS = ("octavia-health-manager.service", "octavia-housekeeping.service", "octavia-worker.service")
# Seconds between two looks at the port, at the cloud, and two attempts to reach it.
LOOK, ASK, AGAIN = 20, 300, 15
# Seconds until the cloud has told what a host needs, and until all hosts have connected their ports.
TELL, CONNECT = 120, 180
IMAGES = "/var/cache/cairn"
# The VLAN of Neutron's agents for ports that do not exist.
DEAD = "4095"


class Failed(Exception):
    """The cloud refuses, or lacks something; the message says what."""


def settings() -> dict:
    """Return the file with this host's ``name``, the network ``hosts``, ``cidr``, ``flavor``, ``properties``."""
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


class Cloud:
    """The APIs, as Octavia's user."""

    def __init__(self) -> None:
        # Only the commands that ask the cloud need the memory that this takes.
        import openstack

        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read(CREDENTIALS)
        given = parser["service_auth"]
        names = ("auth_url", "username", "password", "user_domain_name", "project_name", "project_domain_name")
        self.connection = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth={name: given[name] for name in names},
            region_name=given.get("region_name"),
            cacert=given.get("cafile"),
            interface="internal",
        )
        try:
            self.project = self.connection.current_project_id
        except Exception as error:  # as below
            raise Failed(f"identity: {error}") from error

    def call(self, service: str, method: str, path: str, body: dict | None = None, accepted: tuple = ()) -> dict:
        """Return the answer of a service.

        :param accepted: codes besides those of success, such as 409 for what exists.
        :raises Failed: the service answers with another code, or not at all.
        """
        # Octavia's own API has its version in the path.
        adapter = self.connection.session
        where = {"service_type": service, "interface": "internal", "region_name": self.connection.config.region_name}
        headers = {"OpenStack-API-Version": "compute 2.90"} if service == "compute" else {}
        try:
            answer = adapter.request(path, method, endpoint_filter=where, json=body, headers=headers, raise_exc=False)
        except Exception as error:  # keystoneauth's and requests' have no common type
            raise Failed(f"{service}, {method} {path}: {error}") from error
        if answer.status_code >= 300 and answer.status_code not in accepted:
            raise Failed(f"{service}, {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content and answer.status_code < 300 else {}

    def network(self, method: str, path: str, body: dict | None = None, accepted: tuple = ()) -> dict:
        """Return the answer of Neutron."""
        return self.call("network", method, f"/v2.0{path}", body, accepted)

    def one(self, kind: str, **query: str) -> dict:
        """Return the object of Neutron of this kind (its plural) that the project has; empty if there is none."""
        wanted = "&".join(f"{name}={value}" for name, value in {**query, "project_id": self.project}.items())
        found = self.network("GET", f"/{kind}?{wanted}")[kind.replace("-", "_")]
        return found[0] if found else {}

    def ensured(self, kind: str, name: str, **fields: object) -> dict:
        """Return the object of Neutron of this kind and name, which is created if there is none."""
        if found := self.one(kind, name=name):
            return found
        singular = kind.replace("-", "_").removesuffix("s")
        print(f"creating {singular.replace('_', ' ')} {name}", file=sys.stderr)
        body = {singular: {"name": name, "project_id": self.project, **fields}}
        return self.network("POST", f"/{kind}", body)[singular]


def rule(cloud: Cloud, group: dict, protocol: str, port: int, **source: str) -> None:
    """Accept packets to a port in a security group."""
    fields = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol}
    body = {**fields, "port_range_min": port, "port_range_max": port, **source, "security_group_id": group["id"]}
    cloud.network("POST", "/security-group-rules", {"security_group_rule": body}, (409,))


def quotas(cloud: Cloud) -> None:
    """Let the project have any number of amphorae: users' quotas count load balancers."""
    names = ("cores", "instances", "ram", "server_group_members", "server_groups")
    body = {"quota_set": {"force": True, **dict.fromkeys(names, -1)}}
    cloud.call("compute", "PUT", f"/os-quota-sets/{cloud.project}", body)
    names = ("port", "security_group", "security_group_rule")
    cloud.network("PUT", f"/quotas/{cloud.project}", {"quota": dict.fromkeys(names, -1)})


def flavor(cloud: Cloud, wanted: dict) -> None:
    """Create the amphorae's flavor, for this project only; servers keep theirs if it changes."""
    path = f"/flavors/{FLAVOR}"
    found = cloud.call("compute", "GET", path, accepted=(404,)).get("flavor")
    if found and any(found[name] != value for name, value in wanted.items()):
        cloud.call("compute", "DELETE", path)
        found = None
    if not found:
        body = {"id": FLAVOR, "name": FLAVOR, **wanted, "os-flavor-access:is_public": False}
        cloud.call("compute", "POST", "/flavors", {"flavor": body})
    access = {"addTenantAccess": {"tenant": cloud.project}}
    cloud.call("compute", "POST", f"{path}/action", access, (409,))


def topologies(cloud: Cloud) -> None:
    """Create the flavors by which a user chooses between one amphora and two."""
    base = "/v2.0/lbaas"
    profiles = cloud.call("load-balancer", "GET", f"{base}/flavorprofiles")["flavorprofiles"]
    flavors = cloud.call("load-balancer", "GET", f"{base}/flavors")["flavors"]
    for name, topology in TOPOLOGIES.items():
        profile = next((one for one in profiles if one["name"] == name), None)
        if not profile:
            data = json.dumps({"loadbalancer_topology": topology})
            body = {"flavorprofile": {"name": name, "provider_name": "amphora", "flavor_data": data}}
            profile = cloud.call("load-balancer", "POST", f"{base}/flavorprofiles", body)["flavorprofile"]
        if not any(one["name"] == name for one in flavors):
            what = "one amphora, replaced when it fails" if name == "single" else "two amphorae, one of them in reserve"
            body = {"flavor": {"name": name, "description": what, "flavor_profile_id": profile["id"]}}
            cloud.call("load-balancer", "POST", f"{base}/flavors", body)


def port_of(host: str) -> str:
    """Return the name of a host's port."""
    return f"octavia-{host}"


def moved(cloud: Cloud, cidr: str) -> None:
    """Delete a subnet with other addresses, and the hosts' ports in it.

    :raises Failed: there are amphorae in it.
    """
    subnet = cloud.one("subnets", name=NETWORK)
    if not subnet or subnet["cidr"] == cidr:
        return
    ports = cloud.network("GET", f"/ports?network_id={subnet['network_id']}")["ports"]
    if others := sum(port["device_owner"] != OWNER for port in ports):
        raise Failed(
            f"cloud_amphora_network is {cidr}, but {others} ports of amphorae have addresses in {subnet['cidr']}: "
            "delete all load balancers, or set it back"
        )
    rules = cloud.network("GET", f"/security-group-rules?project_id={cloud.project}&protocol=udp")
    for one in rules["security_group_rules"]:
        if one["remote_ip_prefix"] == subnet["cidr"]:
            cloud.network("DELETE", f"/security-group-rules/{one['id']}", accepted=(404,))
    for port in ports:
        cloud.network("DELETE", f"/ports/{port['id']}", accepted=(404,))
    cloud.network("DELETE", f"/subnets/{subnet['id']}")


def prepare() -> None:
    """Create what is missing."""
    own, cloud = settings(), Cloud()
    quotas(cloud)
    flavor(cloud, own["flavor"])
    moved(cloud, own["cidr"])
    network = cloud.ensured("networks", NETWORK, description="Octavia and its amphorae")
    # Without a gateway and DHCP: the amphorae have fixed addresses, by their config drives, and no way out.
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": own["cidr"]}
    cloud.ensured("subnets", NETWORK, **subnet, gateway_ip=None, enable_dhcp=False)
    amphorae = cloud.ensured("security-groups", "octavia-amphorae", description="Amphorae on their management network")
    hosts = cloud.ensured("security-groups", "octavia-controllers", description="Hosts with Octavia's services")
    rule(cloud, amphorae, "tcp", AGENT_PORT, remote_group_id=hosts["id"])
    rule(cloud, hosts, "udp", HEARTBEAT_PORT, remote_ip_prefix=own["cidr"])
    for host in own["hosts"]:
        cloud.ensured(
            "ports",
            port_of(host),
            network_id=network["id"],
            device_owner=OWNER,
            device_id=host,
            security_groups=[hosts["id"]],
            **{"binding:host_id": host},
        )
    topologies(cloud)


def bound(cloud: Cloud, host: str) -> dict:
    """Return the port of a host once Neutron has bound it to the host.

    :raises Failed: there is no port yet, or the host's agent was not there when it was created.
    """
    port = cloud.one("ports", name=port_of(host))
    if not port:
        raise Failed(f"there is no port {port_of(host)} yet: a run of site.yml creates it at its end")
    if port["binding:host_id"] == host and port["binding:vif_type"] not in ("binding_failed", "unbound"):
        return port
    for value in ("", host):
        cloud.network("PUT", f"/ports/{port['id']}", {"port": {"binding:host_id": value}})
    raise Failed(f"Neutron has not bound the port to this host: is its agent running? ({port['binding:vif_type']})")


def find() -> dict:
    """Return the ids and this host's port."""
    own, cloud = settings(), Cloud()
    network = cloud.one("networks", name=NETWORK)
    group = cloud.one("security-groups", name="octavia-amphorae")
    if not network or not group:
        raise Failed(f"there is no network {NETWORK} yet: a run of site.yml creates it at its end")
    port = bound(cloud, own["name"])
    every = cloud.network("GET", f"/ports?device_owner={OWNER}&project_id={cloud.project}")["ports"]
    return {
        "project": cloud.project,
        "network": network["id"],
        "security_group": group["id"],
        "port": port["id"],
        "mac": port["mac_address"],
        "address": port["fixed_ips"][0]["ip_address"],
        "prefix": int(own["cidr"].partition("/")[2]),
        "mtu": network["mtu"],
        "hosts": sorted(one["fixed_ips"][0]["ip_address"] for one in every if one["fixed_ips"]),
    }


def options(state: dict) -> str:
    """Return the options of Octavia that follow from the ids."""
    listed = ", ".join(f"{address}:{HEARTBEAT_PORT}" for address in state["hosts"])
    return (
        "# Written by cairn-octavia.\n[controller_worker]\n"
        f"amp_boot_network_list = {state['network']}\n"
        f"amp_image_owner_id = {state['project']}\n"
        f"amp_secgroup_list = {state['security_group']}\n\n"
        "[health_manager]\n"
        f"bind_ip = {state['address']}\n"
        f"controller_ip_port_list = {listed}\n"
    )


def written(path: str, text: str) -> bool:
    """Replace a file if it has another content; return whether it had."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        if file.read() == text:
            return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(f"{path}.new", 0o644)
    os.replace(f"{path}.new", path)
    return True


def do(*command: str, seconds: int | None = None) -> str:
    """Return the output of a command.

    :param seconds: it is killed after them.
    :raises Failed: it fails.
    """
    try:
        done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=seconds)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed on this host") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command)}: no answer after {seconds} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def connected(state: dict) -> bool:
    """Whether the host's interface is there, with its addresses."""
    shown = subprocess.run(
        ["ip", "-json", "address", "show", "dev", INTERFACE], text=True, capture_output=True, check=False
    )
    if shown.returncode:
        return False
    (link,) = json.loads(shown.stdout)
    addresses = [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]]
    as_it_is = (link["address"], link["mtu"], "UP" in link["flags"])
    return as_it_is == (state["mac"], state["mtu"], True) and f"{state['address']}/{state['prefix']}" in addresses


def dead() -> bool:
    """Whether Neutron's agent has cut off the interface, because Neutron no longer has its port."""
    return do("ovs-vsctl", "--timeout=10", "--if-exists", "get", "Port", INTERFACE, "tag").strip() == DEAD


def connect(state: dict) -> None:
    """Connect the host's interface to the port."""
    ids = {
        "iface-id": state["port"],
        "attached-mac": state["mac"],
        "iface-status": "active",
        # Neutron's agents leave it when they clean up.
        "skip_cleanup": "true",
    }
    columns = [f'external_ids:{name}="{value}"' for name, value in ids.items()]
    add = ("--may-exist", "add-port", BRIDGE, INTERFACE)
    do("ovs-vsctl", "--timeout=60", *add, "--", "set", "Interface", INTERFACE, "type=internal", *columns)
    # The host routes nothing of this network, whatever it routes otherwise.
    for name in ("ipv6/conf/{}/disable_ipv6=1", "ipv4/conf/{}/forwarding=0"):
        do("sysctl", "--quiet", "--write", f"net/{name.format(INTERFACE)}")
    do("ip", "link", "set", "dev", INTERFACE, "address", state["mac"], "mtu", str(state["mtu"]))
    do("ip", "address", "flush", "dev", INTERFACE)
    do("ip", "address", "add", f"{state['address']}/{state['prefix']}", "dev", INTERFACE)
    do("ip", "link", "set", "dev", INTERFACE, "up")
    # Open vSwitch in user space drops packets with partial checksums.
    do("ethtool", "-K", INTERFACE, "tx", "off")


def asked() -> dict:
    """Return what :func:`find` finds, by a process of its own: this one stays small."""
    return json.loads(do(sys.executable, os.path.abspath(__file__), "find", seconds=TELL))


def known() -> dict:
    """Return what was found last; empty if nothing was."""
    with contextlib.suppress(FileNotFoundError, ValueError), open(STATE, encoding="utf-8") as file:
        return json.load(file)
    return {}


def apply(state: dict) -> None:
    """Connect the port if it is not, and write the ids."""
    if not connected(state):
        connect(state)
        print(f"connected {INTERFACE}, {state['address']}, to port {state['port']}", file=sys.stderr)
    if written(OPTIONS, options(state)) and os.path.exists(READY):
        print("the ids have changed: restarting what reads them", file=sys.stderr)
        do("systemctl", "--no-block", "try-restart", *READERS)
    written(READY, "")


def serve() -> None:
    """Keep the port connected."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    state, ask_at, said = known(), 0.0, ""
    try:
        while True:
            try:
                # First what is known: at a boot the cloud may not answer for long.
                if state:
                    apply(state)
                if not state or time.monotonic() >= ask_at or dead():
                    ask_at = time.monotonic() + ASK
                    found = asked()
                    if found != state:
                        state = found
                        written(STATE, json.dumps(state, indent=2) + "\n")
                        continue
                said = ""
            except Failed as error:
                # Once, not every few seconds until the cloud is up.
                if str(error) != said:
                    print(error, file=sys.stderr)
                said = str(error)
            time.sleep(LOOK if state else AGAIN)
    finally:
        subprocess.run(["ovs-vsctl", "--timeout=10", "--if-exists", "del-port", BRIDGE, INTERFACE], check=False)


def wait(command: list[str]) -> None:
    """Wait until the port is connected, and become the command."""
    if not os.path.exists(READY):
        print("waiting for the management network: see the unit cairn-octavia", file=sys.stderr)
    while not os.path.exists(READY):
        time.sleep(1)
    os.execvp(command[0], command)


def alive(pid: int) -> bool:
    """Whether a process runs: a dead one may still wait for its parent."""
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


def stop(pid: int) -> None:
    """Stop the health manager: its main process can wait for ever for the others after they have ended."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = [int(child) for child in file.read().split()]
    os.kill(pid, signal.SIGTERM)
    while any(map(alive, children)):
        time.sleep(0.2)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def tidy(cloud: Cloud) -> None:
    """Delete images that no amphora gets any more, and no server has: former ones, and what a killed upload left."""
    images = cloud.call("image", "GET", f"/v2/images?owner={cloud.project}&limit=1000")["images"]
    for one in images:
        if one["name"].startswith(f"{TAG}-") and TAG not in one["tags"]:
            servers = cloud.call("compute", "GET", f"/servers?image={one['id']}")["servers"]
            # An evacuation boots a server anew from its image.
            if not servers:
                cloud.call("image", "DELETE", f"/v2/images/{one['id']}", accepted=(403, 404, 409))


def image() -> None:
    """Build an image, upload it, and let amphorae use it in place of earlier ones."""
    own, cloud = settings(), Cloud()
    os.makedirs(IMAGES, exist_ok=True)
    # A reboot takes what is half done along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with open(f"{IMAGES}/amphora.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in os.listdir(IMAGES):
            if name.startswith("amphora-"):
                shutil.rmtree(f"{IMAGES}/{name}")
        tidy(cloud)
        with tempfile.TemporaryDirectory(prefix="amphora-", dir=IMAGES) as work:
            print(do("/usr/local/sbin/cairn-amphora-image", f"{work}/image.qcow2").strip())
            name = added(cloud, own, f"{work}/image.qcow2")
        tidy(cloud)
    print(f"amphorae use the image {name}")


def added(cloud: Cloud, own: dict, path: str) -> str:
    """Upload an image, and let amphorae use it; return its name."""
    listed = f"/v2/images?tag={TAG}&owner={cloud.project}&limit=1000"
    before = cloud.call("image", "GET", listed)["images"]
    name = f"{TAG}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    body = {
        "name": name,
        "container_format": "bare",
        "disk_format": "qcow2",
        "visibility": "private",
        "tags": [],
        **own["properties"],
    }
    made = cloud.call("image", "POST", "/v2/images", body)["id"]
    try:
        upload(cloud, made, path)
    except BaseException:
        cloud.call("image", "DELETE", f"/v2/images/{made}", accepted=(404,))
        raise
    cloud.call("image", "PUT", f"/v2/images/{made}/tags/{TAG}")
    for one in before:
        cloud.call("image", "DELETE", f"/v2/images/{one['id']}/tags/{TAG}", accepted=(404,))
    return name


def wait_for_ports(hosts: list[str]) -> None:
    """Wait until the ports of some hosts are connected.

    :raises Failed: some are not; with their hosts.
    """
    cloud, end = Cloud(), time.monotonic() + CONNECT
    while True:
        ports = cloud.network("GET", f"/ports?device_owner={OWNER}&project_id={cloud.project}")["ports"]
        active = {port["device_id"] for port in ports if port["status"] == "ACTIVE"}
        if not (missing := [host for host in hosts if host not in active]):
            return
        if time.monotonic() >= end:
            raise Failed(
                f"not connected to the amphorae's network after {CONNECT} s: {', '.join(missing)}. "
                "There `journalctl --unit cairn-octavia` says why"
            )
        time.sleep(2)


def upload(cloud: Cloud, made: str, path: str) -> None:
    """Upload the data of an image.

    :raises Failed: Glance refuses it, or it is not active afterwards.
    """
    where = {
        "service_type": "image",
        "interface": "internal",
        "region_name": cloud.connection.config.region_name,
    }
    with open(path, "rb") as file:
        answer = cloud.connection.session.put(
            f"/v2/images/{made}/file",
            endpoint_filter=where,
            data=file,
            headers={"Content-Type": "application/octet-stream"},
            raise_exc=False,
        )
    if answer.status_code >= 300:
        raise Failed(f"image, upload: {answer.status_code} {answer.text[:300]}")
    status = cloud.call("image", "GET", f"/v2/images/{made}")["status"]
    if status != "active":
        raise Failed(f"after its upload the image is {status}")


def forget(host: str) -> None:
    """Delete the port of a host."""
    cloud = Cloud()
    if port := cloud.one("ports", name=port_of(host)):
        cloud.network("DELETE", f"/ports/{port['id']}", accepted=(404,))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "image", "find", "serve"):
        commands.add_parser(name)
    commands.add_parser("connected").add_argument("hosts", nargs="+")
    commands.add_parser("run").add_argument("argv", nargs=argparse.REMAINDER)
    commands.add_parser("stop").add_argument("pid", type=int)
    commands.add_parser("forget").add_argument("host")
    given = parser.parse_args()
    try:
        match given.command:
            case "prepare":
                prepare()
            case "connected":
                wait_for_ports(given.hosts)
            case "image":
                image()
            case "find":
                print(json.dumps(find()))
            case "serve":
                serve()
            case "run":
                wait(given.argv)
            case "stop":
                stop(given.pid)
            case "forget":
                forget(given.host)
    except Failed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
