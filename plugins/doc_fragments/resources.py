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
        description: Name of the object.
        type: str
        required: true
      state: &state
        description: Whether the object should exist. V(absent) deletes it.
        type: str
        choices: [present, absent]
        default: present
      domain: &domain
        description: Domain of the object, and of a named project.
        type: str
        default: Default
      description: &description
        description: Description of the object.
        type: str
      quota:
        description: Quotas; those not given are left unchanged. -1 is no limit.
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
    description: Users with their roles on one project each. Repeat a user for a further project.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      domain: *domain
      description: *description
      email:
        description: Email address.
        type: str
      password:
        description: Password, set only when the user is created.
        type: str
      project:
        description: The project of O(users[].roles).
        type: str
      roles: &roles
        description: Roles to grant; others are left unchanged.
        type: list
        elements: str
        default: []
  groups:
    description:
      - Groups with their roles on one project each. Repeat a group for a further project.
      - Those of a domain with a directory must exist there.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      domain: *domain
      description: *description
      project:
        description: The project of O(groups[].roles).
        type: str
      roles: *roles
  flavors:
    description: Flavors. Sizes cannot be changed later.
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
        description: Virtual CPUs.
        type: int
      disk:
        description: Root disk in GiB; 0 for the size of the image.
        type: int
      public:
        description: Whether every project may use it; true by default.
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
        description: Availability zone of the aggregate.
        type: str
      hosts:
        description:
          - All hosts of the aggregate, by their names in Nova or in the inventory. Others are removed from it.
          - A host that is added to an aggregate with a zone is removed from one with another zone.
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
        description: Whether every project may use it; true by default.
        type: bool
      extra_specs:
        description: Extra specs, such as C(volume_backend_name); null removes one.
        type: dict
      qos:
        description:
          - QoS specs of Cinder, such as C(total_iops_sec); null removes one.
          - C(consumer) is V(front-end) (the hypervisor, the default), V(back-end) or V(both).
        type: dict
      encryption:
        description:
          - Encrypt volumes of this type, with keys from the key manager. Cinder refuses a change while there are any.
        type: dict
        suboptions:
          provider:
            description: Format, such as V(luks) or V(luks2).
            type: str
            default: luks
          cipher:
            description: Cipher and mode.
            type: str
            default: aes-xts-plain64
          key_size:
            description: Bits of the key.
            type: int
            default: 256
          control_location:
            description: Whether the hypervisor encrypts, V(front-end), or the back end.
            type: str
            choices: [front-end, back-end]
            default: front-end
  images:
    description: Images of the admin project.
    type: list
    elements: dict
    default: []
    suboptions:
      name: *name
      state: *state
      file:
        description:
          - Path of the image on the control node. It is copied to the host only if the cloud lacks the image.
          - If its content has changed, a new image gets the name, and the old one is renamed and hidden.
        type: str
      url:
        description: URL to download the image from, without O(images[].file), if the cloud has none of that name.
        type: str
      sha512:
        description: SHA-512 digest of the content. With O(images[].file) it is computed.
        type: str
      disk_format:
        description: Disk format.
        type: str
        default: qcow2
      container_format:
        description: Container format.
        type: str
        default: bare
      visibility:
        description: Who may use it.
        type: str
        choices: [public, private, shared, community]
      min_disk:
        description: Minimum disk in GiB.
        type: int
      min_ram:
        description: Minimum memory in MiB.
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
        description: The project that owns it; the admin project by default.
        type: str
      external:
        description: Whether routers may use it as their external gateway.
        type: bool
      shared:
        description: Whether every project may use it.
        type: bool
      network_type:
        description: C(flat), C(vlan), C(vxlan) or another type; Neutron's default if not given.
        type: str
      physical_network:
        description: The physical network of a flat or VLAN network.
        type: str
      segment:
        description: VLAN ID or tunnel ID.
        type: int
      mtu:
        description: MTU in bytes.
        type: int
      subnets:
        description: Subnets; others of the network are left unchanged.
        type: list
        elements: dict
        default: []
        suboptions:
          name: *name
          cidr:
            description: Network in CIDR notation.
            type: str
            required: true
          gateway:
            description: Address of the gateway; the first address by default, V(none) for no gateway.
            type: str
          pools:
            description: Allocation pools, each as first-last.
            type: list
            elements: str
          dns:
            description: Name servers.
            type: list
            elements: str
          dhcp:
            description: Whether DHCP is enabled; true by default.
            type: bool
  prices:
    description: Prices of an hour, by which CloudKitty rates projects.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the flavor or volume type. Of floating IPs and images there is one price, with any name.
        type: str
        required: true
      state: *state
      of:
        description: What has the price. That of a volume type or an image is for each GiB.
        type: str
        required: true
        choices: [flavor, floating_ip, image, volume_type]
      price:
        description: The price, required unless C(state=absent).
        type: float
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
        description: Name of the external network for its gateway.
        type: str
      subnets:
        description: Names of subnets to connect; others are left unchanged.
        type: list
        elements: str
        default: []
"""
