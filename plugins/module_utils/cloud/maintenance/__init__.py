# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves servers, routers and DHCP servers away from a host."""

from __future__ import annotations

REASON = "maintenance by Cairn"
"""Why a process is disabled. Only what has this reason is enabled again."""
