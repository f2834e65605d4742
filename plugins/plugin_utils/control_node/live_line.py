# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last line of a terminal, rewritten in place."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

SECONDS = 0.5
_ERASE = "\r\x1b[K"


class LiveLine:
    """Shows the result of a function twice a second, below Ansible's output.

    :param display: Ansible's display, whose output is wrapped from now on.
    :param text: returns the line, empty for none; it must fit in the terminal.
    """

    def __init__(self, display: Any, text: Callable[[], str]) -> None:
        self._text = text
        self._print = display.display
        self._process = os.getpid()
        # A lock of its own: with a second one, two threads could deadlock.
        self._lock = display._lock
        self._shown = ""
        display.display = self._give_way
        threading.Thread(target=self._tick, daemon=True).start()

    def _give_way(self, *arguments: Any, **options: Any) -> None:
        if os.getpid() != self._process:  # a worker passes its output to this process
            self._print(*arguments, **options)
            return
        with self._lock:
            self._draw("")
            self._print(*arguments, **options)

    def _tick(self) -> None:
        while True:
            time.sleep(SECONDS)
            with self._lock:
                self._draw(self._text())

    def _draw(self, text: str) -> None:
        if text != self._shown:
            # Not through Python's buffer, which a worker that is forked meanwhile would write again.
            with contextlib.suppress(OSError):
                os.write(sys.stdout.fileno(), f"{_ERASE}{text}".encode())
            self._shown = text
