# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Explains the source of an option's value on a host. Runs on the control node."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog import explanation
from ansible_collections.cairn.openstack.plugins.plugin_utils.catalog.resolver import Resolver


class ActionModule(ActionBase):
    """Shows and returns the value, each layer that sets it, and the units that read the file."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"option"})

    def run(self, tmp=None, task_vars=None):
        """Resolve the desired state of the host, and look up the option in it."""
        result = super().run(tmp, task_vars)
        name = task_vars["inventory_hostname"]
        path = str(self._task.args["option"])
        parts = path.split("/")
        if len(parts) < 4:
            message = f"found {path!r}; allowed is SERVICE/FILE/SECTION/OPTION"
            return {**result, "failed": True, "msg": message}
        # The name of a file may contain slashes.
        option = (parts[0], "/".join(parts[1:-2]), parts[-2], parts[-1])
        resolver = Resolver(name, task_vars, self._templar, self._loader, task_vars["ansible_play_hosts"])
        model = resolver.resolve(task_vars["cairn_probe"])
        try:
            found = explanation.explain(model, resolver.groups, task_vars, option, resolver.place_of)
        except explanation.Unknown as error:
            self._display.display(f"{name}: {error}")
            return {**result, "found": False, "msg": str(error)}
        for line in explanation.lines(name, option, found):
            self._display.display(line)
        layers = [{"where": where, "value": value} for where, value in found.layers]
        units = [{"name": unit, "change": effect} for unit, effect in found.units]
        return {**result, "found": True, "path": found.path, "value": found.value, "layers": layers, "units": units}
