# Written by `cargo xtask declarations` out of wit/device.wit.
"""Facts about this machine, without people and without secrets. Names are osquery's.

Class: L0. Reads.
Scope: none.
Dry run: as in enforce; `get-reboot-state` counts what planned changes would leave pending.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msp.automation._host import U32, U64, host
from msp.automation.types import TimestampMs, Attributes


class Platform(StrEnum):
    """The family of the operating system. Closed: what is none of these is `other`, and `os-info.name` says what."""

    LINUX = "linux"
    WINDOWS = "windows"
    MACOS = "macos"
    OTHER = "other"


@dataclass(kw_only=True, slots=True)
class Identity:
    """Who this device is for the MSP."""

    device_id: str
    """`dev_` and a ULID; never a hostname. Of a host that was never enrolled: made once, and kept."""
    client_id: str
    """The customer; empty where the host was never enrolled."""
    site_id: str
    """The customer's place; empty where the host was never enrolled."""
    hostname: str
    """As the system says it."""
    role: str
    """`workstation`, `laptop`, `server`, `domain-controller`, `hypervisor`, `kiosk`, `container`, or a word of the MSP."""
    tags: list[str] = field(default_factory=list)
    """The MSP's tags."""
    timezone: str
    """IANA name."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `domain`, `entra-tenant`, `agent-version`, `enrolled-ms`, `warranty-end-ms`."""


@dataclass(kw_only=True, slots=True)
class OsInfo:
    """osquery `os_version`."""

    platform: Platform
    """The family."""
    name: str
    """`Debian GNU/Linux`, `Microsoft Windows 11 Pro`."""
    version: str
    """`12.7`, `10.0.26100`."""
    build: str
    """Build or point release; may be empty."""
    arch: str
    """`x86_64`, `aarch64`."""
    kernel: str
    """The running kernel's version."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `id`, `codename`, `edition`, `installed-ms`, `end-of-life-ms`, `id-like`."""


@dataclass(kw_only=True, slots=True)
class HardwareInfo:
    """osquery `system_info`."""

    vendor: str
    """Maker, as the firmware says it; may be empty."""
    model: str
    """Model; may be empty."""
    serial: str
    """Serial number; may be empty."""
    uuid: str
    """SMBIOS or machine UUID; may be empty."""
    cpu_brand: str
    """Processor."""
    physical_cores: U32
    """Cores."""
    logical_cores: U32
    """Hardware threads."""
    memory_bytes: U64
    """Installed memory."""
    is_virtual: bool
    """Whether a hypervisor or container runtime was recognised; `attributes` says which (`hypervisor`, in the words of
    systemd-detect-virt).
    """
    attributes: Attributes = field(default_factory=dict)
    """More by name: `tpm-version`, `secure-boot`, `bios-version`, `chassis`, `hypervisor`."""


@dataclass(kw_only=True, slots=True)
class Volume:
    """A mounted file system that holds data (osquery `mounts`); pseudo file systems are left out, and what is mounted in
    several places is listed once, at its shortest mount point.
    """

    mount: str
    """Mount point or drive letter."""
    device: str
    """The device behind it."""
    filesystem: str
    """`ext4`, `ntfs`, `apfs`."""
    size_bytes: U64
    """Size."""
    free_bytes: U64
    """What an unprivileged writer may still use."""
    free_inodes: U64 | None = None
    """Inodes left; none where there is no such limit."""
    read_only: bool
    """Whether writing is possible at all."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `label`, `encrypted`, `removable`, `smart`, and `error` where the sizes could not be read: they are 0 then."""


@dataclass(kw_only=True, slots=True)
class NetworkInterface:
    """A network interface (osquery `interface_details`, `interface_addresses`)."""

    name: str
    """`eth0`, `Ethernet 2`."""
    mac: str
    """Lower-case, with colons; empty where there is none."""
    addresses: list[str] = field(default_factory=list)
    """CIDR form, both families."""
    up: bool
    """Whether it carries traffic."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `gateway`, `dns`, `dhcp`, `mtu`, `speed-mbps`, `ssid`."""


@dataclass(kw_only=True, slots=True)
class LoadInfo:
    """How busy the machine is now."""

    cpu_percent: float
    """0 to 100, all cores together, since boot or the last sample of the host."""
    load_average: float
    """One-minute load average; 0 where the platform has none."""
    memory_used_bytes: U64
    """Memory in use, caches not counted."""
    memory_total_bytes: U64
    """Installed memory."""
    swap_used_bytes: U64
    """Swap in use."""
    uptime_seconds: U64
    """Since boot."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `swap-total-bytes`, `pressure-memory`, `processes`."""


@dataclass(kw_only=True, slots=True)
class RebootState:
    """Whether a reboot is due."""

    pending: bool
    """Whether one is."""
    reasons: list[str] = field(default_factory=list)
    """Why, each a word: `kernel`, `package-manager`, `services-stale`, `cbs`,
    `windows-update`, `pending-file-rename`, `computer-rename`, `domain-join`.
    """
    booted_ms: TimestampMs
    """When this boot began."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `since-ms`, `packages`, `services`, `running-kernel`, `installed-kernel`,
    `planned` where a planned change is the reason.
    """


@host("device")
def get_identity() -> Identity:
    """Who this device is.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def get_os() -> OsInfo:
    """Its operating system.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def get_hardware() -> HardwareInfo:
    """Its hardware.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def list_volumes() -> list[Volume]:
    """Its volumes, at most 256.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def list_network_interfaces() -> list[NetworkInterface]:
    """Its network interfaces, at most 256.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def get_load() -> LoadInfo:
    """How busy it is.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("device")
def get_reboot_state() -> RebootState:
    """Whether it waits for a reboot.

    Raises `HostError`.
    """
    raise NotImplementedError
