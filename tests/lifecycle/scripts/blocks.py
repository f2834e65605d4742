# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: volumes in Ceph are made, written block by block, and read, by Cinder's own account.

``make VOLUMES`` prints their ids as JSON. ``write ROUNDS ID…`` prints a volume, a block's number and its SHA-256 when
its flush has returned. ``read ROUNDS ID…`` prints the SHA-256 of what is there, as JSON: id → list.

``backup full ID`` and ``backup incremental ID`` print the backup's id, ``restore BACKUP`` that of a volume made of it.
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


def cloud():
    """Return the cloud as its administrator has it."""
    with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
        return openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))


def ready(store, *made):
    """Wait until these can be used."""
    for one in made:
        store.wait_for_status(one, "available", failures=["error"], interval=2, wait=300)


def make(volumes):
    """Make volumes of 1 GiB."""
    ours = cloud()
    # By default a project has no more than ten.
    ours.set_volume_quotas(ours.current_project_id, volumes=2 * int(volumes))
    store = ours.block_storage
    made = [store.create_volume(name=f"kept-{number}", size=1) for number in range(int(volumes))]
    ready(store, *made)
    print(json.dumps([volume.id for volume in made]))


def backup(kind, volume):
    """Make a backup of all of a volume, or of what has changed since the one before."""
    store = cloud().block_storage
    made = store.create_backup(name=kind, volume_id=volume, is_incremental=kind == "incremental")
    ready(store, made)
    print(json.dumps(made.id))


def restore(made):
    """Make a volume of a backup."""
    store = cloud().block_storage
    volume = store.create_volume(name="restored", size=1)
    ready(store, volume)
    store.restore_backup(made, volume.id)
    ready(store, store.get_backup(made), store.get_volume(volume.id))
    print(json.dumps(volume.id))


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


def write(rounds, *ids):
    """Write blocks of random content, and say each when it is safe."""
    said = threading.Lock()

    def work(name, image):
        for number in range(int(rounds)):
            data = secrets.token_bytes(BLOCK)
            image.write(data, number * BLOCK)
            image.flush()
            with said:
                print(name, number, hashlib.sha256(data).hexdigest(), flush=True)

    each(work, ids)


def read(rounds, *ids):
    """Say what is there."""

    def work(_name, image):
        return [hashlib.sha256(image.read(number * BLOCK, BLOCK)).hexdigest() for number in range(int(rounds))]

    print(json.dumps(each(work, ids)))


if __name__ == "__main__":
    {"make": make, "write": write, "read": read, "backup": backup, "restore": restore}[sys.argv[1]](*sys.argv[2:])
