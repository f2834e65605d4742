# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remedies for known failures, by their messages."""

from __future__ import annotations

import re

# Regular expressions, with their remedy indented below. The first match is used, so specific ones come before general
# ones.
REMEDIES = r"""
No package source offers
Unable to locate package
has no installation candidate
    Add the sources of these packages to cloud_package_sources. For Debian's own packages, check that the files in
    /etc/apt/sources.list.d on the host name its release.

Could not get lock
Another package command has held
dpkg frontend lock
    Another package command runs on the host, often unattended-upgrades. Wait for it to end, or stop it, and run again.

No space left on device
You don't have enough free space
Disk quota exceeded
    A disk of the host is full; `df -h; df -i` shows which. Free space, for example with `apt-get clean` and
    `journalctl --vacuum-size=200M`, and run again.

Read-only file system
    A file system of the host is mounted read-only, often after a disk error; `dmesg` shows why.

[Oo]ut of memory
Cannot allocate memory
oom-kill
MemoryError
    The host has too little memory; see `free -h`. Add memory or a swap file, or lower the number of workers
    (cloud_workers).

certificate is not yet valid
Release file .* is not (yet )?valid
not valid yet
    The host's clock is wrong; see `timedatectl`. Correct it (chrony's sources, the hardware clock) and run again.

certificate has expired
CERTIFICATE_VERIFY_FAILED
certificate verify failed
self[- ]signed certificate
    The certificate is not trusted on this host. Run site.yml on all hosts to install the authority's ca.crt. With your
    own certificates, check cloud_tls_certificate, its chain, its names and its dates.

Temporary failure resolving
Could not resolve
Name or service not known
    A name cannot be resolved. Check it in the inventory or the package source, and /etc/resolv.conf.

Failed to fetch
Hash Sum mismatch
Could not connect to \S+:\d+ \(
    The package source cannot be reached, or changed during the run. Check the host's proxy and default route, and run
    again.

Host key verification failed
REMOTE HOST IDENTIFICATION HAS CHANGED
    The host's ssh key differs from known_hosts, or is not in it yet. If the host was reinstalled, remove the old key
    with `ssh-keygen -R ADDRESS`; then run `ssh USER@ADDRESS` once.

Permission denied \([\w,-]*publickey
    The host does not accept the user or the key. Try `ssh USER@ADDRESS`, and check ansible_user and
    ansible_ssh_private_key_file.

Missing sudo password
sudo: a password is required
Incorrect sudo password
is not in the sudoers file
    The user may not use sudo, or needs a password for it. Run with --ask-become-pass, or allow sudo without a password
    (NOPASSWD) in /etc/sudoers.d.

waiting for privilege escalation
    sudo did not respond in time. If it needs a password, use --ask-become-pass, or NOPASSWD in /etc/sudoers.d. If the
    host is busy, raise `timeout` in ansible.cfg and run again.

/python[\d.]*: (not found|No such file)
interpreter '?/\S+ was not found
    Install Python on the host (`apt-get install python3`), or set ansible_python_interpreter.

Failed to connect to the host
Data could not be sent to remote host
could not be reached for
    Check that the host is running, that ansible_host is its address, and that `ssh USER@ADDRESS` works from the control
    node. Exclude unreachable hosts with --limit.

no vault secrets found
no vault secrets were found
Decryption failed
    The secrets are encrypted with another vault password, or none was given. Run with --ask-vault-pass or
    --vault-password-file.

systemd-sysctl: \S+ is .*, not .*
    Another file of the host sets this kernel parameter. Remove the line there, or set the value that you want in
    cloud_sysctl.

lacks these secrets
    Use the secrets directory that this cloud was deployed with (cloud_secrets_dir); by default it is .secrets beside
    the inventory.

Address already in use
    Another process uses this port; `ss -ltnp` on the host shows which. Stop it, or set another port for the
    service.

ACCESS_REFUSED
Login was refused
    The password of the service differs from the one in RabbitMQ. Run site.yml without --limit, with the cloud's own
    secrets directory (cloud_secrets_dir).

Access denied for user
    The password of the service differs from the one in MariaDB. Run site.yml without --limit, with the cloud's own
    secrets directory (cloud_secrets_dir).

Can't connect to (local )?(MySQL|server|MariaDB)
Lost connection to (MySQL )?server
    MariaDB does not respond. See `systemctl status mariadb` and `journalctl -u mariadb` on the controller.

Does rabbitmq-server run
AMQP server on \S+ is unreachable
    RabbitMQ does not respond. See `systemctl status rabbitmq-server` and /var/log/rabbitmq on the controller.

The request you have made requires authentication
    The password differs from the one in Keystone. Run site.yml, which resets the passwords of the admin user and
    the services.

No more IP addresses available on network
    All addresses of this network's pool are in use: `openstack floating ip list` and `openstack router list` show by
    what. Delete some, or enlarge the pool (cloud_external_pool).

newer than the package
    A newer package has upgraded the database. Install that package on this host, or restore the database.

No installed package provides these units
    Add the package to the service definition, or correct the unit's name there.

is undefined
    A setting is missing or misspelt. Check this name in the inventory's group_vars and host_vars.
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
    """Return the likely remedy for a failure with this message, empty if unknown."""
    return next((sentence for pattern, sentence in _KNOWN if pattern.search(words)), "")
