# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping without the program, which may not be installed: by a datagram socket as any user, by a raw one as root."""

from __future__ import annotations

import secrets
import socket
import struct
import time

REQUEST, REPLY = 8, 0


def checksum(packet: bytes) -> int:
    """Return the Internet checksum of a packet of even length."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def request(payload: bytes) -> bytes:
    """Return an echo request with this payload."""
    head = struct.pack("!BBHHH", REQUEST, 0, 0, 0, 1)
    return struct.pack("!BBHHH", REQUEST, 0, checksum(head + payload), 0, 1) + payload


def answers(packet: bytes, payload: bytes, raw: bool) -> bool:
    """Return whether a packet is the reply to the request with this payload.

    :param raw: whether the packet starts with its IP header.
    """
    message = packet[(packet[0] & 15) * 4 :] if raw else packet
    return len(message) > 8 and message[0] == REPLY and message[8:] == payload


def ping(address: str, seconds: float) -> bool:
    """Send an echo request and return whether a reply arrives within that time.

    :raises PermissionError: this user may use neither socket.
    """
    raw = False
    try:
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:
        raw = True
        channel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    payload, end = secrets.token_bytes(32), time.monotonic() + seconds
    with channel:
        try:
            channel.sendto(request(payload), (address, 0))
            while time.monotonic() < end:
                channel.settimeout(max(0.01, end - time.monotonic()))
                if answers(channel.recv(2048), payload, raw):
                    return True
        except OSError:
            # No route, refused, or timeout.
            time.sleep(max(0, end - time.monotonic()))
    return False
