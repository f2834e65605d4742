# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: store a secret payload in the key manager, read it back, remove it; what came of it as JSON."""

import json
import secrets

import openstack
import yaml

with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
manager = cloud.key_manager
payload = secrets.token_hex(16)
made = manager.post("/secrets", json={"name": "cairn-test", "payload": payload, "payload_content_type": "text/plain"})
made.raise_for_status()
where = made.json()["secret_ref"]
try:
    read = manager.get(f"{where}/payload", headers={"Accept": "text/plain"})
    read.raise_for_status()
    print(json.dumps({"endpoint": manager.get_endpoint(), "secret": where, "same": read.text == payload}))
finally:
    manager.delete(where).raise_for_status()
