# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds the image of Octavia's amphorae from Debian's packages.

Written by Cairn. Nothing is mounted: mmdebstrap installs the packages into a directory, from the package sources of
this host; mke2fs makes a file system of it; mtools and syslinux make it bootable. Needs root, and some 4 GB in the
directory of the image.

cairn-amphora-image FILE
"""

from __future__ import annotations

import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

SUITE = "trixie"
MIB = 1 << 20
# The flavor of the amphorae has a larger disk; cloud-init does not grow the file system, nothing needs it.
SIZE_MIB, BOOT_MIB = 2560, 96
PACKAGES = (
    "ca-certificates",
    # Only it brings the agent's configuration and certificates, which Nova puts on the config drive.
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "kmod",
    "linux-image-amd64",
    "octavia-agent",
    "systemd-resolved",
    "systemd-sysv",
    "udev",
)
# For the file system and the config drive on every bus that Nova offers. Other modules load from the file system.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "ata_piix", "ahci", "nvme", "ext4")
# Nobody logs in, and nothing runs by the clock. HAProxy and keepalived run as units that the agent writes.
# octavia-agent-netns has another name than the one that the load balancer's unit requires, and holds up the first boot
# for five minutes.
MASKED = (
    "anacron.service",
    "anacron.timer",
    "apparmor.service",
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "atd.service",
    "cron.service",
    "dm-event.socket",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "haproxy.service",
    "ifupdown-pre.service",
    "ifupdown-wait-online.service",
    "keepalived.service",
    "man-db.timer",
    "networking.service",
    "octavia-agent-netns.service",
    "pollinate.service",
    "serial-getty@ttyS0.service",
    "systemd-networkd-wait-online.service",
)
AGENT = "/usr/bin/amphora-agent"
# cloud-init writes what is on the config drive, and names the host. It looks for its sources in a line of this form.
STAGES = {"init": "seed_random, set_hostname, update_hostname", "config": "", "final": ""}
CLOUD_INIT = """\
datasource_list: [ConfigDrive, None]
disable_root: true
preserve_hostname: false
system_info: {network: {renderers: [networkd]}}
users: []
""" + "".join(f"cloud_{stage}_modules: [{modules}]\n" for stage, modules in STAGES.items())
FILES = {
    # The namespace in which HAProxy runs. Its unit requires this name; Debian's has another. After a boot the agent
    # says that all is well as soon as HAProxy runs, so the namespace must have its interfaces.
    "etc/systemd/system/amphora-netns.service": """\
[Unit]
Description=Network namespace of the load balancer
After=network.target cloud-config.service
Before=octavia-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/usr/sbin/ip netns add amphora-haproxy
ExecStart=-/usr/sbin/modprobe ip_vs
ExecStart=-/usr/sbin/sysctl --quiet --write net.netfilter.nf_conntrack_max=125000
ExecStart=-/usr/sbin/ip netns exec amphora-haproxy /usr/sbin/sysctl --quiet --system
ExecStart=-/usr/sbin/ip netns exec amphora-haproxy /usr/sbin/sysctl --quiet --write net.ipv4.ip_forward=1 \\
  net.ipv4.vs.conntrack=1 net.ipv6.conf.all.forwarding=1
ExecStart=/usr/local/sbin/amphora-interfaces

[Install]
WantedBy=multi-user.target
""",
    # What the agent has written down of the interfaces that it put there: address and name in the namespace.
    "usr/local/sbin/amphora-interfaces": """\
#!/bin/sh
[ -s /var/lib/octavia/plugged_interfaces ] || exit 0
while read -r address name; do
  for link in /sys/class/net/*; do
    if [ "$(cat "$link/address" 2>/dev/null)" = "$address" ]; then
      ip link set "${link##*/}" netns amphora-haproxy name "$name"
    fi
  done
done </var/lib/octavia/plugged_interfaces
exec ip netns exec amphora-haproxy amphora-interface up all
""",
    # Keys of TLS listeners stay in memory. Debian's unit formats an encrypted disk in memory for that.
    "etc/systemd/system/octavia-agent-certs-ramfs.service": """\
[Unit]
Description=File system in memory for the keys of TLS listeners
Before=octavia-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mkdir -p /var/lib/octavia/certs
ExecStart=/usr/bin/mount -t ramfs -o mode=0750 ramfs /var/lib/octavia/certs
ExecStart=/usr/bin/chown octavia:octavia /var/lib/octavia/certs

[Install]
WantedBy=multi-user.target
""",
    # Debian's unit starts an init script that looks for another program. The console shows why it ended.
    # An amphora that has lost its keys by a boot says nothing, so that it is replaced.
    "etc/systemd/system/octavia-agent.service.d/cairn.conf": f"""\
[Unit]
After=cloud-config.service
Requires=amphora-netns.service octavia-agent-certs-ramfs.service

[Service]
ExecStartPre=/bin/sh -c 'ls /var/lib/octavia/certs/* >/dev/null 2>&1 \\
  || ! grep --quiet --no-messages /var/lib/octavia/certs/ /var/lib/octavia/*/haproxy.cfg'
ExecStart=
ExecStart={AGENT} --config-file /etc/octavia/amphora-agent.conf
ExecStopPost=/bin/sh -c '[ "$SERVICE_RESULT" = success ] || journalctl --unit octavia-agent --lines 20 >/dev/console'
Restart=always
RestartSec=2
""",
    # HAProxy's units have LimitNOFILE=2600000, which is above the package's fs.nr_open.
    "etc/sysctl.d/zz-cairn.conf": "fs.nr_open=2700000\n",
    "etc/cloud/cloud.cfg.d/99-cairn.cfg": CLOUD_INIT,
    "etc/initramfs-tools/conf.d/cairn": "MODULES=list\nCOMPRESS=lz4\nRESUME=none\n",
    "etc/initramfs-tools/modules": "".join(f"{name}\n" for name in BOOT_MODULES),
    "etc/fstab": "LABEL=amphora-root / ext4 defaults,noatime 0 1\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/systemd/journald.conf.d/cairn.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n",
}
# Written before the packages are installed, because installing the kernel makes its initramfs.
EARLY = ("etc/initramfs-tools/conf.d/cairn",)
SYSLINUX = """\
DEFAULT amphora
PROMPT 0
SERIAL 0 115200

LABEL amphora
  LINUX vmlinuz
  INITRD initrd.img
  APPEND root=LABEL=amphora-root ro console=tty0 console=ttyS0,115200n8 net.ifnames=0 loglevel=4 panic=10
"""
LEFT_OUT = tuple(f"/usr/share/{name}/*" for name in ("doc", "info", "lintian", "locale", "man"))


class Failed(Exception):
    """The build failed; the message says why."""


def run(*command: str, stdin: str = "") -> str:
    """Return the output of a command.

    :raises Failed: it is not installed or fails; with the end of its error output.
    """
    try:
        done = subprocess.run(
            command,
            check=True,
            text=True,
            capture_output=True,
            input=stdin,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed on this host") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"{command[0]} ended with {error.returncode}: {error.stderr.strip()[-2000:]}") from error
    return done.stdout


def write(root: str, names: tuple[str, ...] | list[str]) -> None:
    """Write some of the files below *root*."""
    for name in names:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(FILES[name])
        os.chmod(path, 0o755 if FILES[name].startswith("#!") else 0o644)


def sources() -> list[str]:
    """Return the files with the package sources of this host, which has the same release."""
    found = ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*.list"))]
    found += sorted(glob.glob("/etc/apt/sources.list.d/*.sources"))
    return [path for path in found if os.path.isfile(path) and os.path.getsize(path)]


def proxies(path: str) -> str:
    """Write what apt's configuration on this host says of proxies to a file, as it may have passwords.

    :returns: the path; empty if it says nothing.
    """
    wanted = ("Acquire::http::Proxy", "Acquire::https::Proxy")
    lines = [line for line in run("apt-config", "dump").splitlines() if line.startswith(wanted)]
    if not lines:
        return ""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


def install(root: str) -> None:
    """Install the packages into the directory *root*, and add the files."""
    write(root, EARLY)
    early = [f'--setup-hook=mkdir -p "$1/{os.path.dirname(name)}" && cp {root}/{name} "$1/{name}"' for name in EARLY]
    system, proxy = f"{root}/system", proxies(f"{root}/proxies")
    run(
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *early,
        *([f"--aptopt={proxy}"] if proxy else []),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        SUITE,
        system,
        *sources(),
    )
    if not os.path.exists(f"{system}{AGENT}"):
        raise Failed(f"the packages bring no {AGENT}")
    write(system, list(FILES))
    for unit in MASKED:
        path = f"{system}/etc/systemd/system/{unit}"
        if os.path.lexists(path):
            os.remove(path)
        os.symlink("/dev/null", path)
    run("chroot", system, "systemctl", "enable", "amphora-netns.service", "octavia-agent-certs-ramfs.service")
    run("chroot", system, "systemctl", "enable", "octavia-agent.service", "systemd-networkd.service")
    run("chroot", system, "update-initramfs", "-u")
    # The first two are this host's, and each amphora makes its own of the others.
    own = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/sources.list", "etc/machine-id", "var/lib/dbus/machine-id")
    more = glob.glob("etc/apt/sources.list.d/*", root_dir=system)
    for name in (*own, *more, "etc/hostname", "etc/resolv.conf"):
        if os.path.lexists(f"{system}/{name}"):
            os.remove(f"{system}/{name}")
    with open(f"{system}/etc/machine-id", "w", encoding="utf-8") as file:
        file.write("uninitialized\n")


def only(pattern: str) -> str:
    """Return the one path that matches a pattern.

    :raises Failed: there is none, or more than one.
    """
    found = glob.glob(pattern)
    if len(found) != 1:
        raise Failed(f"expected one file {pattern}, found {len(found)}")
    return found[0]


def disk(system: str, work: str) -> str:
    """Make a bootable disk of the directory *system*; return the path of the qcow2 image."""
    raw, image = f"{work}/disk.raw", f"{work}/disk.qcow2"
    kernel, initrd = only(f"{system}/boot/vmlinuz-*"), only(f"{system}/boot/initrd.img-*")
    shutil.move(kernel, f"{work}/vmlinuz")
    shutil.move(initrd, f"{work}/initrd.img")
    with open(f"{work}/syslinux.cfg", "w", encoding="ascii") as file:
        file.write(SYSLINUX)
    start, size = BOOT_MIB + 1, SIZE_MIB - BOOT_MIB - 1
    with open(raw, "wb") as file:
        file.truncate(SIZE_MIB * MIB)
    run(
        *("mke2fs", "-q", "-F", "-t", "ext4", "-L", "amphora-root", "-m", "1"),
        *("-E", f"offset={start * MIB},root_owner=0:0", "-d", system, raw, f"{size}M"),
    )
    table = f"label: dos\nstart=1MiB, size={BOOT_MIB}MiB, type=c, bootable\nstart={start}MiB, size={size}MiB, type=83\n"
    run("sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", raw, stdin=table)
    with open("/usr/lib/syslinux/mbr/mbr.bin", "rb") as source, open(raw, "r+b") as target:
        target.write(source.read(440))
    boot = f"{raw}@@1M"
    # The header must say where the partition lies, or the boot loader does not find itself.
    run("mformat", "-i", boot, "-h", "255", "-s", "63", "-H", str(MIB // 512), "-T", str(BOOT_MIB * MIB // 512), "::")
    run("mcopy", "-i", boot, f"{work}/vmlinuz", f"{work}/initrd.img", f"{work}/syslinux.cfg", "::")
    run("syslinux", "--install", "--offset", str(MIB), raw)
    run("qemu-img", "convert", "-c", "-W", "-m", "4", "-f", "raw", "-O", "qcow2", raw, image)
    return image


def build(path: str) -> None:
    """Build the image and put it at *path* when it is complete."""
    os.umask(0o022)
    directory = os.path.dirname(os.path.abspath(path))
    os.makedirs(directory, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".amphora-", dir=directory) as work:
        os.chmod(work, 0o755)  # apt downloads as its own user
        install(work)
        installed = time.monotonic()
        os.replace(disk(f"{work}/system", work), path)
    print(f"packages {installed - started:.0f} s, disk {time.monotonic() - installed:.0f} s")


def main() -> None:
    """Build the image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the image to write, qcow2")
    try:
        build(parser.parse_args().file)
    except Failed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
