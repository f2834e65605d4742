# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's power: on, off, and off without a word."""

from __future__ import annotations

import os
import signal
import socket

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import emulator, image, netns, process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, run, write


def supervisor(host):
    return process.from_pid_file(host.path("pid"), host.path())


def processes(host):
    """All that the host runs, as the machine numbers it. An emulated machine is one process."""
    machine = emulator.pid(host)
    return [*netns.pids(host.namespace), *([machine] if machine else [])]


def first(host):
    """The process with which the host ends, or None."""
    return emulator.pid(host) or netns.leader(host.namespace)


def running(host):
    """A host is on while its supervisor is, or any process of it."""
    return supervisor(host) is not None or bool(processes(host))


def on(host, base, supervise):
    """Switch a host on; it goes on booting after this returns."""
    cards = (f"{nic.name} {nic.mac} {nic.outer} {nic.altname} {nic.bridge}\n" for nic in host.nics())
    write(host.path("nics"), "".join(cards))
    # A copy of the host's own: another version would not understand a supervisor that runs already.
    write(host.path("supervise"), supervise, 0o755)
    # Not by itself: the kernel executes no file that another thread's child still has open for writing.
    command = ["/bin/sh", host.path("supervise"), host.path(), host.lab.prefix, host.name, base]
    command += [str(host.memory)] if host.emulated else []
    if os.path.isdir("/run/systemd/system"):
        unit = f"{host.lab.prefix}-lab-{host.name}"
        run("systemctl", "reset-failed", unit, check=False)
        log = f"append:{host.log}"
        run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={unit}",
            "--setenv=LAB_DELEGATED=yes",
            "--property=Delegate=yes",
            "--property=KillMode=mixed",
            f"--property=StandardOutput={log}",
            f"--property=StandardError={log}",
            *command,
        )
    else:
        process.start(command, host.log)
    # The supervisor's first act is its pid file; without it the host would seem to be off.
    process.wait_until(lambda: supervisor(host) is not None, 5)


def ready(host):
    """A host is ready when its sshd speaks and lets ordinary users in."""
    pid = first(host)
    # An emulated machine's sshd waits for that, see seed.py.
    if pid is None or (not host.emulated and os.path.exists(f"/proc/{pid}/root/run/nologin")):
        return False
    try:
        with socket.create_connection((host.address, 22), timeout=1) as connection:
            connection.settimeout(2)
            # All that it says: what is left unread is a reset, which sshd logs as an error.
            return connection.recv(255).startswith(b"SSH")
    except OSError:
        return False


def wait_ready(host, seconds):
    """Wait for a booting host; a supervisor that ended meanwhile is an answer, too."""
    answer = {}

    def settled():
        answer["ready"] = ready(host)
        return answer["ready"] or not running(host)

    process.wait_until(settled, seconds, step=0.2)
    if not answer["ready"]:
        tail = "\n".join(read(host.log).splitlines()[-15:])
        raise LabError(f"{host.name} is not reachable at {host.address}:22 after {seconds} s; {host.log} ends:\n{tail}")


def _unplug(host):
    """What a supervisor that is gone may have left."""
    netns.unplug(host)
    image.release(host)


def off(host, seconds):
    """Power off as with the button; a host that does not follow is a fault, not a reason to kill it."""
    pid = first(host)
    if host.emulated and pid is not None:
        emulator.press(host)
    elif pid is not None:
        # systemd's own signal for poweroff.target
        process.signal_all([pid], signal.SIGRTMIN + 4)
    if not process.wait_until(lambda: not running(host), seconds, step=0.1):
        raise LabError(f"{host.name} did not power off within {seconds} s (state=killed takes the power away)")
    _unplug(host)


def kill(host):
    """Power loss. The supervisor ends by itself; what still runs after that had lost its supervisor."""
    pid = first(host)
    if pid is not None:
        process.signal_all([pid], signal.SIGKILL)
        process.wait_until(lambda: not running(host), 10)
    # The supervisor first, or it would boot the host again.
    for left in ([supervisor(host)], processes(host)):
        process.end([pid for pid in left if pid], grace=0)
    _unplug(host)
