# Copyright (c) 2026 The Cairn authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The power of a host: start, shutdown and power loss."""

from __future__ import annotations

import os
import signal
import socket
import time

from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab import emulator, image, netns, process
from ansible_collections.cairn.openstack.plugins.module_utils.testing.lab.run import LabError, read, run, write


def supervisor(host):
    return process.from_pid_file(host.path("pid"), host.path())


def processes(host):
    """Return all processes of the host, by their PIDs on the computer. An emulated host is one process."""
    machine = emulator.pid(host)
    return [*netns.pids(host.namespace), *([machine] if machine else [])]


def first(host):
    """Return the main process of the host, or None."""
    return emulator.pid(host) or netns.leader(host.namespace)


def running(host):
    """Whether the supervisor or any process of the host is running."""
    return supervisor(host) is not None or bool(processes(host))


def on(host, base, supervise):
    """Start a host; it is still booting when this returns."""
    cards = (f"{nic.name} {nic.mac} {nic.outer} {nic.altname} {nic.bridge}\n" for nic in host.nics())
    write(host.path("nics"), "".join(cards))
    # A copy for the host, independent of later versions.
    write(host.path("supervise"), supervise, 0o755)
    # Through the shell: the kernel refuses to execute a file that a child of another thread has open for writing.
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
            # With cgroup v2: equal shares of the processors.
            "--property=CPUWeight=100",
            "--property=KillMode=mixed",
            f"--property=StandardOutput={log}",
            f"--property=StandardError={log}",
            *command,
        )
    else:
        process.start(command, host.log)
    # The supervisor first writes its pid file; without it the host would appear to be off.
    process.wait_until(lambda: supervisor(host) is not None, 5)


def ready(host):
    """Whether the host's sshd accepts connections and unprivileged users can log in."""
    pid = first(host)
    # The sshd of an emulated host waits for that, see seed.py.
    if pid is None or (not host.emulated and os.path.exists(f"/proc/{pid}/root/run/nologin")):
        return False
    try:
        with socket.create_connection((host.address, 22), timeout=1) as connection:
            connection.settimeout(2)
            # Read everything: unread data would cause a reset, which sshd logs as an error.
            return connection.recv(255).startswith(b"SSH")
    except OSError:
        return False


def wait_ready(host, seconds):
    """Wait for a booting host, or the end of its supervisor."""
    answer, began = {}, time.monotonic()

    def settled():
        answer["ready"] = ready(host)
        return answer["ready"] or not running(host)

    process.wait_until(settled, seconds, step=0.2)
    if not answer["ready"]:
        tail = read(host.log).splitlines()[-15:]
        raise LabError(
            f"{host.name} is not reachable at {host.address}:22 after {time.monotonic() - began:.0f} s. "
            f"Its processes: {', '.join(_names(host)) or 'none'}. {host.log} ends:\n" + "\n".join(tail or ["(empty)"])
        )


def _names(host):
    """Return the names of the host's processes, the supervisor's among them, to tell where a boot hangs."""
    names = [read(f"/proc/{pid}/comm").strip() for pid in [supervisor(host), *processes(host)] if pid]
    return sorted({name for name in names if name})


def _unplug(host):
    """Remove what an ended supervisor may have left."""
    netns.unplug(host)
    image.release(host)


def off(host, seconds):
    """Shut down by the power button; if the host does not shut down, fail instead of killing it."""
    pid = first(host)
    if host.emulated and pid is not None:
        emulator.press(host)
    elif pid is not None:
        # systemd's own signal for poweroff.target
        process.signal_all([pid], signal.SIGRTMIN + 4)
    if not process.wait_until(lambda: not running(host), seconds, step=0.1):
        raise LabError(f"{host.name} did not power off within {seconds} s (state=killed turns the power off)")
    _unplug(host)


def kill(host):
    """Simulate a power loss. The supervisor ends by itself; then remaining processes are killed."""
    pid = first(host)
    if pid is not None:
        process.signal_all([pid], signal.SIGKILL)
        process.wait_until(lambda: not running(host), 10)
    # The supervisor first, or it would boot the host again.
    for left in ([supervisor(host)], processes(host)):
        process.end([pid for pid in left if pid], grace=0)
    _unplug(host)
