# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of domains whose users are in a directory, and of rules for log-ins."""

from __future__ import annotations

import pytest
from preflight_site import YML, check_one_error, given

OPTIONS = {"url": "ldaps://ldap.example.org", "user_tree_dn": "ou=people,dc=example", "password": "secret-bind"}
CORP = {"name": "corp", "options": OPTIONS}
AT = f"{YML}7, cloud_ldap_domains[0]"


def domains(*options, **more):
    """Return a change: a domain with other *options*, and *more* keys."""
    own = {key: value for key, value in {**OPTIONS, **dict(options)}.items() if value is not None}
    return given(cloud_ldap_domains=[{**CORP, "options": own, **more}])


def domains_with(options):
    """Return a change: a domain with these *options*, whatever they are."""
    return given(cloud_ldap_domains=[{**CORP, "options": options}])


BAD = {
    "the default domain": (domains(name="Default"), (f"{AT}.name", "'Default'", "of its own", "Choose another")),
    "a service's domain": (domains(name="heat"), (f"{AT}.name", "'heat'", "of its own", "Choose another")),
    "the same twice": (
        given(cloud_ldap_domains=[CORP, {**CORP, "name": "Corp"}]),
        (f"{YML}7, cloud_ldap_domains[1].name", "'Corp'", "of its own", "Choose another"),
    ),
    "the default domain in other letters": (
        domains(name="dEFAULT"),
        (f"{AT}.name", "'dEFAULT', beside 'Default'", "of its own", "case, accents"),
    ),
    "a service's domain in other letters": (
        domains(name="Heat"),
        (f"{AT}.name", "'Heat', beside 'heat'", "of its own", "case, accents"),
    ),
    "the same but for an accent and a space": (
        given(cloud_ldap_domains=[{**CORP, "name": "Büro"}, {**CORP, "name": "BURO "}]),
        (f"{YML}7, cloud_ldap_domains[1].name", "'BURO ', beside 'Büro'", "of its own", "case, accents"),
    ),
    "no url": (domains(("url", None)), (f"{AT}.options.url", "nothing", "text", "ldaps://")),
    "no tree": (domains(("user_tree_dn", "")), (f"{AT}.options.user_tree_dn", "nothing", "text", "ou=people")),
    "an option misspelt": (
        domains(("user_tre_dn", "x")),
        (f"{AT}.options.user_tre_dn", "did you mean user_tree_dn", "[ldap]", "Correct it"),
    ),
    "a value of another type": (
        domains(("page_size", "many")),
        (f"{AT}.options.page_size", "'many' is not an integer", "[ldap]", "Correct it"),
    ),
    "a web page": (domains(("url", "https://x")), (f"{AT}.options.url", "'https://x'", "ldaps://", "Write it")),
    "TLS twice": (
        domains(("use_tls", True)),
        (f"{AT}.options.use_tls", "true, with ldaps://", "one of both", "Remove"),
    ),
    "a path for a certificate": (domains(ca="/etc/ca.pem"), (f"{AT}.ca", "no certificate", "PEM", "lookup('file'")),
    "two CAs": (
        domains(("tls_cacertfile", "/etc/ca.pem"), ca="-----BEGIN CERTIFICATE-----"),
        (f"{AT}.options.tls_cacertfile", "beside ca", "one of both", "Remove one"),
    ),
    "text for options": (
        domains_with("password=secret-zz"),
        (f"{AT}.options", "a value of another type", "a dictionary", "{key: value}"),
    ),
    "a rule out of range": (
        given(cloud_login_rules={"lockout_failure_attempts": 0}),
        (f"{YML}7, cloud_login_rules.lockout_failure_attempts", "'0' is not an integer from 1", "a value", "Correct"),
    ),
    "a rule that users of services break": (
        given(cloud_login_rules={"password_regex": "^.*[!?].*$"}),
        (f"{YML}7, cloud_login_rules", "password_regex", "40 letters and digits", "other characters"),
    ),
    "an unknown rule": (
        given(cloud_login_rules={"lockout_failures": 5}),
        (f"{YML}7, cloud_login_rules", "'lockout_failures'", "lockout_failure_attempts", "lockout_failure_attempts"),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_good_ones(site, monkeypatch):
    last = {"name": "gone", "state": "absent"}
    given(cloud_ldap_domains=[CORP, last], cloud_login_rules={"lockout_failure_attempts": 5})(site)
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []


def test_plain_text_is_a_warning(site, monkeypatch):
    domains(("url", "ldap://one, ldap://two"))(site)
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert "plain text" in warning


def test_started_tls_is_none(site, monkeypatch):
    domains(("url", "ldap://one"), ("use_tls", True))(site)
    assert site.said(monkeypatch).get("msg") is None
    assert site.warnings == []


def test_what_a_process_has_once(site, monkeypatch):
    other = {"name": "other", "options": {**OPTIONS, "tls_req_cert": "never"}}
    first = {**CORP, "options": {**OPTIONS, "tls_req_cert": "demand"}}
    given(cloud_ldap_domains=[first, other])(site)
    assert site.said(monkeypatch).get("msg") is None
    (warning,) = site.warnings
    assert "tls_req_cert is demand and never" in warning
