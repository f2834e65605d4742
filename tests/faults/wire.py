#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Listens between the hosts of a lab while a command runs, and prints which words passed in plain text.

usage: tests/faults/wire.py [--interface NAME] [--word WORD …] INVENTORY COMMAND …

Searched for: every secret of the cloud, tokens, SQL, remote procedure calls, private keys, and the given words, such as
one that fills the memory of a server which COMMAND migrates. Exit status: 0 if none was found.
"""

from __future__ import annotations

import argparse
import collections
import re
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import yaml

# What stands in plain text of the protocols: Fernet tokens, Keystone's header, oslo.messaging, SQL, PEM.
WORDS = (
    "gAAAAA",
    "X-Auth-Token",
    "X-Subject-Token",
    "oslo.message",
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "PRIVATE KEY-----",
)
ALL_PROTOCOLS = 3
# Of packet(7).
SOL_PACKET, ADD_MEMBERSHIP, PROMISCUOUS, STATISTICS = 263, 1, 1, 6
# Bytes of a packet: hosts leave the segmentation of large ones to others.
PACKET = 1 << 17


def secrets(directory: Path) -> dict[str, str]:
    """Return the cloud's secrets that are one line of text: value → name."""
    loaded = yaml.safe_load((directory / "secrets.yml").read_text(encoding="utf-8"))
    return {str(value): name for name, value in loaded.items() if "\n" not in str(value) and len(str(value)) >= 12}


def ends(packet: bytes) -> str:
    """Return the addresses and ports of an IPv4 packet in an Ethernet frame; empty for others."""
    if packet[12:14] != b"\x08\x00":
        return ""
    header = 14 + (packet[14] & 15) * 4
    source, target = (socket.inet_ntoa(packet[start : start + 4]) for start in (26, 30))
    ports = [int.from_bytes(packet[header + start : header + start + 2], "big") for start in (0, 2)]
    # The lower one is the service's.
    return f"{source} → {target}, port {min(ports)}"


class Wire:
    """Counts packets with words on an interface, in a thread."""

    def __init__(self, interface: str, words: dict[str, str]) -> None:
        self.words = {word.encode(): name for word, name in words.items()}
        self.pattern = re.compile(b"|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True)))
        self.found: collections.Counter[tuple[str, str]] = collections.Counter()
        self.packets = self.bytes = self.dropped = 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 28)
        self.socket.bind((interface, 0))
        # Without it a bridge shows only what is for itself.
        index = socket.if_nametoindex(interface)
        self.socket.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("iHH8s", index, PROMISCUOUS, 0, b""))
        self.socket.settimeout(0.5)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.listen)

    def listen(self) -> None:
        """Read packets until the end."""
        while not self.ended.is_set():
            try:
                packet = self.socket.recv(PACKET)
            except TimeoutError:
                continue
            self.packets += 1
            self.bytes += len(packet)
            for match in set(self.pattern.findall(packet)):
                self.found[self.words[match], ends(packet)] += 1

    def __enter__(self) -> Wire:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self.thread.join()
        self.dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, STATISTICS, 8))[1]
        self.socket.close()


def main() -> int:
    """Run the command, and print what was heard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    parser.add_argument("--interface", default="cairn-mgmt", help="the bridge of the hosts' management network")
    parser.add_argument("--word", action="append", default=[])
    given = parser.parse_args()
    words = {**secrets(given.inventory / ".secrets"), **{word: word.strip() for word in [*WORDS, *given.word]}}
    with Wire(given.interface, words) as wire:
        status = subprocess.run(given.command, check=False).returncode
    heard = f"{wire.packets} packets, {wire.bytes / 1e6:.0f} MB, {wire.dropped} not heard"
    print(f"{heard}; {len(words)} words; the command ended with {status}")
    for (word, where), count in wire.found.most_common():
        print(f"    {word}: {count} packets, {where}")
    return 1 if wire.found or status else 0


if __name__ == "__main__":
    sys.exit(main())
