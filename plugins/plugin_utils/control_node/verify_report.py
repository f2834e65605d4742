# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of verify as a table and as JUnit XML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from xml.etree import ElementTree

from ansible_collections.cairn.openstack.plugins.module_utils.cloud.verify.checks import FAILED, NOT_RUN, PASSED

COLOURS = {PASSED: "green", FAILED: "red", NOT_RUN: "yellow"}
# Characters that XML does not allow.
UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def counts(results: list[dict], seconds: float) -> str:
    """Return the last line of the table.

    :param seconds: of the whole run, as checks overlap.
    """
    number = Counter(result["outcome"] for result in results)
    return f"{number[PASSED]} passed, {number[FAILED]} failed, {number[NOT_RUN]} not run, {seconds:.0f} seconds"


def rows(results: list[dict]) -> Iterable[tuple[str, str]]:
    """Yield every row of the table with its colour: check, result, seconds, detail."""
    width = max([len(result["name"]) for result in results], default=0)
    for result in results:
        first, *others = (result["detail"] or "").splitlines() or [""]
        outcome = result["outcome"]
        shown = f"{outcome}: {first}" if outcome == NOT_RUN else f"{outcome:<8} {result['seconds']:>6.1f}  {first}"
        yield f"{result['name']:<{width}}  {shown}".rstrip(), COLOURS[outcome]
        for line in others:
            yield f"{'':<{width}}  {line}", COLOURS[outcome]


def logs(found: list[dict]) -> list[str]:
    """Return the log lines of the hosts under headings.

    :param found: results of the module service_logs, each with its C(host).
    """
    shown = []
    for host in found:
        if "lines" not in host:
            shown += [f"{host['host']}: the logs can't be read: {host.get('msg', 'no answer')}", ""]
        if host.get("idle"):
            shown += [*(f"{host['host']}: {line}" for line in host["idle"]), ""]
        for source, lines in sorted(host.get("lines", {}).items()):
            shown += [f"{host['host']}: {source}", *(f"  {line}" for line in lines), ""]
    return shown


def junit(results: list[dict], seconds: float, log: list[str]) -> bytes:
    """Return the results as JUnit XML.

    :param log: log lines of the services, for the whole suite.
    """
    number = Counter(result["outcome"] for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name="cairn.verify",
        tests=str(len(results)),
        failures=str(number[FAILED]),
        errors="0",
        skipped=str(number[NOT_RUN]),
        time=f"{seconds:.1f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname="cairn.verify", name=result["name"], time=f"{result['seconds']:.1f}"
        )
        detail = UNFIT.sub("?", result["detail"])
        if result["outcome"] == FAILED:
            ElementTree.SubElement(case, "failure", message=detail.split("\n")[0]).text = detail
        elif result["outcome"] == NOT_RUN:
            ElementTree.SubElement(case, "skipped", message=detail)
        elif detail:
            ElementTree.SubElement(case, "system-out").text = detail
    if log:
        ElementTree.SubElement(suite, "system-err").text = UNFIT.sub("?", "\n".join(log))
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
