# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Masks the secrets of configuration files in output."""

from __future__ import annotations

import re
from typing import Any

MASK = "********"

# Options whose values only root and the service may read: in ini, YAML, JSON, Python and shell.
_SECRET_OPTION = re.compile(
    r"(?P<name>(?:password|passwd|_pass\b|secret|erlang_cookie|credential|auth_key|encryption_key)"
    r"[\w.\-]*[\"']?[ \t]*[=:][ \t]*)(?P<value>\S.*)$",
    re.MULTILINE | re.IGNORECASE,
)
# keepalived, redis
_SECRET_WORD = re.compile(r"^(?P<name>[ \t]*(?:auth_pass|requirepass|masterauth)[ \t]+)\S.*$", re.MULTILINE)
_URL_PASSWORD = re.compile(r"(?P<start>://[^/\s:@]*:)[^@\s,]+(?=@)")
_URL_NEXT_PASSWORD = re.compile(r"(?P<start>,[\w.\-]+:)[^@\s,]+(?=@)")  # rabbit://a:b@host,a:b@host
_PRIVATE_KEY = re.compile(
    r"(?P<start>-----BEGIN [A-Z ]*PRIVATE KEY-----\n)(?P<key>.*?)(?P<end>\n-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)
# Tokens and signatures, as clients log them.
_TOKEN = re.compile(
    r"(?P<name>\b(?:x-auth-token|x-subject-token|authorization|temp_url_sig|signature|token)\b"
    r"[\"']?[ \t]*[=:][ \t]*[\"']?(?:(?:basic|bearer)[ \t]+)?)[^\s\"'&,;]+",
    re.IGNORECASE,
)
_FERNET = re.compile(r"\bgAAAA[\w=-]{20,}")
# Shorter values would be found in words that are no secrets.
SHORTEST_SECRET = 6
# The last line of a key may be very short.
_SHORTEST = 16


def secret_values(text: str) -> list[str]:
    """Return the parts of the secret *text* that Ansible must mask in its log: the text, and each line of a key.

    The log has a module's arguments in Python's notation, with two characters for the end of a line.
    """
    if "\n" not in text:
        return [text]
    lines = [line for found in _PRIVATE_KEY.finditer(text) for line in found["key"].splitlines()]
    return [line for line in lines if len(line) >= _SHORTEST]


def masked(text: str) -> str:
    """Return *text* with the values of secret options, passwords in URLs and private keys replaced by stars.

    The old value of a rotated or edited secret is unknown, so options are recognized by their names and not by their
    values.
    """
    text = _PRIVATE_KEY.sub(rf"\g<start>{MASK}\g<end>", text)
    for expression in (_URL_PASSWORD, _URL_NEXT_PASSWORD):
        text = expression.sub(rf"\g<start>{MASK}", text)
    text = _FERNET.sub(MASK, _TOKEN.sub(rf"\g<name>{MASK}", text))
    text = _SECRET_WORD.sub(rf"\g<name>{MASK}", text)
    return _SECRET_OPTION.sub(rf"\g<name>{MASK}", text)


def hide(line: str, secrets: list[str]) -> str:
    """Return a line without secrets, those with known values and those that look like one."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            line = line.replace(secret, MASK)
    return masked(line)


def hidden(value: Any, secrets: list[str]) -> Any:
    """Return data with each of its texts as by ``hide``; names of files and units, which are keys, stay."""
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, list):
        return [hidden(one, secrets) for one in value]
    if isinstance(value, dict):
        return {key: hidden(one, secrets) for key, one in value.items()}
    return value
