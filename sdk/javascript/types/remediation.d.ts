// Written by `cargo xtask declarations` out of wit/remediation.wit.

/** What a plugin exports that can put right what it finds. */
declare module "msp:automation/remediation" {
  import type { Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { Attributes, ReceivedAttributes };

  /** What `remediate` answers. It claims nothing: the host has journalled what was done, and detects again. */
  export interface Remedy {
    /** One line for a person, at most 1 KiB; may be empty. */
    summary: string;
    /** More by name. */
    attributes?: Attributes | null;
  }

  export {};
}
