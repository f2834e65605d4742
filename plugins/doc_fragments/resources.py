# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be declared of a cloud."""

from __future__ import annotations


class ModuleDocFragment:
    """The lists of the module ``resources``."""

    DOCUMENTATION = r"""
options:
  projects:
    description: Projects.
    type: list
    elements: dict
    default: []
    suboptions:
      name: &name
        description: Its name.
        type: str
        required: true
      state: &state
        description: Whether it shall be there. V(absent) deletes it.
        type: str
        choices: [present, absent]
        default: present
      domain: &domain
        description: The domain, also that of a named project.
        type: str
        default: Default
      description: &description
        description: What people read about it.
        type: str
      quota:
        description: Limits; those that are not given are left alone. -1 is no limit.
        type: dict
        suboptions:
          compute:
            description: Nova's, such as C(instances), C(cores), C(ram) in MiB.
            type: dict
          network:
            description: Neutron's, such as C(network), C(router), C(floatingip).
            type: dict
          volume:
            description: Cinder's, such as C(volumes), C(gigabytes).
            type: dict
  users:
    description: Users, and what they may do on one project each. Give a user again for a further project.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      domain: *domain
      description: *description
      email:
        description: Address of mail.
        type: str
      password:
        description: Set when the user is made, never again.
        type: str
      project:
        description: The project of O(users[].roles).
        type: str
      roles:
        description: Roles to grant; others are left alone.
        type: list
        elements: str
        default: []
  flavors:
    description: Flavors. Sizes can't be changed later.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      ram:
        description: Memory in MiB.
        type: int
      vcpus:
        description: Virtual processors.
        type: int
      disk:
        description: Root disk in GiB; 0 for the image's own size.
        type: int
      public:
        description: Whether every project may use it; so it is if nothing is given.
        type: bool
      extra_specs:
        description: Extra specs; null removes one.
        type: dict
  aggregates:
    description: Host aggregates.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      zone:
        description: The availability zone that the aggregate is.
        type: str
      hosts:
        description:
          - All hosts of the aggregate, as Nova or the inventory names them. Others leave it.
          - A host that joins an aggregate with a zone leaves that of another zone.
        type: list
        elements: str
      metadata:
        description: Metadata; null removes a key.
        type: dict
  volume_types:
    description: Volume types.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      description: *description
      public:
        description: Whether every project may use it; so it is if nothing is given.
        type: bool
      extra_specs:
        description: Extra specs, such as C(volume_backend_name); null removes one.
        type: dict
      qos:
        description:
          - Limits as Cinder names them, such as C(total_iops_sec); null removes one.
          - C(consumer) is V(front-end) (the hypervisor) unless it is V(back-end) or V(both).
        type: dict
  images:
    description: Images of the administrator's project.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      file:
        description:
          - Path of the image on the control node. It is copied to the host only if the cloud lacks the image.
          - If its content has changed, a new image takes the name, and the old one is hidden under another.
        type: str
      url:
        description: Where the host fetches the image, without O(images[].file), if the cloud has none of that name.
        type: str
      sha512:
        description: Digest of the content. With O(images[].file) it is computed.
        type: str
      disk_format:
        description: Format of the disk.
        type: str
        default: qcow2
      container_format:
        description: Format of the container.
        type: str
        default: bare
      visibility:
        description: Who may use it.
        type: str
        choices: [public, private, shared, community]
      min_disk:
        description: The smallest disk for it, in GiB.
        type: int
      min_ram:
        description: The smallest memory for it, in MiB.
        type: int
      properties:
        description: Properties; null removes one.
        type: dict
  networks:
    description: Networks.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      domain: *domain
      project: &project
        description: The project that owns it; the administrator's if nothing is given.
        type: str
      external:
        description: Whether routers may have their gateway there.
        type: bool
      shared:
        description: Whether every project may use it.
        type: bool
      network_type:
        description: C(flat), C(vlan), C(vxlan), …; the cloud's choice if nothing is given.
        type: str
      physical_network:
        description: The physical network of a flat or VLAN network.
        type: str
      segment:
        description: The VLAN's or tunnel's number.
        type: int
      mtu:
        description: Largest packet in bytes.
        type: int
      subnets:
        description: Subnets; others that the network has are left alone.
        type: list
        elements: dict
        default: []
        suboptions:
          name: *name
          cidr:
            description: The addresses in CIDR form.
            type: str
            required: true
          gateway:
            description: The gateway's address; the first one if nothing is given, V(none) for no gateway.
            type: str
          pools:
            description: The addresses that are handed out, each as first-last.
            type: list
            elements: str
          dns:
            description: Name servers.
            type: list
            elements: str
          dhcp:
            description: Whether machines get their address by DHCP; so it is if nothing is given.
            type: bool
  routers:
    description: Routers.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      domain: *domain
      project: *project
      external_network:
        description: Name of the external network with its gateway.
        type: str
      subnets:
        description: Names of subnets that it connects; others are left alone.
        type: list
        elements: str
        default: []
"""
