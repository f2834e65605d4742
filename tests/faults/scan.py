#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connects to every TCP port of addresses, and prints those that accept.

usage: tests/faults/scan.py [--source ADDRESS] ADDRESS …

--source is an address of this host in the network from which is scanned, if several lead to the others.
It needs nothing but Python, so it runs on a host or in a server of the cloud: `ssh HOST python3 - ADDRESS … <scan.py`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import errno
import resource
import selectors
import socket
import sys
import time

# Connections at a time, if so many files may be open, and seconds for each.
WINDOW, PATIENCE = 6000, 1.5
# Files that the program has open besides.
OTHERS = 50


def accepts(address: str, window: int, source: str = "") -> list[int]:
    """Return the ports of *address* that accept a connection from *source*, of which *window* are tried at a time."""
    waiting = selectors.DefaultSelector()
    ports, ends, found = iter(range(1, 65536)), {}, []
    more = True
    while more or ends:
        while more and len(ends) < window:
            port = next(ports, None)
            if port is None:
                more = False
                break
            one = socket.socket()
            one.setblocking(False)
            if source:
                one.bind((source, 0))
            if one.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
                one.close()
                continue
            waiting.register(one, selectors.EVENT_WRITE, port)
            ends[one] = time.monotonic() + PATIENCE
        done = {key.fileobj: key.data for key, _event in waiting.select(0.05)}
        now = time.monotonic()
        for one, port in done.items():
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(port)
        for one in [*done, *(one for one, end in ends.items() if end < now and one not in done)]:
            waiting.unregister(one)
            del ends[one]
            one.close()
    return sorted(found)


def main() -> int:
    """Print a line for each address."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="")
    parser.add_argument("address", nargs="+")
    given = parser.parse_args()
    number, hard = len(given.address), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = WINDOW + OTHERS if hard == resource.RLIM_INFINITY else min(hard, WINDOW + OTHERS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        found = pool.map(accepts, given.address, [(files - OTHERS) // number] * number, [given.source] * number)
        for address, ports in zip(given.address, found, strict=True):
            print(f"{address}: {', '.join(map(str, ports)) or 'none'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
