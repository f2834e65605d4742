# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log-ins by OpenID Connect: what follows from cloud_identity_providers, and what preflight says of it."""

from __future__ import annotations

import re
import shlex

import pytest
import resolving
from ansible_collections.cairn.openstack.plugins.filter.identity_providers import (
    identity_providers,
    openid_paths,
    openid_sites,
)
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import definitions
from preflight_site import YML, check_one_error, given

RULE = {
    "local": [{"user": {"name": "{0}"}}, {"group": {"name": "developers", "domain": {"name": "corp"}}}],
    "remote": [{"type": "OIDC_preferred_username"}, {"type": "OIDC_groups", "any_one_of": ["developers"]}],
}
CORP = {
    "name": "corp",
    "issuer": "https://login.example.org/realms/staff",
    "client_id": "cloud",
    "client_secret": "secret-corp",
    "mapping": [RULE],
}
OTHER = {**CORP, "name": "other", "issuer": "https://other.example.org", "client_secret": 'secret"\\other'}
HOSTS = {
    "c1": {"groups": ["controller", "network", "compute"], "address": "192.0.2.11"},
    "c2": {"groups": ["controller"], "address": "192.0.2.12"},
}
NAMES = {
    "cloud_internal_address": "192.0.2.9",
    "cloud_public_address": "198.51.100.9",
    "cloud_internal_name": "internal.example.org",
    "cloud_public_name": "cloud.example.org",
    "cloud_dashboard_names": ["dash.example.org:8443"],
}
AT = f"{YML}7, cloud_identity_providers[0]"


@pytest.fixture
def have(tmp_path):
    """Return the files of a service on the first controller with these providers."""

    def found(service, *providers, hosts=HOSTS):
        settings = {**NAMES, "cloud_identity_providers": list(providers)}
        model = resolving.resolve(hosts, "c1", tmp_path, settings)
        files = resolving.files(model, service, HOSTS["c1"]["groups"])
        return {name: file for name, file in files.items() if file["state"] == "present"}, model

    return found


def units(model):
    """Return the units of Keystone on a controller by name."""
    definition, groups = model.definitions["keystone"], {"controller", "all"}
    found = definitions.units(definition, groups, definitions.files(definition, groups, model.cloud, []))
    return {unit["name"]: unit for unit in found}


def test_what_keystone_has():
    (one,) = identity_providers([CORP])
    assert one == {
        "name": "corp",
        "domain": "corp",
        "remote_ids": ["https://login.example.org/realms/staff"],
        "protocol": "openid",
        "remote_id_attribute": "OIDC_iss",
        "mapping": [RULE],
    }
    assert identity_providers([{**CORP, "domain": "staff"}])[0]["domain"] == "staff"


def test_defaults_of_a_site():
    one, other = openid_sites([{**CORP, "clients": ["cli"], "issuer": "https://x/"}, OTHER], "secret-cloud")
    assert one["metadata"] == "https://x/.well-known/openid-configuration"
    assert (one["scopes"], one["label"], one["clients"]) == ("openid email profile", "corp", ["cloud", "cli"])
    assert (one["port"], other["port"]) == (9220, 9221)
    assert one["passphrase"] != other["passphrase"]
    assert one["passphrase"] != openid_sites([CORP], "secret-else")[0]["passphrase"]


def test_the_api_of_providers_is_keystones():
    (entry,) = openid_paths([CORP])
    assert all(re.fullmatch(r"/v3/.*/protocols/openid/(auth|websso|redirect)", path) for path in entry["paths"])


def test_none_costs_nothing(have):
    files, model = have("horizon")
    assert "websso.py" not in files
    assert not [port for port in model.cloud["ports"] if "openid" in str(port["unit"])]
    files, model = have("keystone")
    assert not [name for name in files if name and "openid" in name]
    assert not {"apache2-bin", "libapache2-mod-auth-openidc"} & set(model.cloud["packages"]["keystone"])
    unit = units(model)["cairn-keystone-openid.service"]
    assert (unit["state"], unit["enabled"], unit["packages"]) == ("stopped", False, [])
    assert not {"auth", "federation"} & set(re.findall(r"^\[(.*)\]$", files["keystone.conf"]["content"], re.MULTILINE))
    (api,) = [api for api in model.definitions["keystone"]["apis"] if api["name"] == "keystone"]
    assert [api["uwsgi"]["options"][name] for name in ("uwsgi-socket", "chmod-socket", "vacuum")] == [None] * 3
    assert "openid" not in have("haproxy")[0]["haproxy.cfg"]["content"]


def test_keystone_trusts_what_apache_says_and_nothing_else(have):
    files, model = have("keystone", CORP)
    text = files["keystone.conf"]["content"]
    methods = re.search(r"^methods = (.*)$", text, re.MULTILINE)[1].split(",")
    assert "openid" in methods
    assert "external" not in methods
    assert "assertion_prefix = OIDC_\n" in text
    assert "remote_id_attribute = OIDC_iss\n" in text
    assert re.findall(r"^trusted_dashboard = https://(.*)/horizon/auth/websso/$", text, re.MULTILINE) == [
        "cloud.example.org",
        "internal.example.org",
        "198.51.100.9",
        "dash.example.org:8443",
    ]
    (api,) = [api for api in model.definitions["keystone"]["apis"] if api["name"] == "keystone"]
    assert api["uwsgi"]["options"]["uwsgi-socket"] == "/run/keystone/openid"
    assert api["uwsgi"]["options"]["chmod-socket"] == "600"
    assert api["uwsgi"]["options"]["vacuum"] is True


def test_an_apache_of_its_own(have):
    """Keystone's user runs it, not the dashboard's; its files restart nothing else."""
    files, model = have("keystone", CORP)
    found = units(model)
    unit = found["cairn-keystone-openid.service"]
    assert (unit["state"], unit["enabled"]) == ("started", True)
    assert unit["packages"] == ["apache2-bin", "libapache2-mod-auth-openidc"]
    own = {file["path"] for name, file in files.items() if name and name.startswith("openid")}
    assert set(unit["reload_for"]) < own | {"/etc/keystone/openid_ca.pem"}
    assert own <= set(unit["watches"])
    assert not own & {path for name, one in found.items() if name != unit["name"] for path in one["watches"]}
    assert not {"apache2-bin", "libapache2-mod-auth-openidc"} & set(found["keystone"]["packages"])
    assert "User=keystone\n" in files["openid_service"]["content"]
    text = files["openid.conf"]["content"]
    assert f'ProxyPass "unix:/run/keystone/openid|uwsgi://keystone{openid_paths([CORP])[0]["paths"][0]}"' in text
    horizon = have("horizon", CORP)[0]
    assert [name for name in horizon if name and "openid" in name] == []


def test_secrets_are_in_one_file(have):
    files, _model = have("keystone", CORP, OTHER)
    secret = files["openid_secrets"]
    assert (secret["mode"], secret["owner"], secret["group"], secret["secret"]) == ("0640", "root", "keystone", True)
    assert r'CAIRN_OPENID_SECRET_9221 "secret\\\"\\\\other"' in secret["content"]
    others = [file["content"] for name, file in files.items() if name != "openid_secrets"]
    assert "secret-corp" not in str(others)
    assert "secret-corp" not in str(have("horizon", CORP)[0])


def test_apache_serves_three_paths_of_each(have):
    files, _model = have("keystone", CORP, {**OTHER, "ca": "-----BEGIN CERTIFICATE-----\nx\n"})
    text = files["openid.conf"]["content"]
    hosts = re.split(r"^<VirtualHost ", text, flags=re.MULTILINE)[1:]
    assert [host.split(">")[0] for host in hosts] == ["127.0.0.1:9220", "127.0.0.1:9221"]
    for host, name in zip(hosts, ("corp", "other"), strict=True):
        places = re.findall(r'<Location "([^"]*)">\n(.*?)</Location>', host, re.DOTALL)
        assert places[0] == ("/", "    Require all denied\n  ")
        for path, content in places[1:]:
            assert f"/identity_providers/{name}/protocols/openid/" in path
            assert "AuthType" in content
            assert "Require " in content
    for line in ("OIDCPassClaimsAs environment none", "OIDCPassAccessToken Off", "OIDCHTTPTimeoutLong 10"):
        assert f"  {line}\n" in hosts[0]
    assert ["OIDCCABundlePath" in host for host in hosts] == [False, True]
    assert files["openid_ca"]["content"] == "-----BEGIN CERTIFICATE-----\nx\n"
    assert all(
        len(shlex.split(line.replace("${", "{"))) > 1
        for line in text.splitlines()
        if "OIDC" in line and "#" not in line
    )


def test_tokens_for_other_programs_are_refused(have):
    text = have("keystone", {**CORP, "clients": ["cli"]})[0]["openid.conf"]["content"]
    allowed = re.search(r"<RequireAny>(.*?)</RequireAny>", text, re.DOTALL)[1]
    assert set(re.findall(r'Require claim "(.*)"', allowed)) == {
        f"{claim}:{client}" for claim in ("aud", "azp", "client_id") for client in ("cloud", "cli")
    }


def test_a_value_that_keystone_would_split(have):
    rules = [RULE, {**RULE, "remote": [{"type": "OIDC_https://x/roles"}, {"type": "OIDC_sub"}]}]
    text = have("keystone", {**CORP, "mapping": rules}, OTHER)[0]["openid.conf"]["content"]
    text = "\n".join(line.strip() for line in text.splitlines())
    refused = [re.findall(r'Require claim "(.*)"', one) for one in re.findall(r"(?s)<RequireNone>(.*?)</Req", text)]
    both = ["groups~;", "preferred_username~;"]
    assert refused == [[*both, "sub~;"]] * 2 + [both] * 2
    # One that only refuses is none for Apache.
    assert (
        len(
            re.findall(
                r'(?s)<RequireAll>\nRequire claim "iss:[^<]*(?:<RequireAny>.*?</RequireAny>)?[^<]*<RequireNone>', text
            )
        )
        == 4
    )


def test_the_dashboard_offers_them(have):
    text = have("horizon", {**CORP, "label": "Stäff's 😀"}, OTHER)[0]["websso.py"]["content"]
    values: dict = {}
    exec(compile(text, "websso.py", "exec"), values)
    assert values["WEBSSO_CHOICES"][1:] == (("openid-corp", "Stäff's 😀"), ("openid-other", "other"))
    assert values["WEBSSO_IDP_MAPPING"]["openid-corp"] == ("corp", "openid")
    assert values["WEBSSO_KEYSTONE_URL"] == "https://cloud.example.org:5000/v3"


@pytest.mark.parametrize("hosts", [HOSTS, {"c1": HOSTS["c1"]}])
def test_haproxy_sends_them_to_the_hosts_own_apache(have, hosts):
    text = have("haproxy", CORP, hosts=hosts)[0]["haproxy.cfg"]["content"]
    sections = dict(re.findall(r"^((?:listen|backend) \S+)\n((?: .*\n)+)", text, re.MULTILINE))
    (rule,) = re.findall(r"use_backend (\S+) if \{ path (.*) \}", sections["listen keystone"])
    assert rule[0] == "keystone-openid-corp"
    assert rule[1].split() == openid_paths([CORP])[0]["paths"]
    backend = sections["backend keystone-openid-corp"]
    assert "http-request del-header oidc -m beg\n" in backend
    # A provider that hangs keeps few of Apache's processes.
    assert "timeout queue 5s\n" in backend
    assert "server c1 127.0.0.1:9220 maxconn 20\n" in backend


def providers(**changed):
    """Return a change: a provider with these keys, None for one that it lacks."""
    one = {key: value for key, value in {**CORP, **changed}.items() if value is not None}
    return given(cloud_identity_providers=[one])


def remote(**part):
    return providers(mapping=[{**RULE, "remote": [{"type": "OIDC_preferred_username"}, part]}])


def local(*parts):
    return providers(mapping=[{**RULE, "local": list(parts)}])


BAD = {
    "a name with a slash": (providers(name="a/b"), (f"{AT}.name", "'a/b'", "letters, digits", "short word")),
    "no secret": (providers(client_secret=None), (AT, "'client_secret' is missing", "", "")),
    "an empty secret": (providers(client_secret=""), (f"{AT}.client_secret", "an empty text", "one line", "Vault")),
    "http": (providers(issuer="http://x"), (f"{AT}.issuer", "'http://x'", "an https URL", "as the provider says")),
    "no URL": (providers(metadata="x.json"), (f"{AT}.metadata", "'x.json'", "an https URL", "as the provider says")),
    "a quote": (providers(client_id='a"b'), (f"{AT}.client_id", 'a"b', "without spaces", "Correct")),
    "a scope too few": (providers(scopes=["email"]), (f"{AT}.scopes", "email", "openid among", "Add openid")),
    "a path for a certificate": (providers(ca="/ca.pem"), (f"{AT}.ca", "no certificate", "PEM", "lookup('file'")),
    "no rule": (providers(mapping=[]), (f"{AT}.mapping", "no rule", "at least one", "local and remote")),
    "a rule for everybody": (
        providers(mapping=[{**RULE, "remote": []}]),
        (f"{AT}.mapping[0].remote", "an empty list", "at least one", "lets in every user"),
    ),
    "half a rule": (
        providers(mapping=[{"local": RULE["local"]}]),
        (f"{AT}.mapping[0]", "'remote' is missing", "", ""),
    ),
    "a local of another kind": (
        providers(mapping=[{**RULE, "local": [{"usr": {"name": "{0}"}}]}]),
        (f"{AT}.mapping[0].local[0]", "'usr'", "user, group", "user"),
    ),
    "a claim without the prefix": (
        remote(type="preferred_username"),
        (f"{AT}.mapping[0].remote[1].type", "'preferred_username'", "OIDC_ and", "Put OIDC_ before"),
    ),
    "what a client sends": (
        remote(type="HTTP_OIDC_SUB"),
        (f"{AT}.mapping[0].remote[1].type", "'HTTP_OIDC_SUB'", "OIDC_ and", "Put OIDC_ before"),
    ),
    "a text for a list": (
        remote(type="OIDC_groups", any_one_of="staff"),
        (f"{AT}.mapping[0].remote[1].any_one_of", "'staff'", "a list", "[a, b]"),
    ),
    "two conditions": (
        remote(type="OIDC_groups", any_one_of=["a"], not_any_of=["b"]),
        (f"{AT}.mapping[0].remote[1]", "any_one_of and not_any_of", "one of", "Leave one"),
    ),
    "a number for a text": (
        remote(type="OIDC_groups", any_one_of=[7]),
        (f"{AT}.mapping[0].remote[1].any_one_of", "7", "texts", "in quotes"),
    ),
    "a regex of nothing": (
        remote(type="OIDC_groups", regex=True),
        (f"{AT}.mapping[0].remote[1].regex", "regex without a condition", "any_one_of", "Remove it"),
    ),
    "a value that is none": (
        local({"user": {"name": "{0}", "email": "{1}"}}),
        (f"{AT}.mapping[0].local", "'{1}'", "from 0 to 0", "Count the entries"),
    ),
    "a value by name": (
        local({"user": {"name": "{0}"}}, {"projects": [{"name": "of {name}", "roles": [{"name": "member"}]}]}),
        (f"{AT}.mapping[0].local", "'of {name}'", "from 0 to 0", "Count the entries"),
    ),
    "half a brace": (
        local({"user": {"name": "{0"}}),
        (f"{AT}.mapping[0].local", "'{0'", "from 0 to 0", "Count the entries"),
    ),
    "no user": (
        local({"groups": "{0}", "domain": {"name": "corp"}}),
        (f"{AT}.mapping", "no user", "at least one rule", "{0}"),
    ),
    "a user without a name": (
        local({"user": {"email": "{0}"}}),
        (f"{AT}.mapping[0].local[0].user", "neither", "name or id", "Write user"),
    ),
    "a group of no domain": (
        local({"user": {"name": "{0}"}, "group": {"name": "developers"}}),
        (f"{AT}.mapping[0].local[0].group", "a name alone", "a name and a domain", "Write group"),
    ),
    "the same name twice": (
        given(cloud_identity_providers=[CORP, {**OTHER, "name": "Corp"}]),
        (f"{YML}7, cloud_identity_providers[1].name", "'Corp', beside 'corp'", "of its own", "case"),
    ),
    "the same issuer twice": (
        given(cloud_identity_providers=[CORP, {**CORP, "name": "two"}]),
        (f"{YML}7, cloud_identity_providers[1].issuer", "login.example.org", "of its own", "Join"),
    ),
    "the domain of the administrator": (
        providers(domain="DEFAULT"),
        (f"{AT}.domain", "'DEFAULT', beside 'Default'", "of the provider's own", "Choose another"),
    ),
    "the domain of a service": (
        providers(domain="heat"),
        (f"{AT}.domain", "'heat'", "of the provider's own", "taken for one of that domain"),
    ),
    "a name as the domain of a service": (
        providers(name="Heat"),
        (f"{AT}.name", "'Heat', beside 'heat'", "of the provider's own", "Choose another"),
    ),
    "the domain of a directory": (
        given(
            cloud_identity_providers=[{**CORP, "domain": "Staff"}],
            cloud_ldap_domains=[{"name": "staff", "options": {"url": "ldaps://x", "user_tree_dn": "ou=x"}}],
        ),
        ("cloud_identity_providers[0].domain", "'Staff', beside 'staff'", "of the provider's own", "Choose another"),
    ),
    "the domain of another provider": (
        given(cloud_identity_providers=[CORP, {**OTHER, "domain": "corp"}]),
        (f"{YML}7, cloud_identity_providers[1].domain", "'corp'", "of the provider's own", "Choose another"),
    ),
    "no TLS": (
        given(cloud_identity_providers=[CORP], cloud_tls=False),
        (f"{YML}7, cloud_identity_providers", "cloud_tls: false", "cloud_tls: true", "Set cloud_tls"),
    ),
    "too many": (
        given(
            cloud_identity_providers=[
                {**CORP, "name": f"n{number}", "issuer": f"https://n{number}.example"} for number in range(11)
            ]
        ),
        (f"{YML}7, cloud_identity_providers", "11 providers", "10 at most", "Leave"),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("cloud_identity_providers", [{**CORP, "client_secret": ["secret-zz"]}], "[0].client_secret"),
        ("cloud_identity_providers", "[{client_secret: secret-zz}]", ""),
        ("cloud_identity_providers", [CORP, "client_secret: secret-zz"], "[1]"),
        ("cloud_ldap_domains", "[{options: {password: secret-zz}}]", ""),
    ],
)
def test_a_secret_of_another_type_is_not_shown(site, monkeypatch, name, value, place):
    given(**{name: value})(site)
    said = str(site.said(monkeypatch))
    assert f"{name}{place}" in said
    assert "a value of another type" in said
    assert "secret-zz" not in said


def test_good_ones(site, monkeypatch):
    more = {"clients": ["cli"], "scopes": ["openid", "groups"], "label": "Staff", "domain": "staff"}
    rules = [
        {
            "local": [
                {"user": {"id": "{1}", "name": "{0}"}, "group": {"id": "g1"}},
                {"groups": "{2}", "domain": {"id": "d"}},
            ],
            "remote": [
                {"type": "OIDC_preferred_username"},
                {"type": "OIDC_groups", "any_one_of": ["^dev"], "regex": True},
                {"type": "OIDC_sub"},
                {"type": "OIDC_groups", "whitelist": ["a"]},
            ],
        },
        {"local": [{"group_ids": "{0}"}], "remote": [{"type": "OIDC_ids", "blacklist": ["b"]}]},
    ]
    given(cloud_identity_providers=[{**CORP, **more, "mapping": rules}, OTHER])(site)
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []


def test_all_errors_at_once(site, monkeypatch):
    providers(name="a b", issuer="x", mapping=[])(site)
    said = site.said(monkeypatch)["msg"]
    assert all(f"[0].{key}" in said for key in ("name", "issuer", "mapping"))
