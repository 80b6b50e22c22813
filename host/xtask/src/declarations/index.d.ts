// Written by `cargo xtask declarations` out of wit/.

/*references*/

/** What every script and plugin is written with: `import type { Report } from "msp:automation"`. Types alone. */
declare module "msp:automation" {
  export type * from "msp:automation/types";
  export type * from "msp:automation/detection";
  export type * from "msp:automation/remediation";
  import type { ReceivedFinding } from "msp:automation/types";
  import type { Report } from "msp:automation/detection";
  import type { Remedy } from "msp:automation/remediation";

  /** What a plugin exports as `detect`: looks, and changes nothing. */
  export type Detect = () => Report | Promise<Report>;

  /** What a plugin exports as `remediate`, if it can put right what it finds. */
  export type Remediate = (findings: ReceivedFinding[]) => Remedy | Promise<Remedy>;

  /**
   * What a script says about itself, as `export const manifest`: read, and never run, so only literals may stand in it. A plugin with
   * a folder of its own has a plugin.toml instead.
   */
  export interface Manifest {
    /** Lower-case letters, digits and hyphens, 1 to 64. The file's name, where it is left out. */
    name?: string;
    /** Semantic Versioning 2.0; `0.1.0`, where it is left out. */
    version?: string;
    /** Whoever publishes it. */
    publisher?: string;
    /** One line for a person, at most 255 bytes. */
    description: string;
    /** An SPDX expression. */
    license?: string;
    /** The oldest host that it runs on. */
    minimumHost?: string;
    /** Where to ask: an address on the web, or a mailbox. */
    support?: string;
    /** What changed: an address on the web, or the text. */
    changelog?: string;
    /** What it wants to use, by interface, and why. */
    capabilities?: Capabilities;
    /** The JSON Schema (2020-12) of its parameters: an object's. */
    parameters?: { readonly [keyword: string]: unknown };
    /** What it may use of the host. */
    limits?: Limits;
    /** When its author thinks that it should run. Nothing runs because of it. */
    triggers?: readonly SuggestedTrigger[];
  }

  /** A capability that a plugin wants. */
  export interface Capability {
    /** Why, for whoever grants it. */
    reason: string;
  }

  /** A capability that is granted for something. */
  export interface ScopedCapability extends Capability {
    /** What for. `{name}` stands for a parameter, a text or a list of texts. */
    scope: readonly string[];
  }

  /** Everything that can be asked for. */
  export interface Capabilities {
/*capabilities*/
  }

  /** What a run may use. */
  export interface Limits {
/*limits*/
  }

  /** When a plugin should run, by its author. */
  export interface SuggestedTrigger {
    /** Cron, five fields, in the device's time zone. */
    schedule?: string;
    /** An event type. */
    event?: string;
    /** Why then. */
    reason?: string;
  }
}

/** Lines for the run's log. */
declare const console: {
  trace(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  /** At the level `info`. */
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
};

/** Text to UTF-8. */
declare class TextEncoder {
  readonly encoding: "utf-8";
  encode(input?: string): Uint8Array;
}

/** UTF-8 to text: a file, or the body of an answer. There is no other encoding. */
declare class TextDecoder {
  /** With `fatal`, what is no UTF-8 throws a `TypeError`; else it becomes U+FFFD. A mark at the beginning goes, without `ignoreBOM`. */
  constructor(label?: "utf-8" | "utf8" | "UTF-8", options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBufferView | ArrayBuffer): string;
}

/** What the host answers instead of doing what was asked; thrown by a plugin, why it gave up. */
declare class HostError extends Error {
  constructor(error: import("msp:automation/types").Failure);
/*failure*/
}
