// Written by `cargo xtask declarations` out of wit/patch-install.wit.

/**
 * Installs updates, repairs a package manager, and asks for the reboot that they need. Only what the policy on this device approves.
 *
 * Class: L3. Changes.
 * Scope: names of sources: `patch-install [apt]`.
 * Dry run: `planned` for each update, after the package manager's own simulation.
 */
declare module "msp:automation/patch-install" {
  import type { Change, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { Change, Attributes, ReceivedAttributes };

  /**
   * When a reboot may follow. Closed: a new wish is an attribute of the options.
   *
   * - `never`: None.
   * - `if-required`: Where an update needs it, in the window, after the run's checkpoint.
   * - `if-required-when-idle`: Where an update needs it, and nobody is at the machine.
   */
  export type RebootPolicy = "never" | "if-required" | "if-required-when-idle";

  /** How to install. */
  export interface InstallOptions {
    /** Whether a reboot may follow. */
    reboot: RebootPolicy;
    /**
     * For fetching everything; 0 means the host's default (1 h), the most is 6 h. Ending is clean, no package is left half-configured:
     * what is fetched in time is installed to its end.
     */
    timeoutSeconds: number;
    /** Whether the first failure ends it: then each update is an installation of its own, in the order given. */
    stopOnFailure: boolean;
    /** More by name: `download-only`, `conffiles` (`keep` or `replace`), `restore-point`. */
    attributes?: Attributes | null;
  }

  /** What became of one update. Closed: what is none of these is `failed` with a code. */
  export type InstallOutcome = "succeeded" | "reboot-required" | "failed" | "not-approved" | "superseded" | "window-closing" | "timed-out" | "not-attempted";

  /** What became of one update. */
  export interface InstallResult {
    /** As handed in. */
    id: string;
    /** How it went; in a dry run how it is expected to go. */
    outcome: InstallOutcome;
    /** What changed: versions before and after. */
    change: Change;
    /** The package manager's own code (`hresult-0x…`, `dpkg-1`); empty on success. */
    code: string;
    /** For a person. */
    message: string;
    /**
     * More by name: `also-changed` (dependencies of everything installed together, on the first result; it ends with `…` where there are more), `adopted-from` (the run that
     * began it, where this one took it over), `elapsed-ms`.
     */
    attributes: ReceivedAttributes;
  }

  /**
   * Installs these, at most 500, in the order that the package manager needs, in a unit of its own that survives this run; one that
   * an earlier run began is taken over. One result an id, in the order of `ids`; what policy does not approve is `not-approved`, and never
   * installed, also not as a dependency where policy defers, declines or blocks it. Nothing is removed, held or downgraded for it.
   * `busy` where the package manager is locked, `conflict` where it is broken (`repair`).
   *
   * @throws {HostError}
   */
  export function installUpdates(ids: readonly string[] | null | undefined, options: InstallOptions): InstallResult[];

  /**
   * Finishes what an interrupted install left (`dpkg --configure -a`). `before` and `after` are `broken` or `ok`, the attribute `packages`
   * says which. `denied` unless policy allows repairs.
   *
   * @throws {HostError}
   */
  export function repair(source: string): Change;

  /**
   * Asks for the reboot that installed updates need; `conflict` where none is pending. Accepted, the run is suspended: checkpoint, and
   * return. `reason` (at most 255 bytes) is shown to people at the machine. `after` is `requested`.
   *
   * @throws {HostError}
   */
  export function requestReboot(reason: string): Change;

  export {};
}
