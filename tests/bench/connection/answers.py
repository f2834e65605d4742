# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For benchmarks only: hosts that are not there."""

from __future__ import annotations

DOCUMENTATION = r"""
name: answers
short_description: A host that answers every module with what a real host has said
description:
  - For benchmarks of the control node only. Nothing is contacted and nothing is done; a module that is handed over
    gets the answer that C(tests/bench/computes.py) has recorded of a host of the same kind.
author: The Cairn authors (@cairn)
extends_documentation_fragment: [connection_pipelining]
options:
  file:
    description: The recorded answers, as JSON from the module's name to its result.
    type: path
    vars: [{name: bench_answers}]
  name:
    description: The host's own name, in place of the recorded one's.
    type: str
    vars: [{name: inventory_hostname}]
  address:
    description: Its address, in place of the recorded one's.
    type: str
    vars: [{name: ansible_host}]
"""

import json
import re

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

# How a module that is handed over by pipelining says what it is.
MODULE = re.compile(rb"ansible_collections[./]cairn[./]openstack[./]plugins[./]modules[./](\w+)")


class Connection(ConnectionBase):
    """Answers from memory."""

    transport = "answers"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Return what the module in *in_data* has said when it was recorded."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        found = MODULE.search(in_data or b"")
        if not found:
            raise AnsibleConnectionFailure(f"no module in: {cmd[:200]}")
        with open(self.get_option("file"), encoding="utf-8") as file:
            recorded = json.load(file)
        text = json.dumps(recorded["answers"][found[1].decode()])
        mine = self.get_option("address")
        swap = {recorded["name"]: self.get_option("name"), recorded["address"]: mine}
        for network in recorded["networks"]:
            swap[network + recorded["address"].rpartition(".")[2]] = network + mine.rpartition(".")[2]
        # What no two hosts share.
        identities = recorded["answers"]["host_probe"]["ansible_facts"]["cairn_probe"]["identities"]
        swap |= {value: f"{value}-{mine}" for value in identities.values()}
        # In one sweep: what replaces one may be another.
        words = "|".join(re.escape(word) for word in swap)
        return 0, re.sub(rf"(?<![\w.])({words})(?!\w)", lambda match: swap[match[0]], text).encode(), b""

    def put_file(self, in_path, out_path):
        """No host, no file."""
        raise AnsibleConnectionFailure(f"{in_path} can't be put where no host is")

    def fetch_file(self, in_path, out_path):
        """No host, no file."""
        raise AnsibleConnectionFailure(f"{in_path} can't be fetched where no host is")

    def close(self):
        """Nothing is open."""
        self._connected = False
