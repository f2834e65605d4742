# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks all services at once whether they answer, until they do or the time is up."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.urls import open_url


def answer(url: str, timeout: float = 10) -> str:
    """Return an empty string when *url* answers with a status below 400, and what is wrong otherwise."""
    try:
        open_url(url, timeout=timeout, follow_redirects="none", use_proxy=False, http_agent="cairn")
    except Exception as error:  # URLError, HTTPError, timeouts and broken connections, of several libraries
        code = getattr(error, "code", None)
        if code is not None and code < 400:
            return ""
        return str(error)
    return ""


def poll(services: list[dict], wait: float, interval: float = 0.5) -> dict[str, tuple[dict, str]]:
    """Return the services that still do not answer after *wait* seconds, by name, each with the last reason."""
    end = time.monotonic() + wait
    open_ones = {service["name"]: (service, "") for service in services}
    with ThreadPoolExecutor(max_workers=16) as pool:
        while open_ones:
            asked = [service for service, _reason in open_ones.values()]
            reasons = pool.map(answer, [service["url"] for service in asked])
            open_ones = {service["name"]: (service, why) for service, why in zip(asked, reasons, strict=True) if why}
            if not open_ones or time.monotonic() > end:
                break
            time.sleep(interval)
    return open_ones
