# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: who has which partition by the object rings, as JSON; and whether objects are where they belong.

usage: rings.py [ACCOUNT POLICY CONTAINER OBJECT,…]
"""

import http.client
import json
import sys
from collections import Counter
from pathlib import Path

from swift.common.ring import Ring


def name(device):
    """Return what a device is called."""
    return f"{device['meta']}/{device['device']}"


def places():
    """Return for each object ring its version, and the devices of each partition."""
    answer = {}
    for path in sorted(Path("/etc/swift").glob("object*.ring.gz")):
        ring = Ring(str(path))
        rows = [[name(node) for node in ring.get_part_nodes(part)] for part in range(ring.partition_count)]
        answer[path.name.removesuffix(".ring.gz")] = {"version": ring.version, "places": rows}
    return answer


def lacking(account, policy, container, objects):
    """Ask every device for the objects that it shall have; return how many each lacks, and of how many."""
    ring = Ring("/etc/swift", ring_name=f"object-{policy}" if policy != "0" else "object")
    lines, found, asked = {}, Counter(), 0
    for one in objects:
        part, nodes = ring.get_nodes(account, container, one)
        for node in nodes:
            where = node["ip"], node["port"]
            asked += 1
            try:
                line = lines.setdefault(where, http.client.HTTPConnection(*where, timeout=10))
                path = f"/{node['device']}/{part}/{account}/{container}/{one}"
                line.request("HEAD", path, headers={"X-Backend-Storage-Policy-Index": policy})
                answer = line.getresponse()
                answer.read()
                found[name(node)] += answer.status != 200
            except (OSError, http.client.HTTPException):
                found[name(node)] += 1
                lines.pop(where).close()
    return {"asked": asked, "lacking": {key: number for key, number in found.items() if number}}


print(json.dumps(lacking(*sys.argv[1:4], sys.argv[4].split(",")) if len(sys.argv) > 1 else places()))
