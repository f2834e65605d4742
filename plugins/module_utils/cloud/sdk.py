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
    from keystoneauth1.exceptions import CatalogException, ClientException, ConnectFailure, ConnectTimeout, HttpError
    from openstack.exceptions import ConfigException, HttpException, SDKException, raise_from_response

    PROBLEMS = (SDKException, ClientException)
except ImportError:
    openstack = None
    PROBLEMS = ()

# Requests are repeated only without a response.
CONNECT_RETRIES = 5


class NotConfigured(Failed):
    """The cloud is not configured yet: no SDK, or no entry in clouds.yaml."""


def connect(cloud: str):
    """Return a connection with the given entry of clouds.yaml; it connects at its first use.

    :raises NotConfigured: the SDK or the entry is missing.
    """
    if openstack is None:
        raise NotConfigured("python3-openstacksdk is not installed on this host")
    try:
        with installed_path():
            return openstack.connect(cloud=cloud, connect_retries=CONNECT_RETRIES)
    except ConfigException as error:
        raise NotConfigured(f"clouds.yaml on this host has no cloud {cloud!r}: {error}") from error


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
    """Turn the SDK's errors into ``Failed``, those of the connection into ``Unreachable``."""
    try:
        yield
    except PROBLEMS as error:
        raise (Unreachable if unreachable(error) else Failed)(words(error)) from error


def unreachable(error: BaseException) -> bool:
    """Return whether the service does not respond, has no endpoint, or lacks a dependency such as its database."""
    if isinstance(error, (CatalogException, ConnectFailure, ConnectTimeout)):
        return True
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return isinstance(error, (HttpException, HttpError)) and status in (500, 502, 503, 504)
