// Written by `cargo xtask declarations` out of wit/device.wit.

/**
 * Facts about this machine, without people and without secrets. Names are osquery's.
 *
 * Class: L0. Reads.
 * Scope: none.
 * Dry run: as in enforce; `get-reboot-state` counts what planned changes would leave pending.
 */
declare module "msp:automation/device" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /** The family of the operating system. Closed: what is none of these is `other`, and `os-info.name` says what. */
  export type Platform = "linux" | "windows" | "macos" | "other";

  /** Who this device is for the MSP. */
  export interface Identity {
    /** `dev_` and a ULID; never a hostname. Of a host that was never enrolled: made once, and kept. */
    deviceId: string;
    /** The customer; empty where the host was never enrolled. */
    clientId: string;
    /** The customer's place; empty where the host was never enrolled. */
    siteId: string;
    /** As the system says it. */
    hostname: string;
    /** `workstation`, `laptop`, `server`, `domain-controller`, `hypervisor`, `kiosk`, `container`, or a word of the MSP. */
    role: string;
    /** The MSP's tags. */
    tags: string[];
    /** IANA name. */
    timezone: string;
    /** More by name: `domain`, `entra-tenant`, `agent-version`, `enrolled-ms`, `warranty-end-ms`. */
    attributes: ReceivedAttributes;
  }

  /** osquery `os_version`. */
  export interface OsInfo {
    /** The family. */
    platform: Platform;
    /** `Debian GNU/Linux`, `Microsoft Windows 11 Pro`. */
    name: string;
    /** `12.7`, `10.0.26100`. */
    version: string;
    /** Build or point release; may be empty. */
    build: string;
    /** `x86_64`, `aarch64`. */
    arch: string;
    /** The running kernel's version. */
    kernel: string;
    /** More by name: `id`, `codename`, `edition`, `installed-ms`, `end-of-life-ms`, `id-like`. */
    attributes: ReceivedAttributes;
  }

  /** osquery `system_info`. */
  export interface HardwareInfo {
    /** Maker, as the firmware says it; may be empty. */
    vendor: string;
    /** Model; may be empty. */
    model: string;
    /** Serial number; may be empty. */
    serial: string;
    /** SMBIOS or machine UUID; may be empty. */
    uuid: string;
    /** Processor. */
    cpuBrand: string;
    /** Cores. */
    physicalCores: number;
    /** Hardware threads. */
    logicalCores: number;
    /** Installed memory. */
    memoryBytes: number;
    /**
     * Whether a hypervisor or container runtime was recognised; `attributes` says which (`hypervisor`, in the words of
     * systemd-detect-virt).
     */
    isVirtual: boolean;
    /** More by name: `tpm-version`, `secure-boot`, `bios-version`, `chassis`, `hypervisor`. */
    attributes: ReceivedAttributes;
  }

  /**
   * A mounted file system that holds data (osquery `mounts`); pseudo file systems are left out, and what is mounted in
   * several places is listed once, at its shortest mount point.
   */
  export interface Volume {
    /** Mount point or drive letter. */
    mount: string;
    /** The device behind it. */
    device: string;
    /** `ext4`, `ntfs`, `apfs`. */
    filesystem: string;
    /** Size. */
    sizeBytes: number;
    /** What an unprivileged writer may still use. */
    freeBytes: number;
    /** Inodes left; none where there is no such limit. */
    freeInodes: number | undefined;
    /** Whether writing is possible at all. */
    readOnly: boolean;
    /** More by name: `label`, `encrypted`, `removable`, `smart`, and `error` where the sizes could not be read: they are 0 then. */
    attributes: ReceivedAttributes;
  }

  /** A network interface (osquery `interface_details`, `interface_addresses`). */
  export interface NetworkInterface {
    /** `eth0`, `Ethernet 2`. */
    name: string;
    /** Lower-case, with colons; empty where there is none. */
    mac: string;
    /** CIDR form, both families. */
    addresses: string[];
    /** Whether it carries traffic. */
    up: boolean;
    /** More by name: `gateway`, `dns`, `dhcp`, `mtu`, `speed-mbps`, `ssid`. */
    attributes: ReceivedAttributes;
  }

  /** How busy the machine is now. */
  export interface LoadInfo {
    /** 0 to 100, all cores together, since boot or the last sample of the host. */
    cpuPercent: number;
    /** One-minute load average; 0 where the platform has none. */
    loadAverage: number;
    /** Memory in use, caches not counted. */
    memoryUsedBytes: number;
    /** Installed memory. */
    memoryTotalBytes: number;
    /** Swap in use. */
    swapUsedBytes: number;
    /** Since boot. */
    uptimeSeconds: number;
    /** More by name: `swap-total-bytes`, `pressure-memory`, `processes`. */
    attributes: ReceivedAttributes;
  }

  /** Whether a reboot is due. */
  export interface RebootState {
    /** Whether one is. */
    pending: boolean;
    /**
     * Why, each a word: `kernel`, `package-manager`, `services-stale`, `cbs`,
     * `windows-update`, `pending-file-rename`, `computer-rename`, `domain-join`.
     */
    reasons: string[];
    /** When this boot began. */
    bootedMs: TimestampMs;
    /**
     * More by name: `since-ms`, `packages`, `services`, `running-kernel`, `installed-kernel`,
     * `planned` where a planned change is the reason.
     */
    attributes: ReceivedAttributes;
  }

  /**
   * Who this device is.
   *
   * @throws {HostError}
   */
  export function getIdentity(): Identity;

  /**
   * Its operating system.
   *
   * @throws {HostError}
   */
  export function getOs(): OsInfo;

  /**
   * Its hardware.
   *
   * @throws {HostError}
   */
  export function getHardware(): HardwareInfo;

  /**
   * Its volumes, at most 256.
   *
   * @throws {HostError}
   */
  export function listVolumes(): Volume[];

  /**
   * Its network interfaces, at most 256.
   *
   * @throws {HostError}
   */
  export function listNetworkInterfaces(): NetworkInterface[];

  /**
   * How busy it is.
   *
   * @throws {HostError}
   */
  export function getLoad(): LoadInfo;

  /**
   * Whether it waits for a reboot.
   *
   * @throws {HostError}
   */
  export function getRebootState(): RebootState;

  export {};
}
