// Written by `cargo xtask declarations` out of wit/secrets.wit.

/**
 * Opens secrets for use. Each function says how the secret will be used, the operator said where it may be (`remit secret set --for`);
 * nothing gives its bytes, and what comes back from where it was used is masked. A new way of use is a new function.
 *
 * Class: L2, although it changes nothing: it is never granted without a person. Reads.
 * Scope: names of secrets: `secrets [halo-token]`.
 * Dry run: as in enforce; secrets are opened, and used by readers only.
 */
declare module "msp:automation/secrets" {
  import type { TimestampMs, Attributes, ReceivedAttributes, Secret } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes, Secret };

  /** What may be known of a secret. */
  export interface SecretInfo {
    /** Its name. */
    name: string;
    /** When it was set. */
    setMs: TimestampMs;
    /** When it expires; none for never. */
    expiresMs: TimestampMs | undefined;
    /**
     * Where it may be redeemed: `http:api.example.com` (over TLS only; `http:api.example.com:8443` for another port), `notify:on-call`,
     * `account:backup`.
     */
    places: string[];
    /** More by name. */
    attributes: ReceivedAttributes;
  }

  /**
   * What is known of a secret. `not-found` where it is in the scope, but was never set; the other functions answer so too, and
   * `denied` (code `secret-expired`) where it has expired.
   *
   * @throws {HostError}
   */
  export function describeSecret(name: string): SecretInfo;

  /**
   * For a request: `Authorization: Bearer` and the secret.
   *
   * @throws {HostError}
   */
  export function openBearer(name: string): Secret;

  /**
   * For a request: `Authorization: Basic` with this user (without colon) and the secret as password.
   *
   * @throws {HostError}
   */
  export function openBasic(name: string, user: string): Secret;

  /**
   * For a request: this header, with `prefix` and the secret as its value (`X-Api-Key`, empty; `Authorization`, `Token `).
   *
   * @throws {HostError}
   */
  export function openHeader(name: string, header: string, prefix: string): Secret;

  /**
   * For interfaces that take a password or passphrase.
   *
   * @throws {HostError}
   */
  export function openPassword(name: string): Secret;

  export {};
}
