// Written by `cargo xtask declarations` out of wit/command-change.wit.

/**
 * Runs command templates of host policy that change something. Cannot be undone by the host.
 *
 * Class: L3, or L4 where the template says so. Changes.
 * Scope: names of templates: `command-change [trim]`; one of class L4 is allowed by its name only, not by `*`.
 * Dry run: `planned`, no output; what the command would do is unknown, so the plan is incomplete from there.
 */
declare module "msp:automation/command-change" {
  import type { Attributes, ReceivedAttributes, CommandOutput, Change } from "msp:automation/types";
  export type { Attributes, ReceivedAttributes, CommandOutput, Change };

  /** What became of it. Closed: grows in `output` and `change`. */
  export interface Ran {
    /** What it left; none in a dry run. */
    output: CommandOutput | undefined;
    /** `changed` where it ran, whatever its exit status. `after` is `ran`. */
    change: Change;
  }

  /**
   * As `run-command` of `command`.
   *
   * @throws {HostError}
   */
  export function runCommand(template: string, arguments: Attributes | null | undefined, timeoutMs: number): Ran;

  export {};
}
