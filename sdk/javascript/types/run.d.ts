// Written by `cargo xtask declarations` out of wit/run.wit.

/**
 * The run itself: why it was started, with what, and what it leaves in its record.
 *
 * Class: none (always linked, never granted). Reads and records; touches nothing of the machine.
 * Scope: none.
 * Dry run: as in enforce.
 */
declare module "msp:automation/run" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /**
   * What the run may do. Closed: the three modes of a run.
   *
   * - `detect`: Only `detect` is called.
   * - `dry-run`: `remediate` is called too, and every mutator answers `planned`.
   * - `enforce`: Mutators act.
   */
  export type Mode = "detect" | "dry-run" | "enforce";

  /** The facts of this run. */
  export interface Context {
    /** `run_` and a ULID. */
    runId: string;
    /** Behave the same in all of them: an enforce run may be tied to the plan that a dry run gave. */
    mode: Mode;
    /** 1, and one more for each retry. */
    attempt: number;
    /** When the run started. */
    startedMs: TimestampMs;
    /** When the host will end it. */
    deadlineMs: TimestampMs;
    /** More by name: `plan`, `order-id`, `ring`, `window-closes-ms`, `locale` (BCP 47), `timezone` (IANA). */
    attributes: ReceivedAttributes;
  }

  /** Why a run starts. Closed: the four kinds of trigger, and `other`. */
  export type TriggerKind = "by-hand" | "schedule" | "event" | "order" | "other";

  /** What happened, where an event started the run. */
  export interface Event {
    /** A word of the event vocabulary, such as `disk-free-below`, `service-state`, `login`. */
    eventType: string;
    /** What brought the event about, such as the id of an earlier run; none for the world outside. */
    cause: string | undefined;
    /** When it happened. */
    atMs: TimestampMs;
    /** A JSON object of the event type's schema, at most 64 KiB. */
    data: string;
    /** More by name: `event-id`, `rule`, `occurrences` since the last run. */
    attributes: ReceivedAttributes;
  }

  /** Why this run was started. */
  export interface Trigger {
    /** Which kind. */
    kind: TriggerKind;
    /** What a person calls it: the schedule's, rule's or order's name, or who started it by hand. */
    name: string;
    /** The event, where `kind` is `event` (or an order answered one). */
    event: Event | undefined;
    /** More by name: `order-signer`, `misfired`, `retry-of`. */
    attributes: ReceivedAttributes;
  }

  /** How loud a line in the log is. Closed: the five of `log` and OpenTelemetry's short names. */
  export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

  /** The facts of this run; the same at every call. */
  export function getContext(): Context;

  /** The parameters: a JSON object that the host validated against the manifest's JSON Schema, defaults filled in. */
  export function getParameters(): string;

  /** Why this run was started; the same at every call. */
  export function getTrigger(): Trigger;

  /** Adds a line to the record: at most 8 KiB, and what the manifest allows a run; beyond that lines are counted, not kept. */
  export function log(level: LogLevel, message: string, fields?: Attributes | null): void;

  /** Tells a waiting person how far it is, 0 to 100; larger is 100. More than ten a second are dropped. */
  export function progress(percent: number, message: string): void;

  /** Records a measured value with a UCUM unit (`By`, `s`, `%`, `1`). Not-a-number is dropped and logged. */
  export function metric(name: string, value: number, unit: string, labels?: Attributes | null): void;

  /** Whether the run is being cancelled; ask in long loops, return soon. */
  export function isCancelled(): boolean;

  /** The host's clock: for toolchains that leave out WASI's, and virtual in a replay. */
  export function now(): TimestampMs;

  /** Waits, at most until the deadline; false where the run was cancelled meanwhile. Returns at once in a replay. */
  export function sleep(millis: number): boolean;

  /**
   * Keeps at most 64 KiB through a reboot that this run was granted, at most 1,000 times a run; the last one counts. Beyond that
   * `limit` (codes `checkpoint-bytes`, `checkpoints`); `denied` (code `phase`) in `detect`.
   *
   * @throws {HostError}
   */
  export function checkpoint(state: Uint8Array | string): void;

  /** The last checkpoint, where this run goes on after a reboot; `remediate` is then called again with the same findings. */
  export function resumed(): Uint8Array | undefined;

  export {};
}
