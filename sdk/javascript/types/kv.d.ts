// Written by `cargo xtask declarations` out of wit/kv.wit.

/**
 * Reads what this plugin's earlier runs, or the MSP, noted for one device, also when it is offline; kept on the
 * device. No plugin sees another's keys.
 *
 * Class: L1. Reads.
 * Scope: globs of keys: `kv [*]`, `kv [baseline/*]`.
 * Dry run: as in enforce; values planned earlier in the run are overlaid.
 */
declare module "msp:automation/kv" {
  import type { KvEntry } from "msp:automation/types";
  export type { KvEntry };

  /**
   * The value of a key (1 to 255 bytes); none where there is none or it expired.
   *
   * @throws {HostError}
   */
  export function getValue(key: string): KvEntry | undefined;

  /**
   * Keys that begin so, in order, at most 1,000, beginning after `after` (empty for the first).
   *
   * @throws {HostError}
   */
  export function listKeys(prefix: string, after: string): string[];

  export {};
}
