// Written by `cargo xtask declarations` out of wit/ticket.wit.

/**
 * Tickets for a person, whichever ticket system stands behind. A plugin reaches only the tickets of its own fingerprints on this device.
 * Words are ITIL's. Undone by `remit undo` where nobody else has touched the ticket since: a new one is cancelled, a note or a file
 * withdrawn, everything else put back; the history keeps that it happened.
 *
 * Class: L2. Changes.
 * Scope: names of queues, `*` for any: `ticket [*]`, `ticket [patching]`. A draft that names no queue is for `default`.
 * Dry run: `planned`; no ticket in the answer, unless there already is one. A later call in the run sees what is planned.
 */
declare module "msp:automation/ticket" {
  import type { TimestampMs, Attributes, ReceivedAttributes, Fingerprint, Severity, Change } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes, Fingerprint, Severity, Change };

  /** What a ticket is about. Closed: ITIL's kinds that a machine may raise. */
  export type Kind = "incident" | "service-request" | "problem" | "change-request";

  /** Impact and urgency. Closed: ITIL's three; priority is derived from both by the MSP's matrix. */
  export type Level = "low" | "medium" | "high";

  /** Who may read a note. Closed: the two that every ticket system knows. */
  export type Visibility = "internal" | "customer";

  /** Where a ticket stands. Closed: the six that every ticket system maps to; its own word is in the attribute `system-status`. */
  export type Status = "new" | "in-progress" | "pending" | "resolved" | "closed" | "cancelled";

  /**
   * What `raise` did. Closed: what is none of these is `suppressed`, with a `reason`.
   *
   * - `created`: There was none.
   * - `appended`: There was an open one: one more occurrence.
   * - `reopened`: There was one, resolved within the reopen window.
   * - `suppressed`: Muted by policy, or more new tickets a day than it allows; nothing was written.
   * - `planned`: A dry run; `outcome` among the attributes of the change says what it would be.
   */
  export type RaiseOutcome = "created" | "appended" | "reopened" | "suppressed" | "planned";

  /** What a plugin states; routing, contract and SLA are the MSP's. */
  export interface Draft {
    /** One open ticket a fingerprint, device and plugin. */
    fingerprint: Fingerprint;
    /** What it is about. */
    kind: Kind;
    /** One line, 1 to 255 bytes; longer is `invalid`. */
    title: string;
    /** CommonMark, at most 32 KiB. */
    body: string;
    /** How many are hit. */
    impact: Level;
    /** How soon. */
    urgency: Level;
    /** How bad, for notifications about the ticket. */
    severity: Severity;
    /**
     * More by name: `queue`, `category`, `subcategory`, `item`, `contact`, `due-ms`, `labels`, `reopen-window-seconds` (7 days unless
     * policy says otherwise, at most 90). Others are kept as they are.
     */
    attributes?: Attributes | null;
  }

  /** A ticket. */
  export interface TicketView {
    /** The host's own id. */
    id: string;
    /** What people call it; empty until the ticket system gave one. */
    number: string;
    /** Where it stands. */
    status: Status;
    /** 1 (highest) to 4, by the MSP's matrix of impact and urgency. */
    priority: number;
    /** How often it was raised. */
    occurrences: number;
    /** When it was opened. */
    openedMs: TimestampMs;
    /** When it last changed. */
    updatedMs: TimestampMs;
    /**
     * More by name, where it has them: `queue`, `assignee`, `first-response-ms`, `resolved-ms`, `person-replied`, and from other ticket
     * systems `url`, `team`, `system-status`, `sla-state`.
     */
    attributes: ReceivedAttributes;
  }

  /** What became of a draft. Closed: grows in `change` and `ticket`. */
  export interface Raised {
    /** What was done. */
    outcome: RaiseOutcome;
    /** The same for journal and plan. States read `new, priority 2, 1 occurrence`; the attribute `outcome` holds in a dry run too. */
    change: Change;
    /** The ticket; none in a dry run that would create it, or where suppressed. */
    ticket: TicketView | undefined;
    /** Why it was suppressed; else empty. */
    reason: string;
  }

  /**
   * Creates a ticket, adds an occurrence to the open one of this fingerprint, or reopens it within its window. What the draft states
   * replaces what was stated before, and the priority follows. Works without a hub: kept on the device until it is reached.
   *
   * @throws {HostError}
   */
  export function raiseTicket(ticket: Draft): Raised;

  /**
   * Adds a note, CommonMark, at most 32 KiB, at most 500 a ticket (`limit`). `not-found` where no ticket of this fingerprint is open.
   *
   * @throws {HostError}
   */
  export function addNote(fingerprint: Fingerprint, body: string, visibility: Visibility): Change;

  /**
   * Attaches a file, at most 1 MiB, name at most 255 bytes without a path; at most 16 a ticket (`limit`). `unchanged` where the same
   * content is already attached under this name; `after` is its digest. `not-found` where no ticket of this fingerprint is open.
   *
   * @throws {HostError}
   */
  export function attachFile(fingerprint: Fingerprint, name: string, mediaType: string, content: Uint8Array | string): Change;

  /**
   * Resolves the open ticket of this fingerprint. `unchanged` where there is none; `conflict` (code `person-replied`) where a person
   * has replied, and it then stays open with a note.
   *
   * @throws {HostError}
   */
  export function resolveIfMine(fingerprint: Fingerprint, resolution: string): Change;

  export {};
}
