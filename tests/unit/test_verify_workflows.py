# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verification of Mistral, against an API of the same form, and the action that a cloud has for all APIs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import workflows
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run
from api_double import answer, connect

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "roles/catalog/files/programs/cairn_mistral_action.py"
RUN = "cairn-verify-20260102000000-0a0b"
# Mistral keeps one text under a number. It answers another one with 409, which the program takes for its own text.
NUMBERED = ("cairn_openstack_2", "3242ad76378402587730516c439aee9c965f1794c10816d652e5b52cc8a930af")


class Mistral:
    """Workflows of projects: one that is run has ended at once."""

    def __init__(self, state="SUCCESS", output=RUN, careless=False, fires=True, keeps=()):
        self.state, self.output, self.careless, self.fires, self.keeps = state, output, careless, fires, keeps
        self.things = {"workflows": {}, "executions": {}, "cron_triggers": {}}

    def of(self, project, admin=False):
        """Return the API for a user of the project."""

        def request(path, method, **more):
            kind, _, key = path.strip("/").partition("/")
            every = self.things[kind]
            seen = {k: v for k, v in every.items() if admin or self.careless or v["project_id"] == project}
            if method == "POST":
                made = self.made(kind, project, **more)
                return answer({kind: [made]} if kind == "workflows" else made, 201)
            if method == "DELETE":
                if key in seen and key not in self.keeps:
                    del every[key]
                return answer({}, 204)
            if not key:
                return answer({kind: list(seen.values())})
            return answer(seen[key]) if key in seen else answer({}, 404)

        return SimpleNamespace(request=request)

    def made(self, kind, project, json=None, data=None, headers=None):
        key = f"{kind}-{len(self.things[kind])}"
        if kind == "workflows":
            assert headers == {"Content-Type": "text/plain"}
            json = {"name": next(name for name in yaml.safe_load(data) if name != "version")}
        elif kind == "executions":
            name = json.get("workflow_name") or self.things["workflows"][json["workflow_id"]]["name"]
            json = {"workflow_name": name, **self.ended()}
        elif self.fires:
            self.made("executions", project, json={"workflow_name": json["workflow_name"]})
        self.things[kind][key] = {"id": key, "project_id": project, **json}
        return self.things[kind][key]

    def ended(self):
        return {"state": self.state, "state_info": "boom", "output": json.dumps({"project": self.output})}


@pytest.fixture
def begin(monkeypatch):
    """Return a run with a Mistral."""
    connect(monkeypatch, workflows)
    monkeypatch.setattr(workflows, "MINUTE", 0)

    def start(mistral):
        admin = SimpleNamespace(of={"workflowv2": mistral.of("admins", admin=True)})
        user = SimpleNamespace(of={"workflowv2": mistral.of("own")})
        return Run(RUN, admin, {"api_timeout": 0}, user=user, project=SimpleNamespace(id="own", name=RUN))

    return start


def test_a_workflow_runs_and_is_seen_by_its_project_only(begin):
    mistral = Mistral()
    run = begin(mistral)
    workflows.workflow(run)
    assert [one["project_id"] for one in mistral.things["workflows"].values()] == ["own"]
    workflows.triggered(run)
    assert [mistral.things["workflows"], mistral.things["executions"]] == [{}, {}]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": "ERROR"}, "the workflow is ERROR: boom"),
        ({"state": "RUNNING"}, "not over after 0 s"),
        ({"output": "other"}, "the user's project is other"),
        ({"careless": True}, "another project is visible: status 200"),
    ],
)
def test_what_is_wrong_is_told(begin, more, words):
    with pytest.raises(Bad, match=words):
        workflows.workflow(begin(Mistral(**more)))


def test_a_trigger_that_does_not_fire(begin):
    run = begin(Mistral(fires=False))
    workflows.workflow(run)
    with pytest.raises(Bad, match="has not run 0 s after"):
        workflows.triggered(run)


def test_remains_are_deleted_and_told(begin, monkeypatch):
    mistral = Mistral(keeps=("workflows-1",))
    run = begin(mistral)
    for project in ("own", "admins", "foreign"):
        mistral.made("workflows", project, data=workflows.WORKFLOW.format(name=RUN), headers=workflows.TEXT)
    mistral.made("executions", "own", json={"workflow_name": RUN})
    mistral.things["workflows"]["workflows-2"]["name"] = "foreign"
    there = SimpleNamespace(of={"workflowv2": mistral.of("own", admin=True)})
    monkeypatch.setattr(workflows.account, "admin_of", lambda _admin, project: there)
    admin = SimpleNamespace(of=run.admin.of, identity=SimpleNamespace(get_project=lambda _id: run.project))
    left = workflows.sweep(admin, "own", 0)
    assert set(left) == {"workflows workflows-1"}
    assert set(mistral.things["workflows"]) == {"workflows-1", "workflows-2"}
    assert mistral.things["executions"] == {}


# The action


class Result:
    """As that of mistral_lib: data, or an error."""

    def __init__(self, data=None, error=None):
        self.data, self.error = data, error


@pytest.fixture
def action(monkeypatch):
    """Return the program, beside doubles of the library that only hosts with Mistral have, and of requests."""
    library, lib_actions = ModuleType("mistral_lib"), ModuleType("mistral_lib.actions")
    lib_actions.Action, lib_actions.Result = type("Action", (), {}), Result
    library.actions = lib_actions
    monkeypatch.setitem(sys.modules, "mistral_lib", library)
    monkeypatch.setitem(sys.modules, "mistral_lib.actions", lib_actions)
    monkeypatch.setitem(sys.modules, "requests", ModuleType("requests"))
    spec = importlib.util.spec_from_file_location("cairn_mistral_action", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


CATALOG = [
    {
        "type": "compute",
        "name": "nova",
        "endpoints": [
            {"interface": "public", "region": "one", "url": "https://public/v2.1"},
            {"interface": "internal", "region": "one", "url": "https://internal/v2.1/"},
        ],
    }
]
CONTEXT = SimpleNamespace(
    security=SimpleNamespace(auth_cacert="/ca", auth_token="t", auth_uri="https://keystone/v3", region_name=None)
)


def requests_double(program, status=200, text=None):
    """Let the program ask Keystone and Nova; returns what it asked."""
    asked = []

    def request(method, url, **more):
        asked.append((method, url, more["headers"]["X-Auth-Token"], more["verify"]))
        content = {"catalog": CATALOG} if url.endswith("/auth/catalog") else {"servers": []}

        def said():
            if text is not None:
                raise ValueError(text)
            return content

        code = 200 if url.endswith("/auth/catalog") else status
        return SimpleNamespace(
            status_code=code, json=said if code == status and "auth" not in url else lambda: content, text=text
        )

    program.requests.request = request
    program.requests.get = lambda url, **more: request("GET", url, **more)
    return asked


def test_the_action_asks_in_the_name_of_the_user(action):
    asked = requests_double(action)
    found = action.Request("compute", "/servers").run(CONTEXT)
    assert found.data == {"status": 200, "body": {"servers": []}}
    assert asked[1] == ("GET", "https://internal/v2.1/servers", "t", "/ca")


def test_the_action_fails_as_the_api_does(action):
    requests_double(action, status=404, text="no such")
    assert action.Request("compute", "/servers/1").run(CONTEXT).error == {"status": 404, "body": "no such"}
    assert "no service none" in action.Request("none", "/").run(CONTEXT).error
    # The token would go to another host.
    assert action.Request("compute", "@other.example/").run(CONTEXT).error == "path must begin with /"


def test_the_action_finds_keystone_for_a_cron_trigger(action, monkeypatch):
    given = SimpleNamespace(www_authenticate_uri="https://keystone/v3", cafile="/ca")
    configuration = SimpleNamespace(CONF=SimpleNamespace(keystone_authtoken=given))
    monkeypatch.setattr(action.importlib, "import_module", lambda name: configuration)
    assert action.keystone(SimpleNamespace(auth_uri=None, auth_cacert=None)) == ("https://keystone/v3", "/ca")


def test_an_endpoint_is_of_the_region(action):
    assert action.endpoint(CATALOG, "nova", "one") == "https://internal/v2.1/"
    assert action.endpoint(CATALOG, "nova", "two") is None


@pytest.mark.parametrize("there", [False, True])
def test_the_action_is_registered(action, there):
    """Also where a run was interrupted."""
    said = []

    def asked(method):
        def ask(path, **more):
            said.append((method, path, more.get("json", {}).get("code_source_name", more.get("params"))))
            status = 409 if there and method == "POST" else 201
            return SimpleNamespace(status_code=status, text="")

        return ask

    action.register(SimpleNamespace(post=asked("POST"), put=asked("PUT")), "text")
    source = {"name": action.SOURCE, "scope": "public"}
    expected = [("POST", "/code_sources", source), ("POST", "/dynamic_actions", action.SOURCE)]
    assert said == expected + ([("PUT", "/dynamic_actions", action.SOURCE)] if there else [])


def test_the_definition_registers_this_one(action):
    text = (ROOT / "roles/catalog/defaults/main/mistral.yml").read_text(encoding="utf-8")
    (guard,) = [one["unless"]["query"] for one in yaml.safe_load(text)["catalog_mistral"]["after_start"]]
    assert f"code_source_name = '{action.SOURCE}'" in guard
    assert f"name = '{action.ACTION}'" in guard


def test_a_changed_action_has_another_number(action):
    digest = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()
    assert (action.SOURCE, digest) == NUMBERED, "give SOURCE another number, in the definition too, then record both"
