// Written by `cargo xtask declarations` out of wit/notify.wit.

/**
 * Tells somebody. Shape and limits are PagerDuty Events v2; who hears it, by what way and when (routes, quiet hours, grouping) is policy.
 * An event is durable when a call returns, and sent when the run ends, at least once. An alert is one device's and one plugin's. Undone by
 * `remit undo` only where it opened an alert that has not left yet (quiet hours): what somebody was told cannot be taken back.
 *
 * Class: L2. Changes.
 * Scope: names of audiences, each a route in host policy: `notify [technician, on-call]`. An audience without a route is `not-found`.
 * Dry run: `planned`, outcome `planned`; nothing leaves. A later call in the run sees what is planned.
 */
declare module "msp:automation/notify" {
  import type { Attributes, ReceivedAttributes, Fingerprint, Severity, Change } from "msp:automation/types";
  export type { Attributes, ReceivedAttributes, Fingerprint, Severity, Change };

  /** A link for the reader. Closed: PagerDuty's two fields. */
  export interface Link {
    /** `https` URL. */
    href: string;
    /** What to show. */
    text: string;
  }

  /** What a plugin states. */
  export interface Notification {
    /** Repeats of one key are one alert until it is resolved. */
    dedupKey: Fingerprint;
    /** A route's name: `technician`, `on-call`, `client-contact`, or one of the MSP's. */
    audience: string;
    /** How bad. */
    severity: Severity;
    /** One line, 1 to 1,024 bytes; longer is `invalid`. */
    summary: string;
    /** The part of the machine: a unit, a mount. PagerDuty `component`; may be empty. One line of at most 255 bytes, like the next two. */
    component: string;
    /** PagerDuty `group`; may be empty. */
    group: string;
    /** PagerDuty `class`, such as `disk full`; may be empty. */
    eventClass: string;
    /** At most 16, each part at most 2,048 bytes. */
    links?: readonly Link[] | null;
    /** PagerDuty `custom_details`; `expires-ms` (a time) drops it where it was not delivered by then. */
    attributes?: Attributes | null;
  }

  /**
   * What became of it. Closed: what is none of these is `muted`, with a `reason`.
   *
   * - `queued`: Durable on the device, on its way.
   * - `grouped`: Joined to one already on its way, or a repeat of what was already told.
   * - `muted`: Held back by quiet hours and sent when they end, unless resolved before; or, where the effect is `unchanged`, nothing to tell.
   * - `rate-limited`: Dropped: too many in an hour. The next one after that is told.
   * - `planned`: A dry run; `outcome` among the attributes of the change says what it would be.
   */
  export type DeliveryOutcome = "queued" | "grouped" | "muted" | "rate-limited" | "planned";

  /** What became of it. Closed: grows in `change`. */
  export interface Delivery {
    /** How it went; acceptance by the receiver is in the run's record, later. */
    outcome: DeliveryOutcome;
    /** The same for journal and plan. States read `open, error, 2 times`; the attribute `outcome` holds in a dry run too. */
    change: Change;
    /** Why it was held back; else empty. */
    reason: string;
  }

  /**
   * Opens an alert, or repeats it: told again only where it is worse than what was told, or that is a day ago (policy may say otherwise).
   *
   * @throws {HostError}
   */
  export function triggerEvent(event: Notification): Delivery;

  /**
   * Says that somebody works on it; `unchanged` where it is not open, or somebody already does.
   *
   * @throws {HostError}
   */
  export function acknowledgeEvent(audience: string, dedupKey: Fingerprint): Delivery;

  /**
   * Closes it; `unchanged` where it is not open.
   *
   * @throws {HostError}
   */
  export function resolveEvent(audience: string, dedupKey: Fingerprint): Delivery;

  export {};
}
