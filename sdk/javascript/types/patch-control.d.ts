// Written by `cargo xtask declarations` out of wit/patch-control.wit.

/**
 * Changes around updates that can be undone: the index, and holds.
 *
 * Class: L2. Changes.
 * Scope: names of sources: `patch-control [apt]`.
 * Dry run: `planned`; a planned refresh marks the plan incomplete from there, because what it would bring is unknown.
 */
declare module "msp:automation/patch-control" {
  import type { Change } from "msp:automation/types";
  export type { Change };

  /**
   * Fetches the source's index anew, and the changelogs of what is pending (security first, as far as time allows), which say what an
   * update fixes. `before` and `after` are the time of the index, in milliseconds; a dry run cannot know `after`. `busy` where the
   * package manager is locked. The one function here that nothing undoes: an index cannot be made older.
   *
   * @throws {HostError}
   */
  export function refreshIndex(source: string): Change;

  /**
   * Keeps an installed product at its version until released. `before` and `after` are `held` or `free`.
   *
   * @throws {HostError}
   */
  export function hold(source: string, product: string): Change;

  /**
   * Ends a hold; of a hold that policy set: `denied`.
   *
   * @throws {HostError}
   */
  export function release(source: string, product: string): Change;

  export {};
}
