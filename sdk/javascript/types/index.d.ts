// Written by `cargo xtask declarations` out of wit/.

/// <reference path="./types.d.ts" />
/// <reference path="./command-change.d.ts" />
/// <reference path="./command.d.ts" />
/// <reference path="./detection.d.ts" />
/// <reference path="./device-people.d.ts" />
/// <reference path="./device.d.ts" />
/// <reference path="./files-erase.d.ts" />
/// <reference path="./files-write.d.ts" />
/// <reference path="./files.d.ts" />
/// <reference path="./http-write.d.ts" />
/// <reference path="./http.d.ts" />
/// <reference path="./kv-write.d.ts" />
/// <reference path="./kv.d.ts" />
/// <reference path="./notify.d.ts" />
/// <reference path="./patch-control.d.ts" />
/// <reference path="./patch-install.d.ts" />
/// <reference path="./patch.d.ts" />
/// <reference path="./process-control.d.ts" />
/// <reference path="./process.d.ts" />
/// <reference path="./query.d.ts" />
/// <reference path="./remediation.d.ts" />
/// <reference path="./run.d.ts" />
/// <reference path="./secrets.d.ts" />
/// <reference path="./service-control.d.ts" />
/// <reference path="./service.d.ts" />
/// <reference path="./software.d.ts" />
/// <reference path="./ticket.d.ts" />

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
    /**
     * Runs command templates of host policy that change something. Cannot be undone by the host.
     *
     * Class: L3, or L4 where the template says so. Changes.
     * Scope: names of templates: `command-change [trim]`; one of class L4 is allowed by its name only, not by `*`.
     * Dry run: `planned`, no output; what the command would do is unknown, so the plan is incomplete from there.
     */
    "command-change"?: ScopedCapability;
    /**
     * Runs command templates of host policy that only read. A template names a binary by digest, an argument grammar and a class; none is
     * a shell or an interpreter, and nothing is interpolated into one.
     *
     * Class: L1. Reads.
     * Scope: names of templates: `command [smart-health]`.
     * Dry run: as in enforce.
     */
    "command"?: ScopedCapability;
    /**
     * Who uses this machine. Reveals people: policy may mask names, which then come as pseudonyms: the same for the same name on
     * this device, and different on every other. Accounts of the system keep theirs.
     *
     * Class: L1, reveals people. Reads.
     * Scope: none.
     * Dry run: as in enforce.
     */
    "device-people"?: Capability;
    /**
     * Facts about this machine, without people and without secrets. Names are osquery's.
     *
     * Class: L0. Reads.
     * Scope: none.
     * Dry run: as in enforce; `get-reboot-state` counts what planned changes would leave pending.
     */
    "device"?: Capability;
    /**
     * Removes files for good, without a quarantine. Cannot be undone.
     *
     * Class: L4. Changes.
     * Scope: names of roots, as in `files`: `files-erase [scratch]`.
     * Dry run: `planned`, with the bytes that would be freed.
     */
    "files-erase"?: ScopedCapability;
    /**
     * Writes and removes files, so that it can be undone: what is replaced or removed moves to a bounded quarantine on the same file system.
     * It is a folder of the host's in the root, that only the host may enter. What is in it expires with its retention, and under pressure the
     * oldest first; what the same run put there never does, so that no run can remove for good: `limit`, code `quarantine-full`.
     * A link is removed and never written through; what lies on another file system than the root is left alone (`conflict`, code
     * `other-file-system`).
     *
     * Class: L2. Changes.
     * Scope: names of roots, as in `files`: `files-write [scratch]`.
     * Dry run: `planned`, with the bytes that would be; later reads in the run see the planned files. Nothing is touched, not even a time.
     */
    "files-write"?: ScopedCapability;
    /**
     * Files under named roots. No absolute path crosses the boundary: a path is relative, `/`-separated, UTF-8, at most 4 KiB, without empty
     * parts, `.` and `..`. An empty path is the root itself. No link below a root is ever followed (`conflict`, code `link`), wherever it
     * leads: following one would move its access time, and nobody can swap one for another meanwhile. The name `.remit-quarantine` belongs
     * to the host and is seen by nobody.
     *
     * Class: L1. Reads.
     * Scope: names of roots, each a folder in host policy or bound by `--bind NAME=DIR`: `files [scratch, logs]`.
     * Dry run: as in enforce; writes and removals planned earlier in the run are overlaid.
     */
    "files"?: ScopedCapability;
    /**
     * Requests that may change something on a server. Cannot be undone from here.
     *
     * Class: L3. Changes.
     * Scope: methods and origins: `http-write [POST https://api.example.com, 10.0.0.0/8]`; a range lets such addresses be reached, and allows no
     * request by itself.
     * Dry run: `planned` in `change`, status 0 and an empty body; what the answer would have been is unknown, so the plan is incomplete from there.
     */
    "http-write"?: ScopedCapability;
    /**
     * Asks servers, without changing anything there. Whole request, whole response. Addresses are checked after resolving, and pinned:
     * loopback, link-local, metadata and private ranges only where the scope names them.
     *
     * Class: L1; what is asked leaves the machine. Reads.
     * Scope: origins, with `*.` for subdomains, and address ranges: `http [https://api.example.com, https://*.example.net:8443, 10.0.0.0/8]`.
     * An origin with a path allows that path alone. A range lets names of the scope resolve into it, and allows `https` URLs that name
     * such an address.
     * Dry run: as in enforce.
     */
    "http"?: ScopedCapability;
    /**
     * Writes to the store of `kv`; undone by `remit undo` where nobody wrote since.
     *
     * Class: L2. Changes.
     * Scope: globs of keys, as in `kv`: `kv-write [baseline/*]`.
     * Dry run: `planned`; later reads in the run see the planned value.
     */
    "kv-write"?: ScopedCapability;
    /**
     * Reads what this plugin's earlier runs, or the MSP, noted for one device, also when it is offline; kept on the
     * device. No plugin sees another's keys.
     *
     * Class: L1. Reads.
     * Scope: globs of keys: `kv [*]`, `kv [baseline/*]`.
     * Dry run: as in enforce; values planned earlier in the run are overlaid.
     */
    "kv"?: ScopedCapability;
    /**
     * Tells somebody. Shape and limits are PagerDuty Events v2; who hears it, by what way and when (routes, quiet hours, grouping) is policy.
     * An event is durable when a call returns, and sent when the run ends, at least once. An alert is one device's and one plugin's. Undone by
     * `remit undo` only where it opened an alert that has not left yet (quiet hours): what somebody was told cannot be taken back.
     *
     * Class: L2. Changes.
     * Scope: names of audiences, each a route in host policy: `notify [technician, on-call]`. An audience without a route is `not-found`.
     * Dry run: `planned`, outcome `planned`; nothing leaves. A later call in the run sees what is planned.
     */
    "notify"?: ScopedCapability;
    /**
     * Changes around updates that can be undone: the index, and holds.
     *
     * Class: L2. Changes.
     * Scope: names of sources: `patch-control [apt]`.
     * Dry run: `planned`; a planned refresh marks the plan incomplete from there, because what it would bring is unknown.
     */
    "patch-control"?: ScopedCapability;
    /**
     * Installs updates, repairs a package manager, and asks for the reboot that they need. Only what the policy on this device approves.
     *
     * Class: L3. Changes.
     * Scope: names of sources: `patch-install [apt]`.
     * Dry run: `planned` for each update, after the package manager's own simulation.
     */
    "patch-install"?: ScopedCapability;
    /**
     * What the machine's update services would install, what they installed, and what policy says. Words are Windows Update's.
     *
     * Class: L1. Reads.
     * Scope: names of sources, `*` for all: `patch [apt]`.
     * Dry run: as in enforce, from the index as it is; updates and holds planned earlier in the run are overlaid.
     */
    "patch"?: ScopedCapability;
    /**
     * Ends processes. Cannot be undone.
     *
     * Class: L3. Changes.
     * Scope: globs, as `process`; never pid 1, the agent and its parents, or a kernel thread (`denied`, code `protected`): `process-control [chrome]`.
     * Dry run: `planned`; later reads in the run leave the process out.
     */
    "process-control"?: ScopedCapability;
    /**
     * Processes (osquery `processes`), without command lines: those hold secrets.
     *
     * Class: L1. Reads.
     * Scope: globs of process names: `process [nginx, java*]`; `process [*]` for all.
     * Dry run: as in enforce; processes planned to end earlier in the run are left out.
     */
    "process"?: ScopedCapability;
    /**
     * osquery's tables, with projection and filters carried out by the host: the way to facts that have no function of their own.
     * As in osquery, every value is text.
     *
     * Class: L1. Reads.
     * Scope: names of tables: `query [processes, listening_ports]`. `*` stands for all but those that reveal people (`users`,
     * `groups`, `user_groups`, `logged_in_users`, `last`), each of which must be named.
     * Dry run: as in enforce; a table that an earlier planned change would alter marks the plan incomplete.
     */
    "query"?: ScopedCapability;
    /**
     * Opens secrets for use. Each function says how the secret will be used, the operator said where it may be (`remit secret set --for`);
     * nothing gives its bytes, and what comes back from where it was used is masked. A new way of use is a new function.
     *
     * Class: L2, although it changes nothing: it is never granted without a person. Reads.
     * Scope: names of secrets: `secrets [halo-token]`.
     * Dry run: as in enforce; secrets are opened, and used by readers only.
     */
    "secrets"?: ScopedCapability;
    /**
     * Starts, stops and enables services. `before` and `after` are the state (`running`), or the start type; both are undone by `remit undo`.
     *
     * Class: L2. Changes.
     * Scope: globs, as `service`; never the agent's own unit (`denied`, code `own-unit`): `service-control [nginx]`, `service-control [{services}]`.
     * Dry run: `planned`; later reads in the run see the planned state.
     *
     * A wait is at most 120,000 ms. When it is over before the service is as asked, or with 0 at once, the answer is `changed` with
     * `start-pending` or `stop-pending` as `after`; what was asked for goes on.
     */
    "service-control"?: ScopedCapability;
    /**
     * Services: systemd units of type service, SysV scripts where there is no systemd, SCM services, launchd jobs.
     *
     * Class: L1. Reads.
     * Scope: globs of names, without `.service`: `service [nginx, postgresql*]`; `service [*]` for all.
     * Dry run: as in enforce; states planned earlier in the run are overlaid.
     */
    "service"?: ScopedCapability;
    /**
     * Installed software (osquery `deb_packages`, `rpm_packages`, `programs`, `apps`).
     *
     * Class: L1. Reads.
     * Scope: none.
     * Dry run: as in enforce, with updates that were planned earlier in the run overlaid.
     */
    "software"?: Capability;
    /**
     * Tickets for a person, whichever ticket system stands behind. A plugin reaches only the tickets of its own fingerprints on this device.
     * Words are ITIL's. Undone by `remit undo` where nobody else has touched the ticket since: a new one is cancelled, a note or a file
     * withdrawn, everything else put back; the history keeps that it happened.
     *
     * Class: L2. Changes.
     * Scope: names of queues, `*` for any: `ticket [*]`, `ticket [patching]`. A draft that names no queue is for `default`.
     * Dry run: `planned`; no ticket in the answer, unless there already is one. A later call in the run sees what is planned.
     */
    "ticket"?: ScopedCapability;
  }

  /** What a run may use. */
  export interface Limits {
    /** From the first instruction to the end, all phases together. Unless it says otherwise 300000, at most 21600000. */
    "wall-ms"?: number;
    /** Processor time of the guest and of the host's work for it, all phases together. Unless it says otherwise 10000, at most 600000. */
    "cpu-ms"?: number;
    /** One host call. Functions that take a time-out of their own may ask for less. Unless it says otherwise 120000, at most 21600000. */
    "call-ms"?: number;
    /** All linear memories of an instance, added. Unless it says otherwise 67108864, at most 536870912. */
    "memory-bytes"?: number;
    /** Elements of all tables of an instance, added. Unless it says otherwise 20000, at most 200000. */
    "table-elements"?: number;
    /** Core instances in a component. Unless it says otherwise 32, at most 64. */
    "instances"?: number;
    /** Secrets open at once. Unless it says otherwise 32, at most 256. */
    "handles"?: number;
    /** Secrets opened in a run, closed or not: opening and closing in a loop is work for the host too. Unless it says otherwise 1000, at most 10000. */
    "handles-opened"?: number;
    /** Host calls in a run. Unless it says otherwise 100000, at most 10000000. */
    "calls"?: number;
    /** What one host call hands over, and what one answers. Unless it says otherwise 8388608, at most 67108864. */
    "call-bytes"?: number;
    /** What all host calls of a run hand over and answer. Unless it says otherwise 268435456, at most 4294967296. */
    "run-bytes"?: number;
    /** Lines kept in the record, with what is written to standard output and error. Beyond it they are counted. Unless it says otherwise 262144, at most 16777216. */
    "log-bytes"?: number;
    /** Lines kept of any one second. Unless it says otherwise 500, at most 10000. */
    "log-lines-per-second"?: number;
    /** A report: summary, findings and facts. Unless it says otherwise 1048576, at most 8388608. */
    "result-bytes"?: number;
    /** Findings in a report. Unless it says otherwise 1000, at most 1000. */
    "findings"?: number;
    /** Values written to key-value stores in a run. Unless it says otherwise 1048576, at most 16777216. */
    "kv-bytes"?: number;
    /** File content written in a run. Unless it says otherwise 67108864, at most 4294967296. */
    "file-bytes"?: number;
    /** HTTP requests in a run. Unless it says otherwise 100, at most 10000. */
    "http-requests"?: number;
    /** One body of an HTTP answer; beyond it the answer is cut and says so. Unless it says otherwise 1048576, at most 16777216. */
    "http-body-bytes"?: number;
    /** One HTTP exchange. Unless it says otherwise 30000, at most 300000. */
    "http-ms"?: number;
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
  /** How to react. */
  readonly kind: import("msp:automation/types").ErrorKind;
  /**
   * Which error exactly: a stable lower-case word from an open vocabulary, at most 64 bytes, such as `scope`, `phase`,
   * `plan`, `dpkg-locked`, `errno-28`, `hresult-0x80240022`. May be compared.
   */
  readonly code: string;
  /** Not before this many milliseconds does a second try make sense. */
  readonly retryAfterMs: number | undefined;
  /** Details by name, for example `capability` and `manifest-line` where `kind` is `denied`. */
  readonly attributes: import("msp:automation/types").ReceivedAttributes;
}
