# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to do about failures that are known, by the words that they come with."""

from __future__ import annotations

import re

# Regular expressions, and indented below them the remedy. The first that fits is told: the particular stands before
# the general.
REMEDIES = r"""
No package source offers
Unable to locate package
has no installation candidate
    Name the sources of these packages in cloud_package_sources; with Debian's own, check that the files in
    /etc/apt/sources.list.d on the host name its release.

Could not get lock
Another package command has held
dpkg frontend lock
    Another package command runs on the host, often unattended-upgrades: wait for its end, or stop it, and run again.

No space left on device
You don't have enough free space
Disk quota exceeded
    A disk of the host is full: `df -h; df -i` says which. `apt-get clean` and `journalctl --vacuum-size=200M` free
    some; then run again.

Read-only file system
    A file system of the host is mounted read-only, often after an error of its disk: `dmesg` says why.

[Oo]ut of memory
Cannot allocate memory
oom-kill
MemoryError
    The host has too little memory: `free -h` shows it. Give it more or a swap file, or the services fewer workers
    (cloud_workers).

certificate is not yet valid
Release file .* is not (yet )?valid
not valid yet
    The host's clock is wrong: `timedatectl` shows it. Mend it (chrony's sources, the machine's own clock) and run
    again.

certificate has expired
CERTIFICATE_VERIFY_FAILED
certificate verify failed
self[- ]signed certificate
    The certificate isn't one that is trusted here: run site.yml on all hosts, so that they get the authority's ca.crt.
    With certificates of your own, check cloud_tls_certificate, its chain, its names and its dates.

Temporary failure resolving
Could not resolve
Name or service not known
    A name can't be resolved: check it in the inventory or the package source, and /etc/resolv.conf.

Failed to fetch
Hash Sum mismatch
Could not connect to \S+:\d+ \(
    The package source can't be reached, or changed meanwhile: check the host's way out (proxy, default route) and run
    again.

Host key verification failed
REMOTE HOST IDENTIFICATION HAS CHANGED
    The host has another ssh key than known_hosts says, or none there yet. If it was made anew, `ssh-keygen -R ADDRESS`
    forgets the old one; then `ssh USER@ADDRESS` once.

Permission denied \([\w,-]*publickey
    The host doesn't accept the user or the key: try `ssh USER@ADDRESS`, and check ansible_user and
    ansible_ssh_private_key_file.

Missing sudo password
sudo: a password is required
Incorrect sudo password
is not in the sudoers file
    The user may not use sudo, or needs a password for it: run with --ask-become-pass, or allow it without a password
    (NOPASSWD) in /etc/sudoers.d.

waiting for privilege escalation
    sudo did not answer in time. Where it asks for a password: --ask-become-pass, or NOPASSWD in /etc/sudoers.d. Where
    the host is that busy: a larger `timeout` in ansible.cfg, and the same command again.

/python[\d.]*: (not found|No such file)
interpreter '?/\S+ was not found
    Install Python on the host (`apt-get install python3`), or set ansible_python_interpreter.

Failed to connect to the host
Data could not be sent to remote host
could not be reached for
    Check that the host is on, that ansible_host is its address, and that `ssh USER@ADDRESS` works from here. Hosts that
    are away can be left out with --limit.

no vault secrets found
no vault secrets were found
Decryption failed
    The secrets are encrypted with another vault password, or none was given: run with --ask-vault-pass or
    --vault-password-file.

lacks these secrets
    Use the secrets folder that this cloud was made with (cloud_secrets_dir); by default it is .secrets beside the
    inventory.

Address already in use
    Something else listens on this port: `ss -ltnp` on the host says what. Stop it, or give the service another port.

ACCESS_REFUSED
Login was refused
    RabbitMQ knows another password than the service: run site.yml without --limit, with the cloud's own secrets folder
    (cloud_secrets_dir).

Access denied for user
    MariaDB knows another password than the service: run site.yml without --limit, with the cloud's own secrets folder
    (cloud_secrets_dir).

Can't connect to (local )?(MySQL|server|MariaDB)
Lost connection to (MySQL )?server
    MariaDB doesn't answer: `systemctl status mariadb` and `journalctl -u mariadb` on the controller say why.

Does rabbitmq-server run
AMQP server on \S+ is unreachable
    RabbitMQ doesn't answer: `systemctl status rabbitmq-server` and /var/log/rabbitmq on the controller say why.

The request you have made requires authentication
    Keystone knows another password: run site.yml, which lets the administrator and the services' accounts in again.

newer than the package
    A newer package has upgraded the database: install that package on this host, or restore the database.

No installed package brings these units
    Name the package in the service's page, or correct the unit's name there.

is undefined
    A setting is missing or misspelt: look for this name in the inventory's group_vars and host_vars.
"""


def _parsed(text: str) -> list[tuple[re.Pattern, str]]:
    found = []
    for entry in text.strip().split("\n\n"):
        lines = entry.splitlines()
        patterns = [line for line in lines if not line.startswith(" ")]
        sentence = " ".join(line.strip() for line in lines if line.startswith(" "))
        found.append((re.compile("|".join(patterns)), sentence))
    return found


_KNOWN = _parsed(REMEDIES)


def remedy(words: str) -> str:
    """Return what likely helps against a failure with these words, empty for one that is not known."""
    return next((sentence for pattern, sentence in _KNOWN if pattern.search(words)), "")
