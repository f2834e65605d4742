# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every module that changes a host begins with.

Only one Cairn task at a time changes a host, so that a task of a killed run ends before the next run starts.
"""

from __future__ import annotations

import fcntl
import os
import time

from ansible.module_utils.basic import AnsibleModule

LOCK = "/run/cairn.lock"
SECONDS = 900
# Services read files and directories that modules, and the commands that these run, create without a mode of their own.
# Files with secrets have one.
UMASK = 0o022


def acquire(module: AnsibleModule) -> None:
    """Wait until no other Cairn task changes this host; fail the task after a timeout.

    Does nothing in check mode, and unless running as root. Else it also sets the umask, as that of the host's root may
    keep new files from all other users.
    """
    if module.check_mode or os.geteuid():
        return
    os.umask(UMASK)
    # Never closed: the lock is held until the process ends for any reason.
    file = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + SECONDS
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > end:
                holder = os.pread(file, 200, 0).decode()
                found = f"Another Cairn task has been changing this host for {SECONDS} s: {holder}."
                module.fail_json(msg=f"{found} Stop it if it hangs.")
            time.sleep(0.2)
        else:
            break
    os.ftruncate(file, 0)
    os.pwrite(file, f"{module._name}, process {os.getpid()}".encode(), 0)
