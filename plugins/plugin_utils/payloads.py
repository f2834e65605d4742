# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules packed for their way to a host, kept from one run to the next.

Ansible packs a module with what it imports when a run first needs it: 0.15 s of processor time each, of which a run
with nothing to do had 2 s. It looks first whether the run's own temporary folder has the result, by a name that has
nothing of the run in it; there goes what an earlier run left. A version of Ansible that does otherwise packs anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import ansible
from ansible import constants
from ansible.release import __version__

PLUGINS = Path(__file__).parents[1]
# What Ansible calls the folder in its temporary one, and how the names of our modules' archives begin.
FOLDER = "ansiballz_cache"
OURS = "ansible_collections.cairn.openstack.plugins.modules."
OTHERS = ("-part", ".lock")
"""Ends of names of what is not an archive yet."""
UNUSED = 14 * 24 * 3600
"""Seconds after which the archives of another state of the code are removed."""


class Payloads:
    """The archives of the collection's modules as they are now.

    :param kept: the folder that outlives runs; one for each state of the code is made in it.
    :param temporary: Ansible's temporary folder of this run.
    """

    def __init__(self, kept: str | None = None, temporary: str | None = None):
        self.kept = Path(kept or os.path.join(constants.ANSIBLE_HOME, "cairn_payloads"))
        self.current = self.kept / state()
        self.run = Path(temporary or constants.DEFAULT_LOCAL_TMP) / FOLDER

    def fill(self) -> None:
        """Give the run what is kept; nothing where others could have written it, since hosts run it as root."""
        with contextlib.suppress(OSError):
            for folder in (self.kept, self.current):
                found = folder.stat()
                if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                    return
            self.run.mkdir(mode=0o700, exist_ok=True)
            for path in _archives(self.current):
                _copy(path, self.run)
            os.utime(self.current)

    def keep(self) -> None:
        """Keep what the run has packed, and remove what nobody has used for two weeks.

        A folder that can't be written costs time and nothing else.
        """
        with contextlib.suppress(OSError):
            new = [path for path in _archives(self.run) if not (self.current / path.name).exists()]
            if not new:
                return
            for folder in (self.kept, self.current):  # each by itself: a parent would get the mode of the umask
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in new:
                _copy(path, self.current)
            for folder in self.kept.iterdir():
                if time.time() - folder.stat().st_mtime > UNUSED:
                    shutil.rmtree(folder)


def state() -> str:
    """Return a digest of all that an archive is made of: Ansible, Python, and the collection's files as they are."""
    digest = hashlib.sha256(repr((__version__, ansible.__path__, sys.version, str(PLUGINS))).encode())
    for folder in ("modules", "module_utils"):
        for path in sorted((PLUGINS / folder).rglob("*.py")):
            found = path.stat()
            digest.update(repr((str(path), found.st_mtime_ns, found.st_size)).encode())
    return digest.hexdigest()[:32]


def _archives(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{OURS}*") if not path.name.endswith(OTHERS)]


def _copy(path: Path, folder: Path) -> None:
    """Copy a file, so that nobody ever sees a part of it."""
    part = folder / f".{path.name}.{os.getpid()}"
    shutil.copyfile(path, part)
    part.replace(folder / path.name)
