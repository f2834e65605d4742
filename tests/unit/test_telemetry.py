# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where Gnocchi keeps metrics, who divides the work on several controllers, and what Ceilometer measures."""

from __future__ import annotations

import pytest
import resolving
import yaml

DEVICES = [{"path": "/dev/sdb"}, {"path": "/dev/sdc"}]
CEPH = {"name": "ceph", "kind": "ceph", "serves": ["volumes", "images", "metrics"]}
SWIFT = {"name": "swift", "kind": "swift", "serves": ["objects", "metrics"]}
SERVICES = ["gnocchi", "ceilometer", "aodh", "cloudkitty", "designate"]


def resolved(tmp_path, storage=(), number=1, host="c1", **settings):
    """Return what *host* shall have in a cloud of so many controllers, a compute and a storage host."""
    names = ["c1", "c2", "c3"][:number]
    hosts = {name: {"groups": ["controller"], "address": f"192.0.2.1{name[1]}"} for name in names}
    hosts["n1"] = {"groups": ["compute"], "address": "192.0.2.21"}
    hosts["s1"] = {"groups": ["storage"], "address": "192.0.2.31", "storage_devices": DEVICES}
    address = "192.0.2.9" if number > 1 else "192.0.2.11"
    given = {"cloud_services": SERVICES, "cloud_storage": list(storage), "cloud_internal_address": address, **settings}
    return resolving.resolve(hosts, host, tmp_path, given)


def sections(model, service, file, groups=("controller",)):
    return resolving.files(model, service, groups)[file]["sections"]


@pytest.mark.parametrize(
    ("storage", "driver", "option", "value"),
    [
        ([], "file", "file_basepath", "/var/lib/gnocchi"),
        ([{**CEPH, "serves": ["volumes"]}], "file", "file_basepath", "/var/lib/gnocchi"),
        ([CEPH], "ceph", "ceph_pool", "metrics"),
        ([SWIFT], "swift", "swift_endpoint_type", "internalURL"),
    ],
)
def test_where_metrics_are(tmp_path, storage, driver, option, value):
    model = resolved(tmp_path, storage)
    found = sections(model, "gnocchi", "gnocchi.conf")["storage"]
    assert (found["driver"], found[option]) == (driver, value)
    assert bool(found.get("file_basepath")) is (driver == "file")
    keyring = resolving.files(model, "gnocchi", ["controller"]).get("gnocchi.keyring")
    assert (keyring is not None) is (driver == "ceph")


@pytest.mark.parametrize("number", [1, 3])
def test_who_divides_the_work(tmp_path, number):
    model = resolved(tmp_path, [CEPH], number)
    etcd = "etcd3+http://127.0.0.1:2381"
    places = {
        ("gnocchi", "gnocchi.conf", "DEFAULT", "coordination_url"): "file:///var/lib/gnocchi/locks",
        ("cloudkitty", "cloudkitty.conf", "orchestrator", "coordination_url"): "file:///var/lib/cloudkitty/locks",
        ("designate", "designate.conf", "coordination", "backend_url"): None,
        ("aodh", "aodh.conf", "coordination", "backend_url"): None,
    }
    for (service, file, section, option), alone in places.items():
        assert sections(model, service, file)[section].get(option) == (etcd if number > 1 else alone)


def test_an_agent_that_was_forgotten_does_not_join_again(tmp_path):
    """So it is forgotten late."""
    found = sections(resolved(tmp_path, [CEPH], 3), "ceilometer", "ceilometer.conf")["coordination"]
    assert found["backend_url"] == "etcd3+http://127.0.0.1:2381?membership_timeout=600"
    assert (
        sections(resolved(tmp_path, [CEPH]), "ceilometer", "ceilometer.conf")["coordination"].get("backend_url") is None
    )


def test_a_compute_host_has_no_etcd(tmp_path):
    model = resolved(tmp_path, [CEPH], 3, "n1")
    assert sections(model, "ceilometer", "ceilometer.conf", ["compute"])["coordination"].get("backend_url") is None
    assert set(resolving.files(model, "ceilometer", ["compute"])) >= {"ceilometer.conf", "polling.yaml"}
    assert "pipeline.yaml" not in resolving.files(model, "ceilometer", ["compute"])


def test_the_interval_names_the_policy(tmp_path):
    model = resolved(tmp_path, cloud_metrics_interval=30, cloud_metrics_days=10)
    files = resolving.files(model, "ceilometer", ["controller"])
    (source,) = yaml.safe_load(files["polling.yaml"]["content"])["sources"]
    assert source["interval"] == 30
    (sink,) = yaml.safe_load(files["pipeline.yaml"]["content"])["sinks"]
    assert sink["publishers"] == ["gnocchi://?archive_policy=seconds-30"]
    _upgrade, policy = model.definitions["ceilometer"]["after_start"]
    assert (
        "seconds-30 --definition granularity:30s,timespan:3d --definition granularity:1h,timespan:10d" in policy["run"]
    )
    assert '"points": 240}' in policy["unless"]["query"]


def test_events_reach_alarms_if_there_are_any(tmp_path):
    for services, wanted in ((SERVICES, True), (["gnocchi", "ceilometer"], False)):
        files = resolving.files(resolved(tmp_path, cloud_services=services), "ceilometer", ["controller"])
        (sink,) = yaml.safe_load(files["event_pipeline.yaml"]["content"])["sinks"]
        assert ("notifier://?topic=alarm.all" in sink["publishers"]) is wanted


def test_what_alarms_reach(tmp_path):
    model = resolved(tmp_path)
    unit = resolving.files(model, "aodh", ["controller"])["notifier"]["content"]
    assert "IPAddressDeny=127.0.0.0/8\n" in unit
    assert "/etc/cairn/ca.crt >/run/aodh/authorities.pem" in unit
    watched = {one["name"]: one.get("watches") for one in model.definitions["aodh"]["units"]}
    assert watched["aodh-notifier"] == ["/etc/cairn/ca.crt"]


def test_without_tls_nobody_needs_authorities(tmp_path):
    files = resolving.files(resolved(tmp_path, cloud_tls=False), "aodh", ["controller"])
    assert "ExecStartPre" not in files["notifier"]["content"]
    assert not files["aodh.conf"]["sections"]["DEFAULT"]["rest_notifier_ca_bundle_certificate_path"]


def test_what_is_rated(tmp_path):
    files = resolving.files(resolved(tmp_path), "cloudkitty", ["controller"])
    metrics = yaml.safe_load(files["metrics.yml"]["content"])["metrics"]
    assert {name: one["extra_args"]["resource_type"] for name, one in metrics.items()} == {
        "cpu": "instance",
        "volume.size": "volume",
        "image.size": "image",
        "ip.floating": "network",
    }
    assert {one["extra_args"]["force_granularity"] for one in metrics.values()} == {3600}
