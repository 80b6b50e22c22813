// Written by `cargo xtask declarations` out of wit/detection.wit.

/** What every plugin exports. */
declare module "msp:automation/detection" {
  import type { Finding, ReceivedFinding, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { Finding, ReceivedFinding, Attributes, ReceivedAttributes };

  /**
   * What was found. Closed: the four verdicts that a plugin may give; the others are the host's to measure.
   *
   * - `compliant`: As it should be. Findings are then remarks.
   * - `non-compliant`: Not as it should be; at least one finding says what.
   * - `not-applicable`: This plugin has nothing to say about this machine; `summary` says why.
   * - `unknown`: It could not be found out; `summary` says why.
   */
  export type Verdict = "compliant" | "non-compliant" | "not-applicable" | "unknown";

  /** What `detect` answers. */
  export interface Report {
    /** What was found. */
    verdict: Verdict;
    /** One line for a person, at most 1 KiB; may be empty where findings say it. */
    summary: string;
    /** At most 1,000, each fingerprint once. */
    findings?: readonly Finding[] | null;
    /** Facts worth keeping, as a JSON object of at most 256 KiB (the manifest may hold its schema); none where there are none. */
    facts?: string | null;
    /** More by name. */
    attributes?: Attributes | null;
  }

  export {};
}
