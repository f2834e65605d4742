# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: volumes in Ceph are made, written block by block, and read, by Cinder's own account.

``make VOLUMES`` prints their ids as JSON. ``write ROUNDS ID…`` prints a volume, a block's number and its SHA-256 when
its flush has returned. ``read ROUNDS ID…`` prints the SHA-256 of what is there, as JSON: id → list.
"""

import hashlib
import json
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import openstack
import rados
import rbd
import yaml

BLOCK = 65536


def make(volumes):
    """Make volumes of 1 GiB, as a user does."""
    with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
        store = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"]))).block_storage
    made = [store.create_volume(name=f"kept-{number}", size=1) for number in range(volumes)]
    for volume in made:
        store.wait_for_status(volume, "available", failures=["error"], interval=2, wait=300)
    print(json.dumps([volume.id for volume in made]))


def each(work, ids):
    """Let *work* have each volume's image, side by side; returns what it returned."""
    with (
        rados.Rados(conffile="/etc/ceph/ceph.conf", rados_id="cinder") as cluster,
        cluster.open_ioctx("volumes") as pool,
        ThreadPoolExecutor(len(ids)) as threads,
    ):

        def one(name):
            with rbd.Image(pool, f"volume-{name}") as image:
                return work(name, image)

        return dict(zip(ids, threads.map(one, ids), strict=True))


def write(rounds, ids):
    """Write blocks of random content, and say each when it is safe."""
    said = threading.Lock()

    def work(name, image):
        for number in range(rounds):
            data = secrets.token_bytes(BLOCK)
            image.write(data, number * BLOCK)
            image.flush()
            with said:
                print(name, number, hashlib.sha256(data).hexdigest(), flush=True)

    each(work, ids)


def read(rounds, ids):
    """Say what is there."""

    def work(_name, image):
        return [hashlib.sha256(image.read(number * BLOCK, BLOCK)).hexdigest() for number in range(rounds)]

    print(json.dumps(each(work, ids)))


def main():
    """Do what was asked for."""
    what, number, *ids = sys.argv[1:]
    if what == "make":
        make(int(number))
    else:
        {"write": write, "read": read}[what](int(number), ids)


if __name__ == "__main__":
    main()
