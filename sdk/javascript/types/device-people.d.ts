// Written by `cargo xtask declarations` out of wit/device-people.wit.

/**
 * Who uses this machine. Reveals people: policy may mask names, which then come as pseudonyms: the same for the same name on
 * this device, and different on every other. Accounts of the system keep theirs.
 *
 * Class: L1, reveals people. Reads.
 * Scope: none.
 * Dry run: as in enforce.
 */
declare module "msp:automation/device-people" {
  import type { TimestampMs, Attributes, ReceivedAttributes } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes };

  /** Someone logged in now (osquery `logged_in_users`). */
  export interface Session {
    /** Account name. */
    user: string;
    /** `active`, `idle`, `locked`, `disconnected`. */
    state: string;
    /** Whether over the network. */
    remote: boolean;
    /** When it began. */
    startedMs: TimestampMs;
    /** Since the last input; 0 where the platform cannot tell. From ten minutes on, an `active` session is `idle`. */
    idleSeconds: number;
    /** More by name: `sid`, `terminal`, `remote-host`, `session-id`. */
    attributes: ReceivedAttributes;
  }

  /** A local account (osquery `users`). */
  export interface User {
    /** Account name. */
    name: string;
    /** uid or SID. */
    uid: string;
    /** Groups by name, the primary one first. */
    groups: string[];
    /** Whether it can log in at all: it has a shell, has not expired, and has a password that nobody locked, or keys for SSH. */
    enabled: boolean;
    /** Whether it belongs to the administrators (`root`, `sudo`, `wheel`, `Administrators`). */
    administrator: boolean;
    /** None where it never logged in, or the platform forgot. */
    lastLoginMs: TimestampMs | undefined;
    /** More by name: `full-name`, `home`, `shell`, `password-changed-ms`, `expires-ms`, `system`. */
    attributes: ReceivedAttributes;
  }

  /** A past login (osquery `last`). */
  export interface Login {
    /** Account name. */
    user: string;
    /** When. */
    atMs: TimestampMs;
    /** Whether it succeeded. */
    success: boolean;
    /** More by name: `terminal`, `remote-host`, `logon-type`, `ended-ms`. */
    attributes: ReceivedAttributes;
  }

  /**
   * Who is logged in, at most 1,000.
   *
   * @throws {HostError}
   */
  export function listSessions(): Session[];

  /**
   * Local accounts, at most 5,000; those of a directory service only where they logged in here.
   *
   * @throws {HostError}
   */
  export function listUsers(): User[];

  /**
   * Logins since then, latest first, at most `limit` (at most 5,000).
   *
   * @throws {HostError}
   */
  export function listLogins(sinceMs: TimestampMs, limit: number): Login[];

  export {};
}
