# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Magnum, against an API of the same form."""

from __future__ import annotations

import io
import lzma
from types import SimpleNamespace

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import clusters, image, optional
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, NotRun
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run
from api_double import answer, connect

RUN = "cairn-verify-20260102000000-0a0b"
OPTIONS = {"api_timeout": 0, "delete_timeout": 0, "cluster_image": "", "cluster_timeout": 0}
COMPLETE = {"status": "CREATE_COMPLETE", "api_address": "https://192.0.2.7:6443"}


class Magnum:
    """Templates and clusters of projects; each project sees its own ones, an administrator all."""

    def __init__(self, careless=False, keeps=(), states=("up",), cluster=COMPLETE):
        self.careless, self.keeps, self.states, self.cluster = careless, keeps, states, cluster
        self.things = {"clustertemplates": {}, "clusters": {}}

    def of(self, project, admin=False):
        """Return the API for a user of the project."""

        def request(path, method, json=None):
            kind, _, name = path.strip("/").partition("/")
            if kind == "mservices":
                return answer({"mservices": [{"state": state} for state in self.states]})
            every = self.things[kind]
            seen = {k: v for k, v in every.items() if admin or self.careless or v["project_id"] == project}
            if method == "POST":
                made = f"{kind}-{len(every)}"
                more = self.cluster if kind == "clusters" else {"cluster_distro": "fedora-coreos"}
                every[made] = {**json, **more, "uuid": made, "project_id": project}
                return answer(every[made])
            if method == "DELETE":
                if name not in self.keeps:
                    del every[name]
                return answer({}, 204)
            if not name:
                return answer({kind: list(seen.values())})
            return answer(seen[name]) if name in seen else answer({}, 404)

        return SimpleNamespace(request=request)


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Magnum."""
    connect(monkeypatch, clusters)
    monkeypatch.setattr(image, "upload", lambda _run, name, *_data, **_more: name)

    def start(magnum, **options):
        images = SimpleNamespace(
            request=lambda *_words, **_more: answer({}, 204),
            images=lambda name: [SimpleNamespace(id="i1")] if name == "coreos" else [],
        )
        flavors = {}

        def create_flavor(name, **more):
            flavors[name] = more
            return SimpleNamespace(id=name)

        compute = SimpleNamespace(create_flavor=create_flavor, flavor_add_tenant_access=lambda *_: None)
        admin = SimpleNamespace(of={"container-infra": magnum.of("admin", admin=True)}, compute=compute)
        user = SimpleNamespace(of={"container-infra": magnum.of("p1")}, image=images)
        run = Run(RUN, admin, {**OPTIONS, **options}, user=user, project=SimpleNamespace(id="p1"))
        run.flavor, run.external = SimpleNamespace(id="f1"), SimpleNamespace(id="public")
        return run, flavors

    return start


def test_a_template_is_its_projects(begin):
    magnum = Magnum()
    run, _flavors = begin(magnum)
    assert clusters.template(run) == "seen by its project only"
    assert magnum.things == {"clustertemplates": {}, "clusters": {}}


@pytest.mark.parametrize(
    ("magnum", "message"),
    [
        (Magnum(careless=True), "another project is visible: status 200"),
        (Magnum(keeps=("clustertemplates-1",)), "status 200, not 404"),
    ],
)
def test_what_a_template_must_not_do(begin, magnum, message):
    with pytest.raises(Bad, match=message):
        clusters.template(begin(magnum)[0])


def test_a_cloud_without_an_external_network(begin):
    run, _flavors = begin(magnum := Magnum(keeps=("clustertemplates-1",)))
    run.external = None
    with pytest.raises(Bad, match="not 404"):
        clusters.template(run)
    assert "external_network_id" not in magnum.things["clustertemplates"]["clustertemplates-1"]
    run.options["cluster_image"] = "coreos"
    with pytest.raises(NotRun, match="external network"):
        clusters.cluster(run)


@pytest.mark.parametrize(("states", "said"), [(("up",), "1 of 1 report"), (("down", "up"), "1 of 2 report")])
def test_conductors(begin, states, said):
    assert clusters.conducting(begin(Magnum(states=states))[0]) == said


def test_no_conductor_reports(begin):
    with pytest.raises(Bad, match="none of 1 conductors"):
        clusters.conducting(begin(Magnum(states=("down",)))[0])


def test_a_cluster(begin):
    magnum = Magnum()
    run, flavors = begin(magnum, cluster_image="coreos", cluster_timeout=600)
    said = []
    ask = run.user.of["container-infra"].request
    run.user.of["container-infra"].request = lambda path, method, json=None: (
        said.append(json),
        ask(path, method, json),
    )[1]
    assert clusters.cluster(run) == "of two servers, at https://192.0.2.7:6443; deleted"
    template, cluster = (one for one in said if one)
    assert (template["image_id"], template["external_network_id"]) == ("i1", "public")
    assert template["flavor_id"] == template["master_flavor_id"] == f"{RUN}-node"
    assert (cluster["keypair"], cluster["create_timeout"]) == (RUN, 10)
    assert flavors[f"{RUN}-node"]["is_public"] is False
    assert magnum.things == {"clustertemplates": {}, "clusters": {}}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"status": "CREATE_FAILED", "status_reason": "no valid host"}, "CREATE_FAILED: no valid host"),
        ({"status": "CREATE_IN_PROGRESS", "status_reason": None}, "CREATE_IN_PROGRESS: after 0 s"),
    ],
)
def test_a_cluster_that_does_not_come(begin, state, message):
    with pytest.raises(Bad, match=message):
        clusters.cluster(begin(Magnum(cluster=state), cluster_image="coreos")[0])


def test_a_cluster_that_stays(begin):
    with pytest.raises(Bad, match="after its deletion"):
        clusters.cluster(begin(Magnum(keeps=("clusters-0",)), cluster_image="coreos")[0])


def test_no_image(begin):
    with pytest.raises(NotRun, match=r"^no image of a cluster's node"):
        clusters.cluster(begin(Magnum())[0])
    with pytest.raises(Bad, match="users have no image other"):
        clusters.cluster(begin(Magnum(), cluster_image="other")[0])


@pytest.mark.parametrize("name", ["https://example.org/coreos.qcow2", "https://example.org/coreos.qcow2.xz"])
def test_an_image_is_fetched(begin, monkeypatch, name):
    content = bytes(range(256)) * 8192
    sent = lzma.compress(content) if name.endswith(".xz") else content
    uploaded = {}

    def upload(_run, name, data, kind, properties):
        uploaded.update(name=name, data=b"".join(data), kind=kind, properties=properties)
        return "i2"

    monkeypatch.setattr(image, "upload", upload)
    monkeypatch.setattr(clusters, "open_url", lambda _url, timeout: io.BytesIO(sent))
    magnum = Magnum(keeps=("clustertemplates-0",))
    clusters.cluster(begin(magnum, cluster_image=name)[0])
    assert uploaded == {
        "name": f"{RUN}-node",
        "data": content,
        "kind": "qcow2",
        "properties": {"os_distro": "fedora-coreos"},
    }
    assert magnum.things["clustertemplates"]["clustertemplates-0"]["image_id"] == "i2"


@pytest.mark.parametrize("keeps", [(), ("clusters-0",)])
def test_what_a_run_left_is_deleted(begin, monkeypatch, keeps):
    magnum = Magnum(keeps=keeps)
    own, other = magnum.of("p1", admin=True), magnum.of("admin", admin=True)
    for api, path, name in (
        (own, "/clusters", RUN),
        (own, "/clustertemplates", RUN),
        (other, "/clustertemplates", RUN),
        (other, "/clustertemplates", "theirs"),
    ):
        api.request(path, "POST", {"name": name})
    begin(magnum)
    monkeypatch.setattr(
        clusters.account, "admin_of", lambda _admin, _project: SimpleNamespace(of={"container-infra": own})
    )
    identity = SimpleNamespace(get_project=lambda _id: SimpleNamespace(name=RUN))
    found = clusters.sweep(SimpleNamespace(identity=identity), "p1", 0)
    assert found == ([f"{RUN} (CREATE_COMPLETE)"] if keeps else [])
    assert [one["name"] for one in magnum.things["clustertemplates"].values()] == ["theirs"]


def test_clusters_are_deleted_before_stacks():
    assert [service.name for service in optional.of(["heat", "magnum"])] == ["magnum", "heat"]
