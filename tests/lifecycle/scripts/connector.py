# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a host that uses volumes, as root: os-brick does what words say with a connection, one by one; JSON of each.

``ADDRESS CONNECTION WORD…``. What Cinder wants to know of a host needs no connection: ``describe``, and
``describe_paths`` of one that takes several.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys

import os_brick
from os_brick.initiator import connector
from oslo_concurrency import lockutils
from oslo_config import cfg

PATTERN = "/var/tmp/pattern"
FOUND = "/var/tmp/found"
MIB = 4

address, connection, words = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
lockutils.set_defaults("/run/lock")
os_brick.setup(cfg.CONF)
kind, data = connection.get("driver_volume_type", ""), connection.get("data", connection)


def way():
    """Return what connects this kind of volume."""
    more = {"nfs_mount_point_base": "/var/tmp"} if kind == "nfs" else {}
    return connector.InitiatorConnector.factory(kind, "sudo", use_multipath=connection.get("multipath", False), **more)


def image(device):
    """Return a volume as QEMU's tools take it: a disk, or a file of some format."""
    return f"driver={data.get('format') or 'raw'},file.filename={device}"


def digest(path):
    """Return the digest of the beginning of a file."""
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read(MIB << 20)).hexdigest()


def describe():
    """Return what Cinder wants to know of this host."""
    return connector.get_connector_properties("sudo", address, multipath=False, enforce_multipath=False)


def describe_paths():
    """Return the same of a host with several paths; an error unless multipathd runs."""
    return connector.get_connector_properties("sudo", address, multipath=True, enforce_multipath=True)


def connect():
    """Make the volume a device of this host."""
    return os.path.realpath(way().connect_volume(data)["path"])


def extend():
    """Hear that the volume has grown, and return the device's size."""
    return way().extend_volume(data)


def write():
    """Write a pattern nobody has seen to the device, and return its digest."""
    with open(PATTERN, "wb") as stream:
        stream.write(os.urandom(MIB << 20))
    convert = ["qemu-img", "convert", "-n", "-t", "none", "-f", "raw", PATTERN, "--target-image-opts"]
    subprocess.run([*convert, image(connect())], check=True, stdout=sys.stderr)
    return digest(PATTERN)


def read():
    """Read what was written back, and return its digest."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(FOUND)
    copy = ["qemu-img", "dd", "-O", "raw", "bs=1M", f"count={MIB}", f"of={FOUND}", "--image-opts"]
    subprocess.run([*copy, f"if={image(connect())}"], check=True, stdout=sys.stderr)
    return digest(FOUND)


def disconnect():
    """Let the device go. A share stays mounted with os-brick, which leaves that to its caller."""
    device = connect()
    way().disconnect_volume(data, {"path": device})
    if kind == "nfs":
        subprocess.run(["umount", os.path.dirname(device)], check=True)


functions = (describe, describe_paths, connect, extend, write, read, disconnect)
actions = {function.__name__: function for function in functions}
print(json.dumps({word: actions[word]() for word in words}))
