# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: log in as a user. Prints the roles as JSON, or null if Keystone refuses or can't tell.

Arguments: user, its domain, project in this domain. The password is the first line of the standard input.
"""

import json
import sys

import openstack
import yaml
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

user, domain, project = sys.argv[1:4]
with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
auth = v3.Password(
    cloud.config.get_auth_args()["auth_url"],
    username=user,
    password=sys.stdin.readline().rstrip("\n"),
    user_domain_name=domain,
    project_name=project,
    project_domain_name=domain,
)
try:
    found = sorted(auth.get_access(Session(verify=cloud.session.verify, timeout=90)).role_names)
except ClientException:
    found = None
print(json.dumps(found))
