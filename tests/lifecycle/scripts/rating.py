# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: give a project of its own a server of past hours in Gnocchi, and wait for CloudKitty's report of it.

Arguments: flavor and hours. Prints as JSON what the project is to pay for them, or null if no report came.
"""

import datetime
import json
import subprocess
import sys
import time
import uuid

import openstack
import yaml

HOUR = datetime.timedelta(hours=1)
flavor, hours = sys.argv[1], int(sys.argv[2])
with open("/etc/openstack/clouds.yaml", encoding="utf-8") as file:
    cloud = openstack.connect(cloud=next(iter(yaml.safe_load(file)["clouds"])))
gnocchi, rating = (cloud.config.get_session_client(kind) for kind in ("metric", "rating"))
gnocchi.endpoint_override, rating.endpoint_override = (cloud.endpoint_for(kind) for kind in ("metric", "rating"))


def ask(service, method, path, **body):
    """Return the response to a request."""
    response = service.request(path, method, **body)
    assert response.status_code < 400, f"{method} {path}: {response.text}"
    return response.json() if response.content else None


def mariadb(query):
    """Return what MariaDB answers."""
    words = ["mariadb", "--batch", "--skip-column-names", "--execute", query]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


# The last hours that have been over for so long that they are rated.
end = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
begin = end - hours * HOUR
project = cloud.identity.create_project(name="cairn-test-rating")
server = str(uuid.uuid4())
try:
    about = {"display_name": "x", "flavor_id": "x", "flavor_name": flavor, "host": "x"}
    times = {"started_at": begin.isoformat(), "ended_at": end.isoformat()}
    resource = {"id": server, "project_id": project.id, "user_id": "x", **about, **times}
    policies = ask(gnocchi, "GET", "/v1/archive_policy")
    policy = next(one["name"] for one in policies if one["name"].startswith("seconds-"))
    ask(
        gnocchi, "POST", "/v1/resource/instance", json={**resource, "metrics": {"cpu": {"archive_policy_name": policy}}}
    )
    # Gnocchi gives measures to what the resource was at that time, and takes it for new.
    mariadb(f"UPDATE gnocchi.resource SET revision_start = started_at WHERE id = UNHEX('{server.replace('-', '')}')")
    minutes = [begin + datetime.timedelta(minutes=number) for number in range(60 * hours)]
    measures = [{"timestamp": minute.isoformat(), "value": 1.0} for minute in minutes]
    ask(gnocchi, "POST", f"/v1/resource/instance/{server}/metric/cpu/measures", json=measures)
    kept = f"/v1/resource/instance/{server}/metric/cpu/measures?granularity=3600&refresh=true"
    assert len(ask(gnocchi, "GET", kept)) == hours
    # CloudKitty begins with the month; this project begins an hour before its server.
    state = f"('{project.id}', 'project_id', 'gnocchi', 'gnocchi', '{begin - 2 * HOUR:%Y-%m-%d %H:%M:%S}', 1)"
    fields = "identifier, scope_key, fetcher, collector, last_processed_timestamp, active"
    query = f"INSERT INTO cloudkitty.cloudkitty_storage_states ({fields}) VALUES {state}"
    mariadb(query)
    # It looks for projects at its start, and then once an hour.
    subprocess.run(["systemctl", "restart", "cloudkitty-processor"], check=True)
    until, total = time.monotonic() + 180, None
    window = f"begin={begin:%Y-%m-%dT%H:%M:%S}&end={end:%Y-%m-%dT%H:%M:%S}"
    query = "SELECT last_processed_timestamp FROM cloudkitty.cloudkitty_storage_states WHERE identifier = '{}'"
    while time.monotonic() < until:
        said = mariadb(query.format(project.id))
        if said >= f"{end - HOUR:%Y-%m-%d %H:%M:%S}":
            total = ask(rating, "GET", f"/v1/report/total?tenant_id={project.id}&{window}")
            break
        time.sleep(2)
finally:
    gnocchi.request(f"/v1/resource/instance/{server}", "DELETE")
    cloud.identity.delete_project(project)
    mariadb(f"DELETE FROM cloudkitty.cloudkitty_storage_states WHERE identifier = '{project.id}'")
    mariadb(f"DELETE FROM cloudkitty.rated_data_frames WHERE tenant_id = '{project.id}'")
print(json.dumps(total))
