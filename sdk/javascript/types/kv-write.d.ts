// Written by `cargo xtask declarations` out of wit/kv-write.wit.

/**
 * Writes to the store of `kv`; undone by `remit undo` where nobody wrote since.
 *
 * Class: L2. Changes.
 * Scope: globs of keys, as in `kv`: `kv-write [baseline/*]`.
 * Dry run: `planned`; later reads in the run see the planned value.
 */
declare module "msp:automation/kv-write" {
  import type { Change } from "msp:automation/types";
  export type { Change };

  /**
   * Writes at most 64 KiB of UTF-8, gone after `ttl-seconds` (0 for never). With `expected-revision` only if the key still has it, 0
   * meaning that it must not exist; else `conflict`. `before` and `after` are revisions.
   *
   * @throws {HostError}
   */
  export function putValue(key: string, value: string, expectedRevision: number | null | undefined, ttlSeconds: number): Change;

  /**
   * Removes a key; `unchanged` where there is none.
   *
   * @throws {HostError}
   */
  export function removeValue(key: string, expectedRevision?: number | null): Change;

  export {};
}
