// Written by `cargo xtask declarations` out of wit/software.wit.

/**
 * Installed software (osquery `deb_packages`, `rpm_packages`, `programs`, `apps`).
 *
 * Class: L1. Reads.
 * Scope: none.
 * Dry run: as in enforce, with updates that were planned earlier in the run overlaid.
 */
declare module "msp:automation/software" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /** A program or package. */
  export interface Program {
    /** `apt:openssl`, `msi:{GUID}`, `brew:jq`. */
    id: string;
    /** Its name. */
    name: string;
    /** Its version, as its manager writes it. */
    version: string;
    /** Maker or maintainer; may be empty. */
    publisher: string;
    /** `apt`, `dnf`, `rpm`, `msi`, `exe`, `appx`, `winget`, `chocolatey`, `brew`, `pkg`, `flatpak`, `snap`, or another word. */
    manager: string;
    /** When it was installed, where somebody remembers. */
    installedMs: TimestampMs | undefined;
    /** More by name: `arch`, `source`, `section`, `size-bytes`, `status`, `automatic`, `per-user`. */
    attributes: ReceivedAttributes;
  }

  /** An answer. Closed: a page and its limit; programs grow. */
  export interface Programs {
    /** By id. */
    items: Program[];
    /** Whether more would match. */
    truncated: boolean;
  }

  /**
   * Programs whose name matches the glob (`*` for all, at most 255 bytes), at most 10,000 and 4 MiB.
   *
   * @throws {HostError}
   */
  export function findPrograms(name: string): Programs;

  export {};
}
