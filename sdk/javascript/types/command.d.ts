// Written by `cargo xtask declarations` out of wit/command.wit.

/**
 * Runs command templates of host policy that only read. A template names a binary by digest, an argument grammar and a class; none is
 * a shell or an interpreter, and nothing is interpolated into one.
 *
 * Class: L1. Reads.
 * Scope: names of templates: `command [smart-health]`.
 * Dry run: as in enforce.
 */
declare module "msp:automation/command" {
  import type { Attributes, ReceivedAttributes, CommandOutput } from "msp:automation/types";
  export type { Attributes, ReceivedAttributes, CommandOutput };

  /** What may be known of a template. */
  export interface Template {
    /** Its name. */
    name: string;
    /** What it does. */
    description: string;
    /** The names of its arguments. */
    arguments: string[];
    /** More by name: `class`, `binary`, `grammar`. */
    attributes: ReceivedAttributes;
  }

  /**
   * The templates in the scope that this machine has.
   *
   * @throws {HostError}
   */
  export function listTemplates(): Template[];

  /**
   * Runs one with arguments by name. One that changes something is `denied` (code `template-changes`); an argument outside the grammar
   * is `invalid`; another binary than the template's, or one that others could have put there, is `failed` (codes `digest`, `binary`).
   * `timeout-ms` at most 600,000, 0 for the template's own, which is also the most; a command that takes longer is killed (`timeout`).
   *
   * @throws {HostError}
   */
  export function runCommand(template: string, arguments: Attributes | null | undefined, timeoutMs: number): CommandOutput;

  export {};
}
