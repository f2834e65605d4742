# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services' APIs list of their processes."""

from __future__ import annotations


class ModuleDocFragment:
    """The lists of the modules ``service_health`` and ``service_processes``."""

    DOCUMENTATION = r"""
options:
  process_lists:
    description: Lists of processes, requested with a token.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: URL of the API.
        type: str
        required: true
      unit:
        description: The systemd unit of the API.
        type: str
        required: true
      get:
        description: Path of the list; C(%(project_id)s) is replaced by the project of O(auth).
        type: str
        required: true
      key:
        description: Name of the list in the response.
        type: str
        required: true
      headers:
        description: Further headers of the requests, such as the API's version.
        type: dict
        default: {}
      name:
        description: Key of an item with its name.
        type: str
        default: binary
      host:
        description: Key of an item with its host.
        type: str
        default: host
      disabled:
        description: The keys and values of an item that gets no new work.
        type: dict
        required: true
      reason:
        description: Key of an item with the reason for that.
        type: str
      runs_on:
        description: The hosts of the processes by their names, as far as they follow from node groups.
        type: dict
        default: {}
      down:
        description: The keys and values of an item that does not report.
        type: dict
        required: true
      reported:
        description:
          - Key of an item with the time of its last report, in ISO 8601; UTC if it names no zone. For services that do
            not judge that themselves. An item without a time has never reported.
        type: str
      down_after:
        description: Seconds after O(process_lists[].reported) when an item counts as one that does not report.
        type: int
      forced_down:
        description: The keys and values of an item that an administrator declared down, whatever it reports.
        type: dict
      enable:
        description: Request that enables an item that the service has disabled by itself.
        type: dict
        suboptions:
          put:
            description: Path, in which C(%(id)s) and other keys of the item are replaced.
            type: str
            required: true
          body:
            description: Body of the request.
            type: dict
            required: true
          reasons:
            description: Regular expression for the beginning of the reasons that the service itself gives.
            type: str
            required: true
      commands:
        description: Commands for the operator, in which C(%(id)s) and other keys of the item are replaced.
        type: dict
        required: true
        suboptions:
          enable:
            description: Enables an item.
            type: str
            required: true
          remove:
            description: Removes an item whose host has left.
            type: str
            required: true
          up:
            description: Ends O(process_lists[].forced_down).
            type: str
"""
