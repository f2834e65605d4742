# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""On a host, as root, with the cloud's secrets on standard input: where do they lie about? Names only, as JSON.

What is readable by anybody is found out by reading as the user nobody.
"""

import gzip
import json
import os
import pwd
import re
import subprocess
import sys
from urllib.parse import quote

SHORTEST = 8
LARGEST = 32 * 1024 * 1024
ROOTS = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")
# Debian's lists and caches, millions of lines with nothing of ours.
SKIPPED = ("/var/lib/apt", "/var/cache", "/var/lib/dpkg", "/run/udev", "/run/systemd/transient")
# With the body's beginning: programs and manuals name the header alone. As it is in a file, and as Python writes it.
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\r?\n|\\n)[A-Za-z0-9+/=]{20}")
CHUNK = 1024 * 1024


class Searcher:
    """Finds secrets in bytes, and tells them by name."""

    def __init__(self, secrets):
        self.names = {}
        for name, value in secrets.items():
            for form in {value, quote(value, safe=""), json.dumps(value)[1:-1]}:
                if len(form) >= SHORTEST:
                    self.names[form.encode()] = name
        longest_first = sorted(self.names, key=len, reverse=True)
        self.pattern = re.compile(b"|".join(re.escape(form) for form in longest_first))

    def names_in(self, data):
        """Return the names of the secrets in *data*; private keys of whatever name are secrets, too."""
        keys = {"a private key"} if PRIVATE_KEY.search(data) else set()
        return keys | {self.names[found] for found in self.pattern.findall(data)}

    def names_in_stream(self, stream):
        """Return the names of the secrets in a long *stream*."""
        names, kept = set(), b""
        while data := stream.read(CHUNK):
            names |= self.names_in(kept + data)
            kept = data[-512:]
        return names


def files(roots):
    """Yield the regular files below *roots* that can be opened, each with its content's reader."""
    for root in roots:
        for directory, directories, names in os.walk(root):
            directories[:] = [name for name in directories if os.path.join(directory, name) not in SKIPPED]
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path) and os.path.isfile(path) and os.path.getsize(path) <= LARGEST:
                    yield path


def read(path):
    """Return a file's bytes, unpacked."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        return gzip.decompress(data) if path.endswith(".gz") else data
    except (OSError, EOFError):
        return b""


def logs(searcher):
    """Return secrets in the journal and below /var/log."""
    found = []
    with subprocess.Popen(
        ["journalctl", "--all", "--quiet", "--no-pager", "--output=export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as journal:
        found += [["journal", name] for name in searcher.names_in_stream(journal.stdout)]
    for path in files(["/var/log"]):
        if not path.startswith("/var/log/journal/"):
            found += [[path, name] for name in searcher.names_in(read(path))]
    return found


def commands(searcher):
    """Return secrets on the command lines of what runs now."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        line = read(f"/proc/{pid}/cmdline")
        found += [[line.split(b"\0")[0].decode(errors="replace"), name] for name in searcher.names_in(line)]
    return found


def readable(searcher):
    """Return secrets that nobody can read."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    found = []
    for path in files(ROOTS):
        found += [[path, name] for name in searcher.names_in(read(path))]
    return found


if __name__ == "__main__":
    search = Searcher(json.load(sys.stdin))
    result = {"secrets": len(search.names), "logs": logs(search), "commands": commands(search)}
    # Last, since there is no way back from being nobody.
    result["readable"] = readable(search)
    print(json.dumps(result))
