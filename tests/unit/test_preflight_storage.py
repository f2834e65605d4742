# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Preflight of back ends and their devices."""

from __future__ import annotations

import pytest
from preflight_site import (
    AT,
    CEPH,
    LVM,
    NFS,
    SWIFT,
    YML,
    both,
    check_one_error,
    device,
    given,
    put,
    stored,
    three_controllers,
)

CODED = {
    "name": "coded",
    "ec_type": "liberasurecode_rs_vand",
    "ec_num_data_fragments": 3,
    "ec_num_parity_fragments": 1,
}
GOLD = {"index": 0, "name": "gold"}


def given_ceph(*serves):
    """Return a change: the cloud has a Ceph that was there before, and that serves this."""

    def change(site):
        (site.directory / "ceph.conf").write_text("[global]\n")
        stored({**CEPH, "cluster": str(site.directory), "serves": list(serves)}, devices=0)(site)

    return change


# What is changed in a good input; and of the one finding that follows: where, found, allowed, to do.
BAD = {
    "a back end of an unknown kind": (
        stored({"name": "disks", "kind": "cehp"}),
        (f"{AT}[0].kind", "'cehp'", "ceph, file, lvm, nfs, swift", "'ceph'"),
    ),
    "a back end without a name": (
        stored({"kind": "nfs", "share": "192.0.2.20:/srv"}, devices=0),
        (f"{AT}[0]", "'name' is missing", "name: text", "Add it"),
    ),
    "a back end's key misspelt": (
        stored({**NFS, "shares": "x"}, devices=0),
        (f"{AT}[0]", "unknown key 'shares'", "share", "'share'"),
    ),
    "a back end's name that is no word": (
        stored({**NFS, "name": "My Storage"}, devices=0),
        (f"{AT}[0]", "'My Storage'", "lowercase letters", "Choose another"),
    ),
    "a back end with another kind's key": (
        stored({**NFS, "volume_group": "x"}, devices=0),
        (f"{AT}[0].volume_group", "volume_group for nfs", "share", "a kind other than nfs"),
    ),
    "a back end that serves nothing": (
        stored({**NFS, "serves": []}, devices=0),
        (f"{AT}[0].serves", "nothing", "volumes, backups", "Name what it serves"),
    ),
    "a back end that serves what there isn't": (
        stored({**NFS, "serves": ["volume"]}, devices=0),
        (f"{AT}[0].serves", "'volume'", "volumes, images", "'volumes'"),
    ),
    "a back end that can't serve that": (
        stored({**LVM, "serves": ["volumes", "images"]}, devices=0),
        (f"{AT}[0].serves", "images, which lvm can't serve", "volumes", "ceph or file"),
    ),
    "a default for what has no choice": (
        stored({**NFS, "serves": ["backups"], "default": True}, devices=0),
        (f"{AT}[0].default", "it serves backups", "volumes and images", "Remove the line"),
    ),
    "quality of service by whom there isn't": (
        stored({**NFS, "qos": {"consumer": "backend"}}, devices=0),
        (f"{AT}[0].qos.consumer", "'backend'", "front-end, back-end, both", "'back-end'"),
    ),
    "fewer than no images kept as volumes": (
        stored({**NFS, "image_cache": -1}, devices=0),
        (f"{AT}[0].image_cache", "-1", "a number of images", "Remove the line"),
    ),
    "a back end named like a section": (
        stored({**NFS, "name": "nova"}, devices=0),
        (f"{AT}[0]", "'nova'", "not audit, backend", "Choose another"),
    ),
    "NFS without its share": (
        stored({"name": "nfs", "kind": "nfs"}, devices=0),
        (f"{AT}[0].share", "nothing", "an export, SERVER:/PATH", "192.0.2.20:/srv/volumes"),
    ),
    "a share without its server": (
        stored({**NFS, "share": "/srv/volumes"}, devices=0),
        (f"{AT}[0].share", "'/srv/volumes'", "SERVER:/PATH", "192.0.2.20:/srv/volumes"),
    ),
    "volumes over a network that is none": (
        stored({**LVM, "networks": ["192.0.3.11/24"]}, devices=0),
        (f"{AT}[0].networks", "'192.0.3.11/24': 192.0.3.11/24 has host bits set", "CIDR", "192.0.2.0/24"),
    ),
    "images in a relative directory": (
        stored({"name": "files", "kind": "file", "path": "images"}, devices=0),
        (f"{AT}[0].path", "'images'", "an absolute path", "slash"),
    ),
    "no storage host": (
        given(cloud_storage=[LVM]),
        (f"{AT}[0]", "lvm, but no host in the group storage", "at least one", "Add the hosts"),
    ),
    "a back end on a host of another group": (
        stored({**LVM, "hosts": ["compute1"]}, devices=0),
        (f"{AT}[0].hosts", "'compute1'", "storage1", "group storage"),
    ),
    "a back end on a host that there isn't": (
        stored({**LVM, "hosts": ["storage11"]}, devices=0),
        (f"{AT}[0].hosts", "'storage11'", "storage1", "'storage1'"),
    ),
    "two back ends of one name": (
        stored(LVM, {**NFS, "name": "lvm"}, devices=0),
        (AT, "two back ends named lvm", "unique name", "Rename"),
    ),
    "two back ends of one type": (
        stored(LVM, {**NFS, "type": "lvm"}, devices=0),
        (AT, "two back ends with the type lvm", "a unique type for each", "another type"),
    ),
    "two defaults": (
        stored({**LVM, "default": True}, {**NFS, "default": True}, devices=0),
        (AT, "lvm and nfs, both the default for volumes", "one default", "for one of them only"),
    ),
    "two for backups": (
        stored({**NFS, "serves": ["backups"]}, {**NFS, "name": "other", "serves": ["backups"]}, devices=0),
        (AT, "nfs and other serve backups", "one back end", "Remove backups"),
    ),
    "two Cephs": (
        stored(CEPH, {**CEPH, "name": "fast", "serves": ["ephemeral"]}, devices=0),
        (AT, "ceph and fast, both ceph", "one back end of ceph", "Merge them"),
    ),
    "Ceph without devices": (
        stored(CEPH, devices=0),
        (f"{AT}[0]", "ceph with no device, for 2 replicas", "per replica", "storage_devices"),
    ),
    "fewer devices than copies": (
        stored({**CEPH, "replicas": 3}),
        (f"{AT}[0]", "ceph with 2 devices, for 3 replicas", "per replica", "lower replicas"),
    ),
    "one copy of all data": (
        stored({**CEPH, "replicas": 1}),
        (f"{AT}[0].replicas", "1", "2 to 10", "Three replicas survive"),
    ),
    "a Ceph that is there, without its keys": (
        stored({**CEPH, "cluster": "/nowhere"}, devices=0),
        (f"{AT}[0].cluster", "/nowhere without ceph.conf, ceph.client.cinder.keyring", "glance.keyring", "ceph auth"),
    ),
    "two for objects, of which one has the endpoint anyway": (
        stored({**CEPH, "serves": ["objects"], "hosts": ["storage1"]}, {**SWIFT, "serves": ["backups"]}, devices=0),
        (AT, "ceph and objects serve objects", "one back end", "Remove objects"),
    ),
    "objects in a Ceph that is there": (
        given_ceph("objects"),
        (f"{AT}[0].serves", "objects beside cluster", "that Cairn deploys", "Remove objects"),
    ),
    "storage that differs between hosts": (
        both(stored(NFS, devices=0), put("hosts", "compute", "compute1", "cloud_storage", to=[LVM])),
        ("cloud_storage (host compute1)", "a list of 1", "one value for the whole cloud", "group_vars/all.yml"),
    ),
    "a device by a relative path": (
        both(stored(CEPH), device(path="sdb")),
        ("storage_devices[0]", "sdb", "an absolute path", "/dev/disk/by-id"),
    ),
    "a device twice": (
        both(stored(CEPH), device(path="/dev/sdc")),
        ("storage_devices[1]", "/dev/sdc, which is listed twice", "each device once", "Remove one"),
    ),
    "a device without its path": (
        both(stored(CEPH), put("hosts", "storage", "storage1", "storage_devices", to=[{}])),
        ("storage_devices[0]", "'path' is missing", "path", "Add it"),
    ),
    "a device for no back end": (
        stored(NFS, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "uses it", "Add a back end"),
    ),
    "a device for one of two": (
        stored(CEPH, {"name": "objects", "kind": "swift"}, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "ceph, objects", "Add backend"),
    ),
    "a device for a back end that there isn't": (
        both(stored(CEPH, devices=3), device(backend="cehp")),
        ("storage_devices[0]", "for cehp, which is not in cloud_storage", "ceph", "'ceph'"),
    ),
    "a device for a back end that takes none": (
        both(stored(CEPH, NFS, devices=3), device(backend="nfs")),
        ("storage_devices[0]", "for nfs, which uses no device of storage1", "ceph", "Add the host"),
    ),
    "a device for LVM that does not say so": (
        stored(LVM, devices=1),
        ("storage_devices[0]", "/dev/sdb for no back end", "lvm", "Add backend"),
    ),
    "a file for LVM": (
        both(stored(LVM, devices=1), device(path="/srv/disk", size="10G", backend="lvm")),
        ("storage_devices[0]", "/srv/disk, a file for LVM", "a block device", "Use a disk"),
    ),
    "a size with a unit of its own": (
        both(stored(CEPH), device(path="/srv/osd", size="10 GB")),
        ("storage_devices[0]", "size 10 GB", "M, G or T", "10G"),
    ),
    "a device with a size": (
        both(stored(CEPH), device(size="10G")),
        ("storage_devices[0]", "/dev/sdb with a size", "files only", "Remove size"),
    ),
    "a section misspelt": (
        given(cloud_config={"keystone": {"keystone.conf": {"tokens": {"expiration": 60}}}}),
        (YML, "[tokens]: no such section; did you mean [token]?", "options of keystone", "Correct it"),
    ),
    "a file for Swift": (
        both(stored(SWIFT), device(path="/var/swift", size="10G")),
        ("storage_devices", "/var/swift with a size", "does not use files", "/srv/node/d1"),
    ),
    "two devices of one name for Swift": (
        both(stored(SWIFT), device(path="/dev/disk/by-path/sdc")),
        ("storage_devices", "a second device named sdc", "a unique name for each", "another link"),
    ),
    "a weight below nothing": (
        both(stored(SWIFT, devices=3), device(weight=-1)),
        ("storage_devices", "the weight -1", "0 or more", "drains"),
    ),
    "partitions without number": (
        stored({**SWIFT, "part_power": 40}),
        (f"{AT}[0].part_power", "40", "1 to 24", "Remove it"),
    ),
    "no first policy": (
        stored({**SWIFT, "policies": [{**GOLD, "index": 1}]}),
        (f"{AT}[0].policies", "no policy with the index 0", "one of them", "before policies"),
    ),
    "two policies of one index": (
        stored({**SWIFT, "policies": [GOLD, {**GOLD, "name": "silver"}]}),
        (f"{AT}[0].policies", "2 policies with the index 0", "one each", "Change one"),
    ),
    "two policies of one name": (
        stored({**SWIFT, "policies": [GOLD, {"index": 1, "name": "Gold"}]}),
        (f"{AT}[0].policies", "2 policies with the name gold", "one each", "Change one"),
    ),
    "two policies by default": (
        stored({**SWIFT, "policies": [{**GOLD, "default": True}, {"index": 1, "name": "tin", "default": True}]}),
        (f"{AT}[0].policies", "gold and tin, both the default", "one default", "Keep it"),
    ),
    "a policy that all get and none": (
        stored({**SWIFT, "policies": [{**GOLD, "default": True, "deprecated": True}]}),
        (f"{AT}[0].policies: gold", "deprecated, and the default", "one of them", "another policy"),
    ),
    "a policy's name with a blank": (
        stored({**SWIFT, "policies": [{"index": 0, "name": "pure gold"}]}),
        (f"{AT}[0].policies: pure gold", "'pure gold'", "letters, digits", "another"),
    ),
    "fragments without a scheme": (
        stored({**SWIFT, "policies": [{**GOLD, "ec_num_data_fragments": 2}]}),
        (f"{AT}[0].policies: gold", "ec_num_data_fragments without ec_type", "all three", "liberasurecode"),
    ),
    "a scheme without fragments": (
        stored({**SWIFT, "policies": [{**GOLD, "ec_type": "liberasurecode_rs_vand", "ec_num_data_fragments": 2}]}),
        (f"{AT}[0].policies: gold", "ec_type without ec_num_parity_fragments", "both", "Add ec_num_parity"),
    ),
    "more fragments than devices": (
        stored({**SWIFT, "policies": [GOLD, {**CODED, "index": 1}]}, devices=3),
        (f"{AT}[0]", "policy coded with 4 fragments on 3 devices", "for each", "lower the numbers"),
    ),
    "copies on devices without weight": (
        both(stored(SWIFT, devices=3), device(weight=0)),
        (
            f"{AT}[0]",
            "policy replicated with 3 replicas on 2 devices that have a weight",
            "for each",
            "storage_devices",
        ),
    ),
}


@pytest.mark.parametrize(("change", "parts"), BAD.values(), ids=BAD.keys())
def test_one_error(site, monkeypatch, change, parts):
    check_one_error(site, monkeypatch, change, parts)


def test_storage_of_many_kinds(site, monkeypatch):
    stored(CEPH, {**LVM, "type": "local", "qos": {"total_iops_sec": 500}}, NFS, devices=3)(site)
    assert site.said(monkeypatch).get("msg") is None


def test_options_of_a_back_end(site, monkeypatch):
    """Its section is known once the host's part is."""
    stored(CEPH)(site)
    options = {"cinder": {"cinder.conf": {"ceph": {"rbd_max_clone_depth": 3}}}}
    given(cloud_config=options, cloud_config_files={"glance": {"glance-api.conf": {"fs": None}}})(site)
    assert site.said(monkeypatch).get("msg") is None


def test_swift_on_folders_with_policies(site, monkeypatch):
    stored({**SWIFT, "policies": [GOLD, {**CODED, "index": 4}], "encryption": True}, devices=4)(site)
    for disk in site.hosts["storage"]["storage1"]["storage_devices"]:
        disk.update(path=disk["path"].replace("/dev/", "/srv/node/"), weight=50, zone=2)
    assert site.said(monkeypatch).get("msg") is None


class TestOwnDefinitions:
    """Files of the user's own in the directory catalog beside the inventory."""

    ACME = (
        "description: Volumes on an ACME array\n"
        "backend: {can: [volumes], keys: {san_ip: {required: true, example: 192.0.2.50}, pool: {}}}\n"
    )

    @pytest.fixture
    def said(self, site, monkeypatch):
        """Return what preflight says of files and of back ends."""

        def ask(files, *backends):
            (site.directory / "catalog").mkdir(exist_ok=True)
            for name, text in files.items():
                (site.directory / f"catalog/{name}.yml").write_text(text)
            site.all |= {"catalog_dir": str(site.directory / "catalog"), "cloud_storage": list(backends)}
            result = site.said(monkeypatch)
            return result.get("msg", "")

        return ask

    def test_a_kind_that_is_complete(self, said):
        assert said({"acme": self.ACME}, {"name": "gold", "kind": "acme", "san_ip": "192.0.2.50", "pool": "p"}) == ""

    def test_a_key_that_is_missing(self, said):
        words = said({"acme": self.ACME}, {"name": "gold", "kind": "acme"})
        assert "[0].san_ip" in words
        assert "san_ip, which acme needs" in words
        assert "as in 192.0.2.50" in words

    def test_a_key_that_no_kind_has(self, said):
        assert "unknown key 'sanip'" in said({"acme": self.ACME}, {"name": "gold", "kind": "acme", "sanip": "x"})

    def test_a_file_that_is_wrong(self, said):
        words = said({"acme": self.ACME.replace("can:", "cann:"), "lamp": "description: [\n"})
        assert "catalog/acme.yml: catalog_acme.backend" in words
        assert "catalog/lamp.yml" in words

    def test_two_files_of_one_definition(self, said, site):
        (site.directory / "catalog").mkdir()
        (site.directory / "catalog/acme.yaml").write_text(self.ACME)
        assert "catalog/acme.yml\n   found    acme.yaml beside it" in said({"acme": self.ACME})

    def test_the_other_ending(self, said, site):
        (site.directory / "catalog").mkdir()
        (site.directory / "catalog/lamp.yaml").write_text("descripton: Light\n")
        assert "Did you mean 'description'?" in said({})

    def test_a_directory_that_is_not_there(self, site, monkeypatch):
        site.all["catalog_dir"] = str(site.directory / "catalogue")
        assert "no directory" in site.said(monkeypatch)["msg"]

    def test_a_back_end_whose_kind_is_removed(self, said):
        words = said({"acme": f"{self.ACME}state: absent\n"}, {"name": "gold", "kind": "acme", "san_ip": "192.0.2.50"})
        assert "cloud_storage[0].kind" in words
        assert "acme, whose service definition has state: absent" in words

    def test_a_contribution_to_a_file_that_is_misspelt(self, said):
        words = said({"lamp": "description: Light\ncontributes: {nova: {config: {nova.cnf: {DEFAULT: {x: y}}}}}\n"})
        assert "catalog_lamp.contributes.nova.config" in words
        assert "Did you mean 'nova.conf'?" in words

    def test_a_contributed_unit_of_another(self, said):
        words = said({"lamp": "description: Light\ncontributes: {nova: {units: [{name: apache2}]}}\n"})
        assert "unit apache2" in words
        assert "horizon and nova" in words

    @pytest.mark.parametrize(
        "text",
        [
            # a unit of Swift, which this cloud does not have
            "units: [{name: swift-object, groups: [storage]}]\n",
            "state: absent\nunits: [{name: apache2}]\n",
            """contributes:
  nova: {units: [{name: iscsid, groups: [compute]}]}
  cinder: {units: [{name: iscsid, groups: [storage]}]}
""",
            "units: [{name: apache2, groups: [compute]}]\nports: [{port: 3306, groups: [compute], from: [any]}]\n",
            # a file of Glance's own
            "contributes: {glance: {config: {glance-image-import.conf: {a: {b: c}}}}}\n",
            "ports: [{port: 3306, when: false, from: [any]}]\n",
            "ports: [{port: 3306, interface: eth1, from: [any]}]\n",
        ],
    )
    def test_what_only_resembles_an_error(self, said, text):
        assert said({"lamp": f"description: Light\n{text}"}) == ""

    def test_node_groups_that_meet_on_one_host(self, said, site):
        """The same unit, or port, of two definitions is an error only where a host has both."""
        site.hosts["compute"]["controller1"] = {}
        text = "description: Light\nunits: [{name: apache2, groups: [compute]}]\n"
        words = said({"lamp": f"{text}ports: [{{port: 3306, groups: [compute], from: [any]}}]\n"})
        assert "unit apache2" in words
        assert "port 3306\n   found    lamp and mariadb" in words

    def test_a_kind_without_its_back_end(self, site, monkeypatch):
        stored(NFS)(site)
        site.all["catalog_nfs"] = {"description": "x", "state": "absent"}
        assert "cloud_storage" in site.said(monkeypatch)["msg"]

    def test_a_template_in_the_default_of_a_back_ends_key(self, said):
        text = self.ACME.replace("pool: {}", "pool: {default: '{{ cloud_name }}'}")
        assert "catalog_acme.backend.keys.pool.default" in said({"acme": text})

    def test_a_contribution_to_nobody(self, said):
        words = said({"lamp": "description: Light\ncontributes: {horizn: {packages: {controller: [x]}}}\n"})
        assert "unknown definition 'horizn'" in words
        assert "'horizon'" in words

    def test_a_unit_of_another(self, said):
        words = said({"lamp": "description: Light\nunits: [{name: apache2}]\n"})
        assert "unit apache2" in words
        assert "one definition for each unit" in words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("packages:\n", "catalog_lamp.packages"),
            ("contributes: {nova: null}\n", "catalog_lamp.contributes.nova"),
            ("config: {lamp.conf: {debug: true}}\n", "section → option"),
            ("contributes: {nova: {config: {nova.conf: {debug: true}}}}\n", "section → option"),
            ("files: {lamp.conf: {auth: [keystone_authtoken]}}\n", "auth, and no identity"),
            ("files: {lamp.conf: {messaging: true}}\n", "messaging, and no user"),
            ("ports: [{port: 1, from: [node]}]\n", "'nodes'"),
            ("state: absen\n", "present, absent"),
            ("state: \"{{ 'gone' }}\"\n", "allowed is present or absent"),
        ],
    )
    def test_what_would_fail_later(self, said, text, words):
        assert words in said({"lamp": f"description: Light\n{text}"})


@pytest.mark.parametrize(
    ("backends", "warned"),
    [
        ([], True),
        ([NFS], True),
        ([CEPH], False),
        ([{"name": "shared", "kind": "file", "path": "/srv/images"}], False),
    ],
)
def test_images_on_one_of_three_controllers(site, monkeypatch, backends, warned):
    """Each has a directory of its own: which image is there, depends on who received it."""
    three_controllers(site)
    site.all["cloud_internal_address"] = "192.0.2.9"
    stored(*backends)(site)
    if backends != [CEPH]:
        del site.hosts["storage"]
    assert site.said(monkeypatch).get("msg") is None
    found = [text for text in site.warnings if "no back end for images" in text]
    assert ["kind: file, path: DIRECTORY" in text for text in found] == [True] * warned


@pytest.mark.parametrize(
    ("several", "serves", "refused"), [(True, [], True), (True, ["metrics"], False), (False, [], False)]
)
def test_metrics_on_one_of_three_controllers(site, monkeypatch, several, serves, refused):
    """One of them would keep what others never see."""
    if several:
        three_controllers(site)
        site.all["cloud_internal_address"] = "192.0.2.9"
    site.all["cloud_services"] = ["gnocchi"]
    stored({**CEPH, "serves": ["volumes", "images", *serves]})(site)
    said = site.said(monkeypatch).get("msg") or ""
    assert ("gnocchi on several controllers, and no back end that serves metrics" in said) == refused
    assert refused or not said


@pytest.mark.parametrize(("serves", "refused"), [([], True), (["shares"], False)])
def test_a_service_that_needs_storage_on_one_controller_too(site, monkeypatch, serves, refused):
    site.all["cloud_services"] = ["manila"]
    stored({**CEPH, "serves": ["volumes", "images", *serves]})(site)
    said = site.said(monkeypatch).get("msg") or ""
    assert ("manila, and no back end that serves shares" in said) == refused
    assert ("Add shares to the serves of a back end of ceph" in said) == refused
    assert refused or not said
