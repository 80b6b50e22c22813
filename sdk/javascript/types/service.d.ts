// Written by `cargo xtask declarations` out of wit/service.wit.

/**
 * Services: systemd units of type service, SysV scripts where there is no systemd, SCM services, launchd jobs.
 *
 * Class: L1. Reads.
 * Scope: globs of names, without `.service`: `service [nginx, postgresql*]`; `service [*]` for all.
 * Dry run: as in enforce; states planned earlier in the run are overlaid.
 */
declare module "msp:automation/service" {
  import type { TimestampMs, Attributes, ReceivedAttributes, StartType } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes, StartType };

  /**
   * SCM's states; systemd's `active` is running, `activating` is start-pending. Closed: what is none of these is `other`, and the
   * platform's own word is in the attribute `sub-state`. A SysV script that cannot tell is `other` too.
   */
  export type ServiceState = "running" | "stopped" | "start-pending" | "stop-pending" | "paused" | "failed" | "other";

  /** A service. */
  export interface ServiceInfo {
    /** Its name, without `.service`. A service that was asked for by another name of its own has its first name here. */
    name: string;
    /** What people call it. */
    displayName: string;
    /** How it is. */
    state: ServiceState;
    /** When it starts. */
    startType: StartType;
    /** Its main process, while there is one. */
    pid: number | undefined;
    /** When it entered this state, where the platform remembers. */
    sinceMs: TimestampMs | undefined;
    /**
     * More by name, where it is known: `manager` (`systemd`, `sysv`), `type` (systemd's), `runs-once` (`true`: it is `stopped` again when
     * it has done its work), `sub-state`, `result`, `exit-code`, `restarts`, `account`, `binary`, `memory-bytes`, `unit-file-state`,
     * `reload` (`true` where it can), and from `get-service` alone `own` (`true`: the agent itself) and `needed-by`: the running services
     * that would stop with it, parted by blanks, `*` at the end for more than 4 KiB of them.
     */
    attributes: ReceivedAttributes;
  }

  /**
   * Services in the scope, at most 2,000, by name.
   *
   * @throws {HostError}
   */
  export function listServices(): ServiceInfo[];

  /**
   * One of them. Outside the scope: `denied`; no such: `not-found`; no plain name (`nginx.service`, `../x`): `invalid`, code `name`.
   *
   * @throws {HostError}
   */
  export function getService(name: string): ServiceInfo;

  /**
   * Names of the services that this one needs itself, at most 256; those outside the scope are named too.
   *
   * @throws {HostError}
   */
  export function listDependencies(name: string): string[];

  export {};
}
