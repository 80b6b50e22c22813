// Written by `cargo xtask declarations` out of wit/process-control.wit.

/**
 * Ends processes. Cannot be undone.
 *
 * Class: L3. Changes.
 * Scope: globs, as `process`; never pid 1, the agent and its parents, or a kernel thread (`denied`, code `protected`): `process-control [chrome]`.
 * Dry run: `planned`; later reads in the run leave the process out.
 */
declare module "msp:automation/process-control" {
  import type { TimestampMs, Change } from "msp:automation/types";
  export type { TimestampMs, Change };

  /**
   * Asks it to end (SIGTERM, WM_CLOSE), and after `grace-ms` (at most 60,000) ends it. `unchanged` where it is gone; `conflict`, code
   * `started`, where the pid now belongs to a process that started at another time. `before` and `after` are `running` and `ended`;
   * the attribute `signal` says which did it.
   *
   * @throws {HostError}
   */
  export function terminateProcess(pid: number, startedMs: TimestampMs, graceMs: number): Change;

  export {};
}
