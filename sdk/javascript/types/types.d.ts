// Written by `cargo xtask declarations` out of wit/types.wit.

/**
 * Words that several interfaces share. Always linked, never granted, and without a function: importing a mutator must
 * not import its reader, so a type that both use lives here.
 */
declare module "msp:automation/types" {
  /** Milliseconds since 1970-01-01T00:00:00Z, from the host's clock. */
  export type TimestampMs = number;

  /**
   * Names and values, in no order, each name at most once. This is how a record grows: a documented new name breaks no
   * plugin. Names are lower-case with hyphens, at most 64 bytes; values at most 4 KiB; at most 64 pairs. In what a
   * plugin hands over, a name that this host does not know is refused (`invalid`, code `unknown-attribute`) where it
   * could alter what is done, and kept as it is where it only describes (findings, logs, tickets).
   */
  export type Attributes = readonly (readonly [string, string])[] | { readonly [name: string]: string | undefined };

  /** {@link Attributes} as the host gives it: nothing is left out. */
  export type ReceivedAttributes = [string, string][];

  /**
   * A de-duplication key of the plugin's own choosing, 1 to 255 bytes (PagerDuty's limit), the same for the same problem
   * in every run. The host adds device and plugin, so two plugins never share one.
   */
  export type Fingerprint = string;

  /**
   * What a caller can do about an error. Closed: these are reactions, not causes; causes are open words in `code`.
   *
   * - `denied`: A grant, scope, policy, phase or plan forbids it. Asking again in this run changes nothing.
   * - `not-found`: The named thing is not there.
   * - `conflict`: The thing exists, but is not as the call assumed (revision, start time, kind, already present).
   * - `invalid`: An argument is malformed or outside its documented limit. The plugin is to blame.
   * - `unsupported`: This platform, or this host's version, has no such thing.
   * - `busy`: Something else holds it for now (package lock, session); `retry-after-ms` may say for how long.
   * - `limit`: A budget of this run is spent, or the answer would be larger than allowed.
   * - `timeout`: The time allowed for this call ran out; whether it took effect is in the journal.
   * - `cancelled`: The run is being cancelled; return soon.
   * - `unavailable`: A service that is needed cannot be reached (network, D-Bus, hub).
   * - `failed`: It was tried, and failed; `code` says with what.
   * - `other`: None of these. Also what a plugin uses for errors of its own.
   */
  export type ErrorKind = "denied" | "not-found" | "conflict" | "invalid" | "unsupported" | "busy" | "limit" | "timeout" | "cancelled" | "unavailable" | "failed" | "other";

  /** Why a call failed, or, returned by a plugin, why it gave up. */
  export interface Failure {
    /** How to react. */
    kind: ErrorKind;
    /**
     * Which error exactly: a stable lower-case word from an open vocabulary, at most 64 bytes, such as `scope`, `phase`,
     * `plan`, `dpkg-locked`, `errno-28`, `hresult-0x80240022`. May be compared.
     */
    code: string;
    /** One sentence for a person, at most 1 KiB. Never to be parsed; holds no secret. */
    message: string;
    /** Not before this many milliseconds does a second try make sense. */
    retryAfterMs?: number | null;
    /** Details by name, for example `capability` and `manifest-line` where `kind` is `denied`. */
    attributes?: Attributes | null;
  }

  /** {@link Failure} as the host gives it: nothing is left out. */
  export interface ReceivedFailure {
    /** How to react. */
    kind: ErrorKind;
    /**
     * Which error exactly: a stable lower-case word from an open vocabulary, at most 64 bytes, such as `scope`, `phase`,
     * `plan`, `dpkg-locked`, `errno-28`, `hresult-0x80240022`. May be compared.
     */
    code: string;
    /** One sentence for a person, at most 1 KiB. Never to be parsed; holds no secret. */
    message: string;
    /** Not before this many milliseconds does a second try make sense. */
    retryAfterMs: number | undefined;
    /** Details by name, for example `capability` and `manifest-line` where `kind` is `denied`. */
    attributes: ReceivedAttributes;
  }

  /**
   * What a mutating call did. Closed: dry run, plan, journal and undo are defined over exactly these.
   *
   * - `unchanged`: It already was so.
   * - `changed`: It was done.
   * - `planned`: It would be done: what every mutator answers in a dry run.
   * - `reboot-pending`: It was done, and takes hold with the next boot.
   * - `unknown`: It was under way when the host died, and nobody can tell.
   */
  export type Effect = "unchanged" | "changed" | "planned" | "reboot-pending" | "unknown";

  /** The answer of a mutator. */
  export interface Change {
    /** What was done. */
    effect: Effect;
    /** The state before in the interface's own short words (`stopped`, `sha256:…`), at most 4 KiB; none if there was none. */
    before: string | undefined;
    /** The state after, or in a dry run the state that is planned. */
    after: string | undefined;
    /** Details by name, documented at the function. */
    attributes: ReceivedAttributes;
  }

  /** How bad it is: the four of PagerDuty Events v2. Closed: that standard is. */
  export type Severity = "info" | "warning" | "error" | "critical";

  /** One thing found by `detect`. */
  export interface Finding {
    /** The same in every run for the same problem: tickets, notifications and `recurred` hang on it. */
    fingerprint: Fingerprint;
    /** One line for a person, at most 255 bytes (the shortest title limit among ticket systems). */
    title: string;
    /** How bad. */
    severity: Severity;
    /** What it is about, in the words of its interface: a unit, a mount, an update's id. At most 1 KiB. */
    target: string;
    /** What shows it, for a person, at most 16 KiB. */
    evidence: string;
    /** Whether this plugin's `remediate` can deal with it. */
    remediable: boolean;
    /** More by name, for example `cve`, `limit`, `actual`. */
    attributes?: Attributes | null;
  }

  /** {@link Finding} as the host gives it: nothing is left out. */
  export interface ReceivedFinding {
    /** The same in every run for the same problem: tickets, notifications and `recurred` hang on it. */
    fingerprint: Fingerprint;
    /** One line for a person, at most 255 bytes (the shortest title limit among ticket systems). */
    title: string;
    /** How bad. */
    severity: Severity;
    /** What it is about, in the words of its interface: a unit, a mount, an update's id. At most 1 KiB. */
    target: string;
    /** What shows it, for a person, at most 16 KiB. */
    evidence: string;
    /** Whether this plugin's `remediate` can deal with it. */
    remediable: boolean;
    /** More by name, for example `cve`, `limit`, `actual`. */
    attributes: ReceivedAttributes;
  }

  const opened: unique symbol;
  /**
   * A secret that the plugin may use and never see: no function gives its bytes. Made by `secrets`, redeemed where a
   * function takes it, and only in the way and place it was made for. At most 32 open at once.
   */
  export interface Secret {
    /** Only the host makes one. */
    readonly [opened]: never;
  }

  /**
   * When a service starts (SCM's words; systemd: `enabled` is automatic, `static` and `disabled` are manual). Closed: what is none
   * of these is `other`, and the platform's own word is in the attribute `unit-file-state`.
   */
  export type StartType = "automatic" | "automatic-delayed" | "manual" | "disabled" | "masked" | "other";

  /** A value in one of the three key-value stores. */
  export interface KvEntry {
    /** UTF-8 text, usually JSON, at most 64 KiB. */
    value: string;
    /** Grows with every write of this key; hand it to `put-value` to write only if nobody else did. */
    revision: number;
    /** When it was written. */
    writtenMs: TimestampMs;
    /** When it expires; none for never. */
    expiresMs: TimestampMs | undefined;
    /** More by name: `written-by` (a device id, or `msp`). */
    attributes: ReceivedAttributes;
  }

  /** What is asked of a server, without method, body and authorisation. */
  export interface HttpRequest {
    /** Absolute `http` or `https` URL, at most 8 KiB, without user information. `https` unless the scope says otherwise. */
    url: string;
    /**
     * Header names and values, at most 64. `host`, `content-length`, `authorization`, `cookie` and hop-by-hop headers are
     * `invalid`.
     */
    headers?: readonly (readonly [string, string])[] | { readonly [name: string]: string | undefined } | null;
    /** For the whole exchange; 0 means the host's default (30 s), which is also the most. */
    timeoutMs: number;
    /** Options by name: `max-body-bytes`, `max-redirects` (default 0, at most 5, never to a host outside the scope). */
    attributes?: Attributes | null;
  }

  /** A whole answer. */
  export interface HttpResponse {
    /** The status code; 4xx and 5xx are answers, not errors. */
    status: number;
    /** Header names in lower case, with their values, in the order received. */
    headers: [string, string][];
    /** The body, decoded from content-encoding, at most 1 MiB unless the manifest's limits say otherwise. */
    body: Uint8Array;
    /** Whether the body was cut at the limit. */
    truncated: boolean;
    /** From connecting to the last byte. */
    elapsedMs: number;
    /** More by name: `final-url`, `http-version`, `tls-version`, `remote-address`. */
    attributes: ReceivedAttributes;
  }

  /** What a command left behind. */
  export interface CommandOutput {
    /** The exit status; a signal N on Unix is 128 + N. */
    exitCode: number;
    /** Standard output as UTF-8, invalid bytes replaced, secrets masked, at most 256 KiB. */
    stdout: string;
    /** Standard error, likewise. */
    stderr: string;
    /** Whether either was cut. */
    truncated: boolean;
    /** Wall time. */
    elapsedMs: number;
    /** More by name: `binary-sha256`. */
    attributes: ReceivedAttributes;
  }

  export {};
}
