// Written by `cargo xtask declarations` out of wit/http-write.wit.

/**
 * Requests that may change something on a server. Cannot be undone from here.
 *
 * Class: L3. Changes.
 * Scope: methods and origins: `http-write [POST https://api.example.com, 10.0.0.0/8]`; a range lets such addresses be reached, and allows no
 * request by itself.
 * Dry run: `planned` in `change`, status 0 and an empty body; what the answer would have been is unknown, so the plan is incomplete from there.
 */
declare module "msp:automation/http-write" {
  import type { HttpRequest, HttpResponse, Secret, Change } from "msp:automation/types";
  export type { HttpRequest, HttpResponse, Secret, Change };

  /** What is asked. Closed: RFC 9110's and RFC 5789's methods with a body; others become functions. */
  export type Method = "post" | "put" | "patch" | "delete";

  /** An answer. Closed: grows in `response` and `change`. */
  export interface Sent {
    /** The whole response; in a dry run an empty one. */
    response: HttpResponse;
    /** `changed` for 2xx and 3xx, else `unknown`: a server that failed may have acted. `after` is `sent`. */
    change: Change;
  }

  /**
   * Sends at most 1 MiB of body, once: never repeated by the host, and no redirect is followed (`max-redirects` is `invalid`).
   *
   * @throws {HostError}
   */
  export function send(method: Method, request: HttpRequest, body: Uint8Array | string, authorization?: Secret | null): Sent;

  export {};
}
