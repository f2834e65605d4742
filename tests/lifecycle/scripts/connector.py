# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a host that uses volumes, as root: os-brick does what it is told, until nobody tells it more.

``ADDRESS``. Each line of the standard input is JSON, ``[CONNECTION, [WORD…]]``, and is answered by a line: what each of
the words found, or the ``error`` of the first that failed. What Cinder wants to know of a host needs no connection:
``describe``, and ``describe_paths`` of one that takes several.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import traceback

import os_brick
from os_brick.initiator import connector
from oslo_concurrency import lockutils
from oslo_config import cfg

PATTERN = "/var/tmp/pattern"
FOUND = "/var/tmp/found"
MIB = 4
ADDRESS = sys.argv[1]


def digest(path):
    """Return the digest of the beginning of a file."""
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read(MIB << 20)).hexdigest()


class Volume:
    """What is done with the volume of a connection; each public method is a word."""

    def __init__(self, connection):
        self._data = connection
        self._kind = connection.get("driver_volume_type", "")
        self._multipath = connection.get("multipath", False)

    def _way(self):
        """Return what connects this kind of volume."""
        more = {"nfs_mount_point_base": "/var/tmp"} if self._kind == "nfs" else {}
        return connector.InitiatorConnector.factory(self._kind, "sudo", use_multipath=self._multipath, **more)

    def _image(self):
        """Return the volume as QEMU's tools take it: a disk, or a file of some format."""
        return f"driver={self._data.get('format') or 'raw'},file.filename={self.connect()}"

    def describe(self):
        """Return what Cinder wants to know of this host."""
        return connector.get_connector_properties("sudo", ADDRESS, multipath=False, enforce_multipath=False)

    def describe_paths(self):
        """Return the same of a host with several paths; an error unless multipathd runs."""
        return connector.get_connector_properties("sudo", ADDRESS, multipath=True, enforce_multipath=True)

    def connect(self):
        """Make the volume a device of this host."""
        return os.path.realpath(self._way().connect_volume(self._data)["path"])

    def extend(self):
        """Hear that the volume has grown, and return the device's size."""
        return self._way().extend_volume(self._data)

    def write(self):
        """Write a pattern nobody has seen to the device, and return its digest."""
        with open(PATTERN, "wb") as stream:
            stream.write(os.urandom(MIB << 20))
        convert = ["qemu-img", "convert", "-n", "-t", "none", "-f", "raw", PATTERN, "--target-image-opts"]
        subprocess.run([*convert, self._image()], check=True, stdout=sys.stderr)
        return digest(PATTERN)

    def read(self):
        """Read what was written back, and return its digest."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(FOUND)
        copy = ["qemu-img", "dd", "-O", "raw", "bs=1M", f"count={MIB}", f"of={FOUND}", "--image-opts"]
        subprocess.run([*copy, f"if={self._image()}"], check=True, stdout=sys.stderr)
        return digest(FOUND)

    def disconnect(self):
        """Let the device go. A share stays mounted with os-brick, which leaves that to its caller."""
        device = self.connect()
        self._way().disconnect_volume(self._data, {"path": device})
        if self._kind == "nfs":
            subprocess.run(["umount", os.path.dirname(device)], check=True)


def answer(asked, words):
    """Return what the words found of the volume of a connection."""
    volume = Volume(asked)
    try:
        return {word: getattr(volume, word)() for word in words}
    except Exception:
        return {"error": traceback.format_exc()}


lockutils.set_defaults("/run/lock")
os_brick.setup(cfg.CONF)
for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))))
