# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write every command line of this host into a file, in the background, until the file is removed."""

import os
import sys
import time

PAUSE = 0.1
LONGEST = 4 * 3600
# After so many looks at a process only each of so many reads its command line again: exec comes soon after fork.
STEADY = 20


def command_line(pid):
    """Return a process's command line, nothing if it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def listen(path):
    """Append what was not heard before."""
    known, looks = {b""}, {}
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and os.path.exists(path):
        looks = {pid: looks.get(pid, -1) + 1 for pid in filter(str.isdigit, os.listdir("/proc"))}
        new = {command_line(pid) for pid, count in looks.items() if count < STEADY or not count % STEADY} - known
        known |= new
        if new:
            # Opened without making it: its absence is the sign to stop.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
                file.writelines(line.replace(b"\0", b" ").replace(b"\n", b" ") + b"\n" for line in new)
        time.sleep(PAUSE)


if __name__ == "__main__":
    if os.fork():
        sys.exit()
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600))
    listen(sys.argv[1])
