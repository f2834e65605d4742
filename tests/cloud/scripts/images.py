# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: what came of an image that Glance fetches, and of its copy in every other store, as JSON."""

import json
import secrets
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import openstack
import yaml

CONTENT = secrets.token_bytes(1 << 20)
# Glance fetches from the usual ports alone, and from no loopback. The host's own address is reached by Glance on other
# controllers too; where HAProxy has its port, there is no other controller, and a second address does.
OWN, SECOND, PORT = socket.gethostbyname(socket.gethostname()), "198.51.100.80", 80
SECONDS = 120


class Web(BaseHTTPRequestHandler):
    """Has one image, whatever it is asked for."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_words):
        """Say nothing."""


def imported(image, made, method, stores):
    """Have Glance import the image into these stores; return what came of it."""
    end = time.monotonic() + SECONDS
    wanted = {"method": method, "stores": stores}
    # 409: an image that has become active is locked until its task has ended.
    while (answer := image.post(f"/images/{made}/import", json=wanted)).status_code == 409 and time.monotonic() < end:
        time.sleep(1)
    if answer.status_code != 202:
        return f"refused: {answer.status_code} {answer.text[:200]}"
    while time.monotonic() < end:
        found = image.get(f"/images/{made}").json()
        if found.get("os_glance_failed_import"):
            return f"failed: {found['os_glance_failed_import']}"
        if found["status"] == "active" and set(stores) <= set(found["stores"].split(",")):
            back = image.get(f"/images/{made}/file", headers={"Accept": ""}).content
            return "read back" if back == CONTENT else f"{len(back)} other bytes"
        time.sleep(1)
    return f"after {SECONDS} s {found['status']} in {found.get('stores')}"


with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    image = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"]))).image
# The default first, which all controllers share, and from which each of them can copy.
found = sorted(image.get("/info/stores").json()["stores"], key=lambda store: not store.get("default"))
stores = [store["id"] for store in found]
second = (f"{SECOND}/32", "dev", "lo")
subprocess.run(["ip", "address", "replace", *second], check=True)
try:
    server = HTTPServer((OWN, PORT), Web)
except OSError:
    server = HTTPServer((SECOND, PORT), Web)
threading.Thread(target=server.serve_forever, daemon=True).start()
body = {"name": "cairn-tests", "disk_format": "raw", "container_format": "bare", "visibility": "private"}
made = image.post("/images", json=body).json()["id"]
try:
    first, *others = stores
    fetch = {"name": "web-download", "uri": f"http://{server.server_address[0]}/image"}
    outcomes = {"web-download": imported(image, made, fetch, [first])}
    if others:
        outcomes["copy-image"] = imported(image, made, {"name": "copy-image"}, others)
finally:
    image.delete(f"/images/{made}")
    subprocess.run(["ip", "address", "del", *second], check=True)
print(json.dumps(outcomes))
