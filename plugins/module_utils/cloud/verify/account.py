# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's own project and user, and their access to the cloud."""

from __future__ import annotations

import secrets
import string
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cairn.openstack.plugins.module_utils.cloud import sdk
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Bad, poll
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.run import Run

ROLE = "member"
INTERFACE = "public"
# Nobody changes its password at the first log-in.
EXEMPT = {"ignore_change_password_upon_first_use": True}
# Seconds until a deleted application credential is refused, which another controller may have in its cache.
PATIENCE = 30
# Additional memory of the larger flavor, in MiB.
LARGER = 64


def project_and_user(run: Run) -> str:
    """Create the project and its user; the admin user gets access too."""
    identity = run.admin.identity
    domain = run.admin.session.auth.get_access(run.admin.session).user_domain_id
    roles = {role.name: role.id for role in identity.roles()}
    if ROLE not in roles:
        raise Bad(f"there is no role {ROLE}")
    # Such as users of services have, so that it fits the cloud's rules for passwords.
    password = "".join(secrets.choice(string.ascii_letters + string.digits) for _letter in range(37)) + "aB3"
    run.project = identity.create_project(name=run.name, domain_id=domain, description="Checks of the cloud")
    user = identity.create_user(name=run.name, domain_id=domain, password=password, options=EXEMPT)
    identity.assign_project_role_to_user(run.project, user, roles[ROLE])
    identity.assign_project_role_to_user(run.project, run.admin.current_user_id, roles["admin"])
    run.admin_there = run.admin.connect_as(project_id=run.project.id)
    run.user = run.admin.connect_as(user_id=user.id, password=password, project_id=run.project.id)
    return run.name


def token(run: Run) -> str:
    """Request a token as that user."""
    run.user.authorize()
    access = run.user.session.auth.get_access(run.user.session)
    return f"roles: {', '.join(sorted(access.role_names))}"


def application_credential(run: Run) -> str:
    """Create an application credential with the user's role: it gives a token until it is deleted."""
    identity, mine = run.user.identity, run.user.current_user_id
    made = identity.create_application_credential(user=mine, name=run.name, roles=[{"name": ROLE}])

    roles = sdk.roles_with(run.user, made)
    identity.delete_application_credential(mine, made)
    if not poll(lambda: sdk.roles_with(run.user, made) is None, PATIENCE):
        raise Bad(f"it still gives a token {PATIENCE} s after its deletion", (made.id,))
    return f"roles: {', '.join(roles or ())}"


def directories(run: Run) -> str:
    """Search the directory of each such domain for a user; there is none of this name."""
    identity, names = run.admin.identity, run.options["ldap_domains"]
    for name in names:
        found = identity.find_domain(name)
        if found is None:
            raise Bad(f"there is no domain {name}")
        try:
            list(identity.users(domain_id=found.id, name=run.name))
        except sdk.PROBLEMS as error:
            raise Bad(f"the directory of domain {name} does not answer: {error}") from error
    return f"of {', '.join(names)} searched"


def catalog(run: Run) -> str:
    """Send a request to every public endpoint, and check its certificate; any response is accepted."""
    session = run.user.session
    services = session.auth.get_access(session).service_catalog.catalog
    urls = {
        endpoint["url"]: service["type"]
        for service in services
        for endpoint in service["endpoints"]
        if endpoint["interface"] == INTERFACE
    }
    secure = str(run.admin.config.get_auth_args().get("auth_url", "")).startswith("https:")

    def check(url: str) -> str:
        if secure and not url.startswith("https:"):
            return f"{urls[url]}: {url} has no TLS"
        try:
            response = session.get(url, authenticated=False, raise_exc=False, timeout=run.options["api_timeout"])
        except Exception as error:
            return f"{urls[url]}: {error}"
        return f"{urls[url]}: {url} returned {response.status_code}" if response.status_code >= 500 else ""

    if not urls:
        raise Bad(f"the service catalog has no {INTERFACE} endpoint")
    with ThreadPoolExecutor(8) as pool:
        errors = [found for found in pool.map(check, sorted(urls)) if found]
    if errors:
        raise Bad("; ".join(errors))
    return f"{len(urls)} endpoints{' by TLS' if secure else ' without TLS'}: {', '.join(sorted(set(urls.values())))}"


def flavor(run: Run) -> str:
    """Create flavors that only the project can see, and list them as its user."""
    compute, memory, disk = run.admin.compute, run.options["memory"], run.options["disk"]
    for name, ram in ((run.name, memory), (f"{run.name}-larger", memory + LARGER)):
        made = compute.create_flavor(name=name, ram=ram, vcpus=1, disk=disk, is_public=False)
        compute.flavor_add_tenant_access(made, run.project.id)
    run.flavor, run.larger = (
        run.user.compute.find_flavor(name, ignore_missing=False) for name in (run.name, f"{run.name}-larger")
    )
    return f"1 processor, {memory} MiB, disk {disk} GiB; another with {LARGER} MiB more"


def admin_of(admin, project: str):
    """Return a connection of the administrator to a *project*, with the role that its services ask for."""
    identity = admin.identity
    identity.assign_project_role_to_user(project, admin.current_user_id, identity.find_role("admin"))
    return admin.connect_as(project_id=project)
