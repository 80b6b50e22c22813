// Written by `cargo xtask declarations` out of wit/http.wit.

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
declare module "msp:automation/http" {
  import type { TimestampMs, Attributes, ReceivedAttributes, HttpRequest, HttpResponse, Secret } from "msp:automation/types";
  export type { TimestampMs, Attributes, ReceivedAttributes, HttpRequest, HttpResponse, Secret };

  /** A certificate that a server showed (osquery `curl_certificate`). */
  export interface ServerCertificate {
    /** Subject's common name; may be empty. */
    commonName: string;
    /** Issuer's. */
    issuer: string;
    /** DNS names and addresses that it is for. */
    alternativeNames: string[];
    /** Valid from. */
    validFromMs: TimestampMs;
    /** Valid to. */
    validToMs: TimestampMs;
    /** SHA-256 of the DER form, lower-case hex. */
    sha256: string;
    /** More by name: `serial`, `key-algorithm`, `signature-algorithm`. */
    attributes: ReceivedAttributes;
  }

  /** What a server showed. */
  export interface ServerChain {
    /** The server's own first, as sent, at most 10. */
    certificates: ServerCertificate[];
    /**
     * Empty where this machine would trust it; else a word: `expired`, `self-signed`, `name-mismatch`, `unknown-issuer`, `not-yet-valid`,
     * or `untrusted` for anything else.
     */
    problem: string;
    /** More by name: `tls-version`, `cipher`, `remote-address`. */
    attributes: ReceivedAttributes;
  }

  /**
   * GET. No connection, no TLS: `unavailable`; no answer in time: `timeout`; an address or a redirect outside the scope: `denied` (codes
   * `address`, `redirect`). The secret goes over TLS only, to the places that it is for (`denied`, code `place`), and is left out
   * once a redirect has left the origin. Where redirects may not be followed any further, the last answer is a 3xx.
   *
   * @throws {HostError}
   */
  export function get(request: HttpRequest, authorization?: Secret | null): HttpResponse;

  /**
   * HEAD.
   *
   * @throws {HostError}
   */
  export function head(request: HttpRequest, authorization?: Secret | null): HttpResponse;

  /**
   * The certificates of the server at an `https` URL, also where they are not trusted; nothing is asked of it. `timeout-ms` as
   * in a request.
   *
   * @throws {HostError}
   */
  export function getCertificates(url: string, timeoutMs: number): ServerChain;

  export {};
}
