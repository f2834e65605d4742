# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers of an API, for the checks of verify that ask one."""

from __future__ import annotations

from types import SimpleNamespace


def answer(content, status=200):
    """Return a response with this content."""
    return SimpleNamespace(json=lambda: content, status_code=status)


def connect(monkeypatch, module):
    """Let the checks of *module* ask the APIs that a connection has in C(of), by their types."""

    def rest(proxy, method, path, **more):
        found = proxy.request(path, method, **more)
        assert found.status_code < 400, path
        return found

    monkeypatch.setattr(module, "rest", rest)
    monkeypatch.setattr(module, "client", lambda connection, kind: connection.of[kind])
