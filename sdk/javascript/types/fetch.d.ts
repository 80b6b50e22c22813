/** `fetch` over `http` and `http-write`, for plugins that have a folder of their own; plugin.toml declares which of the two it may use. */
declare module "remit:fetch" {
  import type { Change, Secret } from "msp:automation/types";

  /** What is asked, beside the URL. */
  export interface RequestInit {
    /** `GET` where it is left out. `GET` and `HEAD` are of `http`, `POST`, `PUT`, `PATCH` and `DELETE` of `http-write`. */
    method?: string;
    headers?: readonly (readonly [string, string])[] | { readonly [name: string]: string | undefined };
    body?: Uint8Array | string | null;
    /** What a browser does: `follow`, at most five, and never to a host outside the scope. Of a write, none is followed. */
    redirect?: "follow" | "manual" | "error";
    /** A secret that the host adds: of `secrets`. */
    authorization?: Secret;
    /** For the whole exchange; the host's default where it is left out. */
    timeoutMs?: number;
    /** Options by name, as those of an `HttpRequest`. */
    attributes?: { readonly [name: string]: string | undefined };
  }

  /** Names in any case. */
  export interface Headers extends Iterable<[string, string]> {
    get(name: string): string | null;
    has(name: string): boolean;
    keys(): Iterable<string>;
    values(): Iterable<string>;
    entries(): Iterable<[string, string]>;
    forEach(each: (value: string, name: string, headers: Headers) => void): void;
  }

  /** A whole answer. Nothing of it is a promise; `await` may stand before it. */
  export interface Response {
    readonly status: number;
    /** Whether the status is 2xx. */
    readonly ok: boolean;
    readonly statusText: string;
    readonly headers: Headers;
    /** Where the answer came from. */
    readonly url: string;
    readonly redirected: boolean;
    /** Whether the body was cut at the limit. */
    readonly truncated: boolean;
    /** Of a write: what it did. In a dry run it is planned, and the status is 0. */
    readonly change: Change | undefined;
    text(): string;
    json(): any;
    bytes(): Uint8Array;
    arrayBuffer(): ArrayBuffer;
  }

  /**
   * Asks a server. An answer of 4xx or 5xx is an answer.
   *
   * @throws {HostError}
   */
  export function fetch(url: string, init?: RequestInit): Response;

  export {};
}
