# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to the cloud with openstacksdk, and its errors as text."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from ansible_collections.cairn.openstack.plugins.module_utils.common.changes import Failed, Unreachable

# keystoneauth1 imports it if installed, and thereby eventlet: a third of the SDK's import time.
sys.modules.setdefault("osprofiler", None)
# If it is installed, as with Ceph, the SDK uses it to count requests, and two services that are first used at the same
# time create the same counter, which fails for the second.
sys.modules.setdefault("prometheus_client", None)

try:
    import openstack
    from keystoneauth1.exceptions import (
        CatalogException,
        ClientException,
        ConnectFailure,
        ConnectTimeout,
        HttpError,
        NotFound,
        Unauthorized,
    )
    from keystoneauth1.identity.v3 import ApplicationCredential
    from keystoneauth1.session import Session
    from openstack.exceptions import (
        ConfigException,
        HttpException,
        NotSupported,
        SDKException,
        raise_from_response,
    )

    PROBLEMS = (SDKException, ClientException)
except ImportError:
    openstack = None
    PROBLEMS = ()

# Requests are repeated without a response, and for a 503, which the load balancer returns while an API restarts; after
# 0.5, 1, 2, 4 and 8 seconds. Debian's SDK repeats a request without a response only once, whatever is given here.
RETRIES = 5
# A plan does not wait for an API to recover: it only reports that this one cannot be asked. An API without its database
# may take minutes for each response with status 500.
PLAN_RETRIES = 1
PLAN_TIMEOUT = 10


class NotConfigured(Failed):
    """The cloud is not configured yet: no SDK, or no entry in clouds.yaml."""


def connect(cloud: str, plan: bool = False):
    """Return a connection with the given entry of clouds.yaml; it connects at its first use.

    :param plan: whether it only reads for a plan, which ends after half a minute if an API does not respond.
    :raises NotConfigured: the SDK or the entry is missing.
    """
    if openstack is None:
        raise NotConfigured("python3-openstacksdk is not installed on this host")
    try:
        with installed_path():
            return openstack.connect(cloud=cloud, **limits(plan))
    except ConfigException as error:
        raise NotConfigured(f"clouds.yaml on this host has no cloud {cloud!r}: {error}") from error


def limits(plan: bool) -> dict[str, int]:
    """Return the options of a connection that limit how long a request takes."""
    retries = PLAN_RETRIES if plan else RETRIES
    # The SDK has a default of its own for images.
    repeated = {"connect_retries": retries, "status_code_retries": retries, "image_status_code_retries": retries}
    # A run may upload an image, whose response takes as long as its back end.
    return {**repeated, "api_timeout": PLAN_TIMEOUT} if plan else repeated


@contextmanager
def installed_path():
    """Remove the archive that Ansible runs a module from from the module path.

    stevedore caches the entry points of a path in the user's C(.cache/python-entrypoints). With the archive, whose path
    changes each time, every task would search all packages again (0.4 s) and leave a file there.
    """
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if not os.path.isfile(entry)]
    try:
        yield
    finally:
        sys.path[:] = path


def client(connection, kind: str):
    """Return a client of the service with the type *kind*, of which the SDK knows no more.

    Its paths start with the API's version: it uses the endpoint of the catalog as it is.
    """
    found = connection.config.get_session_client(kind)
    found.endpoint_override = connection.endpoint_for(kind)
    # As the SDK does for services that it knows: it asks the connection for the id of a request.
    found._connection = connection
    return found


def rest(proxy, method: str, path: str, **options):
    """Return the response to a request to a service, without the SDK's objects.

    :param proxy: the SDK's proxy of the service, such as ``connection.image``.
    :param options: for the request, such as ``json``.
    """
    response = proxy.request(path, method, **options)
    raise_from_response(response)
    return response


def request_id(error: BaseException) -> str:
    """Return the id under which the service logged the failed request, or an empty string."""
    return getattr(error, "request_id", None) or ""


def words(error: BaseException) -> str:
    """Return an error as one line: the service's message, and the id of the request in its log."""
    text = " ".join(str(getattr(error, "details", None) or error or type(error).__name__).split())
    return f"{text.rstrip('.')} ({request_id(error)})" if request_id(error) else text


@contextmanager
def translate_errors():
    """Turn the SDK's errors into ``Failed``, those of the connection into ``Unreachable``, which names the API."""
    try:
        yield
    except PROBLEMS as error:
        if not unreachable(error):
            raise Failed(words(error)) from error
        url = getattr(error, "url", None)
        status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
        raise Unreachable(f"{url}: status {status}: {words(error)}" if url else words(error)) from error


def unreachable(error: BaseException) -> bool:
    """Return whether the service does not respond, has no endpoint, or lacks a dependency such as its database."""
    # NotSupported: the list of the API's versions could not be read.
    if isinstance(error, (CatalogException, ConnectFailure, ConnectTimeout, NotSupported)):
        return True
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return isinstance(error, (HttpException, HttpError)) and status in (500, 502, 503, 504)


def roles_with(connection, credential) -> list[str] | None:
    """Return the roles of a token that an application credential gives, None if it is refused.

    :param connection: one to the same cloud.
    :param credential: the application credential, with its secret.
    """
    auth = ApplicationCredential(
        connection.config.get_auth_args()["auth_url"],
        application_credential_id=credential.id,
        application_credential_secret=credential.secret,
    )
    try:
        return sorted(auth.get_access(Session(verify=connection.session.verify, timeout=PLAN_TIMEOUT)).role_names)
    except (NotFound, Unauthorized):  # the first if it was deleted
        return None
