# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Ansible's own options: those of the command line and of its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.cairn.openstack.plugins.plugin_utils.preflight.finding import Finding

# Strategies in which hosts do not wait for each other, and tasks that run once run on every host.
_FREE = ("free", "host_pinned")
# Molecule always skips these.
_MOLECULE = ("molecule-notest", "notest")


def tags(wanted: Sequence[str], skipped: Sequence[str]) -> Iterator[Finding]:
    """Find tags: no task has one, so a run with --tags would end well without having done anything."""
    for option, tags_given, harmless in (("--tags", wanted, ("all",)), ("--skip-tags", skipped, _MOLECULE)):
        if given := [tag for tag in tags_given if tag not in harmless]:
            remedy = (
                f"Remove {option}. A run skips by itself what has nothing to do; --limit HOST limits it to hosts, and "
                "--check --diff shows what it would do."
            )
            yield Finding(f"command line, {option}", ", ".join(map(str, given)), "no tags; no task has any", remedy)


def configuration(file: str, strategy: str, facts_as_variables: bool, hash_behaviour: str) -> Iterator[Finding]:
    """Find options of Ansible's configuration *file* with which a run would do something else.

    :param strategy: ``strategy`` in the section ``defaults``, and so on.
    """
    where = file or "environment"
    if strategy.rpartition(".")[2].removeprefix("mitogen_") in _FREE:
        allowed = "linear: hosts wait for each other, and what is done once for the cloud is done once"
        yield Finding(f"{where}, strategy", strategy, allowed, "Remove it (or ANSIBLE_STRATEGY).")
    if not facts_as_variables:
        remedy = "Remove it (or ANSIBLE_INJECT_FACT_VARS)."
        yield Finding(f"{where}, inject_facts_as_vars", "False", "True, Ansible's default", remedy)
    if hash_behaviour != "replace":
        found = (
            f"{hash_behaviour}: a dictionary such as cloud_config of a host is merged with that of its groups, and a "
            "service definition of yours with the shipped one"
        )
        remedy = "Remove it (or ANSIBLE_HASH_BEHAVIOUR); cloud_config_NAME is merged into cloud_config anyway."
        yield Finding(f"{where}, hash_behaviour", found, "replace, Ansible's default", remedy, "warning")
