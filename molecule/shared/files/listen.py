# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write every command line of this host into a file, in the background, until the file is removed."""

import os
import sys
import time

PAUSE = 0.1
LONGEST = 4 * 3600


def seen():
    """Yield the command lines of the processes that run."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                yield file.read()
        except OSError:
            continue


def listen(path):
    """Append what was not heard before."""
    known = set()
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and os.path.exists(path):
        new = {line for line in seen() if line} - known
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
