# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a private key that the cloud's hosts use among each other."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.plugin_utils.control_node.ssh import public_key


class FilterModule:
    """A filter of service definitions."""

    def filters(self):
        return {"ssh_public_key": public_key}
