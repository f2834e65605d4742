# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The distribution's packages, unpacked side by side. Nothing of them is installed or run as a service."""

from __future__ import annotations

from ansible_collections.cairn.openstack.plugins.module_utils.testing.guest_image.run import run


def unpack(tree: str, suite: str, packages: list[str], proxy: str) -> None:
    """Fetch the packages with all that they depend on, and unpack them into a new directory."""
    options = [f'--aptopt=Acquire::http::Proxy "{proxy}"'] if proxy else []
    run("mmdebstrap", "--mode=root", "--variant=extract", f"--include={','.join(packages)}", *options, suite, tree)
