// Written by `cargo xtask declarations` out of wit/process.wit.

/**
 * Processes (osquery `processes`), without command lines: those hold secrets.
 *
 * Class: L1. Reads.
 * Scope: globs of process names: `process [nginx, java*]`; `process [*]` for all.
 * Dry run: as in enforce; processes planned to end earlier in the run are left out.
 */
declare module "msp:automation/process" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /** A process. (pid, started-ms) names it; a pid alone is used again. */
  export interface ProcessInfo {
    /** Process id. */
    pid: number;
    /** Its parent's. */
    parentPid: number;
    /** Name of the program, as the kernel has it (Linux: at most 15 bytes). */
    name: string;
    /** Path of the program; empty where the host may not see it. A person's home in it is masked like their name. */
    path: string;
    /**
     * Account that it runs as; a person's name is masked unless `device-people` is granted too: `person-` and a number that is
     * the same for the same person on this device.
     */
    user: string;
    /** When it started. */
    startedMs: TimestampMs;
    /** Processor time so far. */
    cpuMs: number;
    /** Memory in RAM. */
    residentBytes: number;
    /**
     * More by name, where it is known: `state` (Linux's letter), `threads`, `cgroup`, `service`, `nice`, and `protected`: why nobody may
     * end it (`init`, `agent`, `kernel`).
     */
    attributes: ReceivedAttributes;
  }

  /**
   * Processes in the scope, at most 5,000, by pid.
   *
   * @throws {HostError}
   */
  export function listProcesses(): ProcessInfo[];

  /**
   * The one that has this pid now. Outside the scope: `denied`; none: `not-found`.
   *
   * @throws {HostError}
   */
  export function getProcess(pid: number): ProcessInfo;

  export {};
}
