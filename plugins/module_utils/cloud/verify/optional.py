# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The optional services that can be verified: a module for each, which says what to check and how to clean up."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify import (
    balancers,
    clusters,
    hosts_ha,
    keys,
    metrics,
    names,
    rating,
    shares,
    stacks,
    workflows,
)
from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import Service

SERVICES = (
    # Clusters have stacks, so they are deleted before.
    clusters.SERVICE,
    stacks.SERVICE,
    keys.SERVICE,
    metrics.METRICS,
    metrics.ALARMS,
    rating.SERVICE,
    names.SERVICE,
    balancers.SERVICE,
    shares.SERVICE,
    workflows.SERVICE,
    hosts_ha.SERVICE,
)


def of(names: Collection[str]) -> list[Service]:
    """Return those of the services with these *names*."""
    return [service for service in SERVICES if service.name in names]
