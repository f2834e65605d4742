# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name, which has the code. Nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report_page
short_description: Write the page of a report
version_added: 0.1.0
description:
  - Runs on the control node. Writes one HTML page, with mode 0600, from what M(cairn.openstack.host_report) and
    M(cairn.openstack.cloud_report) have read. Tasks have registered these as C(report_of_host) and C(report_of_cloud);
    a host of the play without the first is shown as one that does not answer.
  - With C(--check) nothing is written.
author: The Cairn authors (@cairn)
options:
  file:
    description: The HTML file.
    type: path
    required: true
  cloud:
    description: Name of the cloud.
    type: str
    required: true
  addresses:
    description: The cloud's addresses by their use, C(internal) and C(public).
    type: dict
    default: {}
  external_network:
    description: The external network in CIDR notation.
    type: str
    default: ""
  secrets_dir:
    description: Directory of the secrets, which names the last run.
    type: path
    required: true
  verification:
    description: JUnit XML file of M(cairn.openstack.verify_report).
    type: path
  log_hours:
    description: The age of log lines that were read, in hours.
    type: int
    default: 24
  certificate_days:
    description: Days before its end from which a certificate is a warning.
    type: int
    default: 60
  full_percent:
    description: Fill from which a disk or a part of the capacity is a warning.
    type: int
    default: 85
attributes:
  check_mode:
    description: Can run in check mode and report what it would change.
    support: full
  diff_mode:
    description: Returns no diff.
    support: none
"""

EXAMPLES = r"""
- name: Write the page
  cairn.openstack.report_page:
    file: report.html
    cloud: cairn
    secrets_dir: .secrets
  run_once: true
"""

RETURN = r"""
msg:
  description: The state of the cloud in one sentence, and the file.
  type: str
  returned: success
problems:
  description: What is wrong, with the level V(critical), V(warning) or V(note), and what to do.
  type: list
  elements: dict
  returned: success
"""
