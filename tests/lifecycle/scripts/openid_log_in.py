# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a controller: log in as a user of an OpenID provider, or try to without one. Prints JSON.

Arguments: what to do, Keystone's public URL with /v3, the dashboard's URL, the provider's name in Keystone, its issuer,
the client, the user, a project, and the files with CAs. The first line of the standard input has the client's secret
and the user's password.

client: the roles on the project by an access token, as the command line does; null if Keystone refuses it
dashboard: the user's name on the dashboard's page after a log-in with a browser, or the last page's status and path
websso: the same without the dashboard: whether Keystone's page for it has a token
forged: the statuses of requests that claim to come from the provider
"""

import html
import json
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import requests
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

what, keystone, dashboard, provider, issuer, client, user, project = sys.argv[1:9]
secret, password = sys.stdin.readline().split()
bundle = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115 - as long as the program
bundle.write("\n".join(Path(path).read_text(encoding="utf-8") for path in sys.argv[9:]))
bundle.flush()
below = f"OS-FEDERATION/identity_providers/{provider}/protocols/openid"
origin = f"{dashboard}/auth/websso/"
browser = requests.Session()
browser.verify = bundle.name
browser.trust_env = False


def form(page, name):
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page.text)
    return html.unescape(found[1]) if found else ""


def by_client():
    auth = v3.OidcPassword(
        keystone,
        provider,
        "openid",
        client_id=client,
        client_secret=secret,
        access_token_type="access_token",
        discovery_endpoint=f"{issuer}/.well-known/openid-configuration",
        username=user,
        password=password,
        project_name=project,
        project_domain_name=provider,
    )
    try:
        return sorted(auth.get_access(Session(verify=bundle.name, timeout=60)).role_names)
    except ClientException as error:
        print(error, file=sys.stderr)
        return None


def signed_in(page):
    """Give the provider's page the password; return Keystone's page, if the provider lets the user in."""
    assert page.url.startswith(f"{issuer}/authorize"), (page.status_code, page.url)
    return browser.post(page.url, data={"user": user, "password": password})


def by_websso():
    page = signed_in(browser.get(f"{keystone}/auth/{below}/websso", params={"origin": origin}))
    return bool(page.status_code == 200 and form(page, "token")) or [page.status_code, urlsplit(page.url).path]


def by_dashboard():
    page = browser.get(f"{dashboard}/auth/login/")
    fields = {"csrfmiddlewaretoken": form(page, "csrfmiddlewaretoken"), "auth_type": f"openid-{provider}"}
    page = signed_in(browser.post(page.url, data=fields, headers={"Referer": page.url}))
    token = form(page, "token")
    if not token:
        return [page.status_code, urlsplit(page.url).path]
    action = re.search(r'<form[^>]*action="([^"]*)"', page.text)[1]
    page = browser.post(urljoin(page.url, html.unescape(action)), data={"token": token})
    found = re.search(r'class="user-name">\s*([^<\s]+)', page.text)
    return found[1] if found else [page.status_code, urlsplit(page.url).path]


def forged():
    """Pretend to be Apache, in every way that a client has."""
    claims = {"iss": issuer, "sub": "id-alice", "preferred_username": "alice", "groups": "developers"}
    headers = {"REMOTE_USER": "alice", "X-Remote-User": "alice", "Authorization": "Bearer forged"}
    for name, value in claims.items():
        for prefix in ("OIDC-", "OIDC_", "OIDC_CLAIM_", "HTTP_OIDC_", "Oidc-"):
            headers[f"{prefix}{name}"] = value
    found = {}
    for method in ("openid", "mapped"):
        identity = {"methods": [method], method: {"identity_provider": provider, "protocol": "openid"}}
        answer = browser.post(f"{keystone}/auth/tokens", json={"auth": {"identity": identity}}, headers=headers)
        found[f"tokens {method}"] = answer.status_code
    paths = {
        "auth": f"{keystone}/{below}/auth",
        "doubled": f"{keystone.removesuffix('/v3')}//v3/{below}/auth",
        "encoded": f"{keystone}/{below}/%61uth",
        "slash": f"{keystone}/{below}/auth/",
        "dots": f"{keystone}/auth/../{below}/auth",
        "websso": f"{keystone}/auth/{below}/websso?origin={quote(origin)}",
        "websso of all": f"{keystone}/auth/OS-FEDERATION/websso/openid?origin={quote(origin)}",
    }
    # A user's own token, beside claims of another user.
    grant = {
        "grant_type": "password",
        "username": user,
        "password": password,
        "client_id": client,
        "client_secret": secret,
    }
    own = browser.post(f"{issuer}/token", data=grant).json()["access_token"]
    for name, url in [*paths.items(), ("own token", paths["auth"])]:
        if name == "own token":
            headers["Authorization"] = f"Bearer {own}"
        request = requests.Request("GET", url, headers=headers).prepare()
        request.url = url
        answer = browser.send(request, allow_redirects=False, verify=bundle.name)
        assert "X-Subject-Token" not in answer.headers, (name, answer.status_code)
        assert not form(answer, "token"), name
        found[name] = answer.status_code
    return found


ways = {"client": by_client, "websso": by_websso, "dashboard": by_dashboard, "forged": forged}
print(json.dumps(ways[what]()))
