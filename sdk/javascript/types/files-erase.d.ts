// Written by `cargo xtask declarations` out of wit/files-erase.wit.

/**
 * Removes files for good, without a quarantine. Cannot be undone.
 *
 * Class: L4. Changes.
 * Scope: names of roots, as in `files`: `files-erase [scratch]`.
 * Dry run: `planned`, with the bytes that would be freed.
 */
declare module "msp:automation/files-erase" {
  import type { TimestampMs, Change, Failure, ReceivedFailure } from "msp:automation/types";
  export type { TimestampMs, Change, Failure, ReceivedFailure };

  /** What became of one. Closed: grows in `change`. */
  export interface Erasure {
    /** As handed in. */
    path: string;
    /** What was done; `before` as in `files-write`. */
    change: Change;
    /** Bytes on disk that are free now; none where another name (a hard link) keeps them. */
    freedBytes: number;
    /** Why this one failed; none where it did not. */
    error: ReceivedFailure | undefined;
  }

  /**
   * As `remove-entries` of `files-write`, without quarantine.
   *
   * @throws {HostError}
   */
  export function eraseEntries(root: string, paths: readonly string[] | null | undefined, unchangedSinceMs: TimestampMs): Erasure[];

  export {};
}
