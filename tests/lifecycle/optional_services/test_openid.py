# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log-ins by an OpenID provider: declared, used by client and browser, forged, changed and taken back."""

from __future__ import annotations

import json
import secrets
import time

import pytest
from support import ROOT

SCRIPTS = ROOT / "tests/lifecycle/scripts"
UNIT = "cairn-test-openid"
WORK = "/var/lib/cairn-test-openid"
PORT = 10444
ISSUER = f"https://127.0.0.1:{PORT}"
CLIENT = "openstack --os-cloud cairn"
NAME = "sso"
USERS = ["keystone", "www-data"]
PATHS = [
    f"/v3/OS-FEDERATION/identity_providers/{NAME}/protocols/openid/auth",
    f"/v3/auth/OS-FEDERATION/identity_providers/{NAME}/protocols/openid/websso",
]
SERVER = "cairn-keystone-openid.service"
SOCKET = "/run/keystone/openid"
FILES = [
    "/etc/keystone/openid.conf",
    "/etc/keystone/openid_secrets.conf",
    "/etc/keystone/openid_ca.pem",
    "/etc/openstack-dashboard/local_settings.d/_9010_cairn_websso.py",
    "/etc/systemd/system/cairn-keystone-openid.service",
    "/run/keystone/openid.pid",
    SOCKET,
]


class Provider:
    """The provider, and the settings that declare it."""

    def __init__(self, playbooks, controller, path):
        self.playbooks, self.controller, self.path = playbooks, controller, path
        # What Apache's files and HTTP must escape.
        self.secret, self.password = f'{secrets.token_hex(8)}"\\%+', secrets.token_hex(8)
        self.admitted = ["developers"]
        self.declared = True
        text = (SCRIPTS / "openid_provider.py").read_text(encoding="utf-8")
        controller.check_output("mkdir -p %s", WORK)
        controller.check_output("printf %s %s > %s/provider.py", "%s", text, WORK)
        words = f"{self.secret} {self.password}"
        controller.check_output("umask 077; printf %s %s > %s/secrets", "%s\\n", words, WORK)
        self.start()

    def start(self):
        run = f"python3 {WORK}/provider.py {WORK} {PORT} cloud"
        given = f"--property=StandardInput=file:{WORK}/secrets"
        self.controller.check_output(f"systemd-run --quiet --collect --unit={UNIT} {given} {run}")
        for _second in range(30):
            if self.controller.run(f"curl -sf --cacert {WORK}/cert.pem {ISSUER}/jwks").rc == 0:
                return
            time.sleep(1)
        raise AssertionError(self.controller.check_output(f"journalctl --no-pager -u {UNIT}"))

    def settings(self) -> str:
        """Write the settings, and return the argument that adds them."""
        local = [{"user": {"name": "{0}"}}, {"group": {"name": "developers", "domain": {"name": NAME}}}]
        claims = [{"type": "OIDC_preferred_username"}, {"type": "OIDC_groups", "any_one_of": self.admitted}]
        one = {
            "name": NAME,
            "label": "Test provider",
            "issuer": ISSUER,
            "client_id": "cloud",
            "client_secret": self.secret,
            "ca": self.controller.check_output(f"cat {WORK}/cert.pem"),
            "mapping": [{"local": local, "remote": claims}],
        }
        staff = {"domain": NAME, "project": "staff", "roles": ["member"]}
        resources = {"projects": [{"name": "staff", "domain": NAME}], "groups": [{"name": "developers", **staff}]}
        settings = {"cloud_identity_providers": [one], "cloud_resources": resources} if self.declared else {}
        self.path.write_text(json.dumps(settings), encoding="utf-8")
        return f"--extra-vars=@{self.path}"

    def apply(self) -> list[str]:
        """Run site.yml as planned, and once more; return what it changed."""
        argument = self.settings()
        plan = self.playbooks.told("--check", argument)
        done = self.playbooks.told(argument)
        assert [line for line in plan.lines if line not in done.lines] == []
        assert self.playbooks.told(argument).lines == []
        assert self.secret not in str((plan.lines, done.lines))
        return done.lines

    def asked(self, what, user="alice", password=None, client="cloud"):
        """Return what the script of this name prints."""
        text = (SCRIPTS / "openid_log_in.py").read_text(encoding="utf-8")
        url = self.controller.check_output(
            f"{CLIENT} endpoint list --service keystone --interface public -f value -c URL"
        )
        public = url.strip().removesuffix("/v3")
        dashboard = f"{public.removesuffix(':5000')}/horizon"
        words = f"{self.secret} {password or self.password}\n"
        arguments = [what, f"{public}/v3", dashboard, NAME, ISSUER, client, user, "staff"]
        arguments += ["/etc/cairn/ca.crt", f"{WORK}/cert.pem"]
        holders = " ".join(["%s"] * len(arguments))
        command = f"printf %s %s | python3 -c %s {holders}"
        return json.loads(self.controller.check_output(command, "%s", words, text, *arguments))


@pytest.fixture(scope="module")
def provider(playbooks, controller, groups, tmp_path_factory):
    """A provider on the only controller; the cloud is as before after the tests."""
    if len(groups["controller"]) > 1:
        pytest.skip("not run: the provider listens on one controller only")
    made = Provider(playbooks, controller, tmp_path_factory.mktemp("openid") / "settings.json")
    yield made
    playbooks.must("playbooks/site.yml")
    controller.run(f"{CLIENT} domain set --disable {NAME}")
    controller.run(f"{CLIENT} domain delete {NAME}")
    controller.run(f"systemctl stop {UNIT}")
    controller.run(f"rm -rf {WORK}")


def test_declared(provider):
    """The plan and the run name all that Keystone gets; only Keystone's user has the secret and the socket."""
    lines = provider.apply()
    for line in (
        f"domain {NAME} create",
        f"identity provider {NAME} create",
        f"mapping {NAME} create",
        f"protocol openid of {NAME} create",
        "role assignment member of group developers on project staff create",
    ):
        assert line in lines, lines
    have = provider.controller
    assert have.check_output("stat -c '%%a %%U %%G' %s", FILES[1]) == "640 root keystone"
    assert have.run("grep -rlF %s /etc --include=*", provider.secret.split('"')[0]).stdout.split() == [FILES[1]]
    assert have.check_output("stat -c '%%a %%U %%G' %s", SOCKET) == "600 keystone keystone"
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    allowed = {user: have.run("runuser -u %s -- python3 -c %s %s", user, connect, SOCKET) for user in USERS}
    assert {user: done.rc == 0 for user, done in allowed.items()} == {"keystone": True, "www-data": False}
    assert "PermissionError" in allowed["www-data"].stderr
    process = have.check_output("systemctl show --property=MainPID --value %s", SERVER)
    assert have.check_output("ps -o user= -p %s", process) == "keystone"


def test_log_ins(provider):
    """A user of the group has its role by client and browser, and another one none."""
    assert provider.asked("client") == ["member", "reader"]
    assert provider.asked("websso") is True
    assert provider.asked("dashboard") == "alice"
    assert provider.asked("client", "bob") is None
    assert provider.asked("dashboard", "bob")[0] == 401
    assert provider.asked("client", password="wrong") is None
    # Keystone alone would read the name of her group as two.
    assert provider.asked("client", "eve") is None
    assert provider.asked("websso", "eve") is not True


def test_a_token_for_another_program(provider):
    """Tokens that the same provider gives to other clients are refused."""
    assert provider.asked("client", client="other") is None


def test_forged(provider):
    """What clients send is no claim: on the paths of the provider, beside them, and with a token of one's own."""
    statuses = provider.asked("forged", "bob")
    assert {name: status for name, status in statuses.items() if status not in (401, 403, 404)} == {}
    # Apache is Keystone's only source: to other users of the host the two ports say the same.
    headers = "-H 'OIDC-iss: {0}' -H 'OIDC_iss: {0}' -H 'OIDC_preferred_username: alice' -H 'OIDC_groups: developers'"
    for port in (5000, 9220):
        curl = f"curl -s -o /dev/null -w '%{{http_code}}' {headers.format(ISSUER)} http://127.0.0.1:{port}{PATHS[0]}"
        assert provider.controller.run(curl).stdout in ("401", "403")


def test_the_provider_is_off(provider):
    """Others log in, and a run finds nothing to do."""
    provider.controller.check_output(f"systemctl stop {UNIT}")
    provider.controller.check_output(f"{CLIENT} token issue")
    assert provider.playbooks.told(provider.settings()).lines == []
    provider.start()
    assert provider.asked("client") == ["member", "reader"]


def test_another_rule(provider):
    """A changed rule is all that a run changes."""
    provider.admitted = ["people"]
    assert provider.apply() == [f"mapping {NAME} change rules"]
    assert provider.asked("client", "bob") == ["member", "reader"]


def test_it_is_taken_back(provider):
    """Users, provider, mapping, paths and files are gone; declared again, it lets its users in."""
    provider.declared = False
    lines = provider.apply()
    assert [line for line in lines if line.startswith(f"user of identity provider {NAME} delete ")], lines
    assert f"identity provider {NAME} delete" in lines, lines
    assert f"mapping {NAME} delete" in lines, lines
    have = provider.controller
    assert have.check_output(f"{CLIENT} identity provider list -f value -c ID") == ""
    assert have.check_output(f"{CLIENT} mapping list -f value -c ID") == ""
    assert [path for path in FILES if have.file(path).exists] == []
    assert "openid" not in have.check_output("cat /etc/haproxy/haproxy.cfg /etc/keystone/keystone.conf")
    assert have.run("systemctl is-active %s", SERVER).stdout.strip() == "inactive"
    assert not have.run("ss -Hltn 'sport = :9220'").stdout
    assert provider.asked("client") is None
    provider.declared = True
    provider.apply()
    assert provider.asked("client", "bob") == ["member", "reader"]
    provider.declared = False
    provider.apply()
