# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: what a user outside the cloud needs to reach the administrator's objects, as JSON."""

import json
from pathlib import Path

import openstack
import yaml

name = next(iter(yaml.safe_load(Path("/etc/openstack/clouds.yaml").read_text(encoding="utf-8"))["clouds"]))
cloud = openstack.connect(cloud=name)
authority = Path("/etc/cairn/ca.crt")
print(
    json.dumps(
        {
            "url": cloud.object_store.get_endpoint(),
            "token": cloud.auth_token,
            "authority": authority.read_text(encoding="ascii") if authority.exists() else "",
        }
    )
)
