// `fetch` over `http` and `http-write`. The host answers at once, so nothing here is a promise; `await` may stand before it.

import * as reads from "./interfaces/http.js";
import * as writes from "./interfaces/http-write.js";

const READS = { GET: reads.get, HEAD: reads.head };
const WRITES = ["POST", "PUT", "PATCH", "DELETE"];
/** As far as the host goes. */
const REDIRECTS_MAX = "5";

/** Names in any case, and values in the order received. */
class Headers {
  #all;

  constructor(pairs) {
    this.#all = pairs.map(([name, value]) => [name.toLowerCase(), value]);
  }

  get(name) {
    const found = this.#all.filter(([it]) => it === name.toLowerCase()).map(([, value]) => value);
    return found.length ? found.join(", ") : null;
  }

  has(name) {
    return this.get(name) !== null;
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  entries() {
    return this[Symbol.iterator]();
  }

  forEach(each) {
    for (const [name, value] of this) each(value, name, this);
  }

  *[Symbol.iterator]() {
    for (const name of new Set(this.#all.map(([it]) => it))) yield [name, this.get(name)];
  }
}

/** A whole answer. */
class Response {
  #body;

  constructor(url, answer, change) {
    const attributes = Object.fromEntries(answer.attributes);
    this.#body = answer.body;
    this.status = answer.status;
    this.ok = answer.status >= 200 && answer.status < 300;
    this.statusText = "";
    this.headers = new Headers(answer.headers);
    this.url = attributes["final-url"] ?? url;
    this.redirected = this.url !== url;
    this.truncated = answer.truncated;
    this.change = change;
  }

  bytes() {
    return this.#body;
  }

  arrayBuffer() {
    return this.#body.slice().buffer;
  }

  text() {
    return new TextDecoder().decode(this.#body);
  }

  json() {
    return JSON.parse(this.text());
  }
}

/** Asks a server. What the host refuses is thrown as a HostError; an answer of 4xx or 5xx is an answer. */
export const fetch = (input, init = {}) => {
  const url = String(input);
  const method = (init.method ?? "GET").toUpperCase();
  const redirect = init.redirect ?? "follow";
  const headers = Array.isArray(init.headers) ? init.headers : Object.entries(init.headers ?? {});
  const request = { url, headers, timeoutMs: init.timeoutMs ?? 0, attributes: init.attributes };
  if (WRITES.includes(method)) {
    const { response, change } = writes.send(method.toLowerCase(), request, init.body ?? "", init.authorization);
    return new Response(url, response, change);
  }
  const ask = READS[method];
  if (!ask) throw new TypeError(`fetch: the method is ${method}, and must be one of GET, HEAD, ${WRITES.join(", ")}`);
  if (init.body !== undefined && init.body !== null) throw new TypeError(`fetch: ${method} has no body`);
  if (redirect === "follow") request.attributes = { "max-redirects": REDIRECTS_MAX, ...init.attributes };
  const response = new Response(url, ask(request, init.authorization), undefined);
  if (redirect === "error" && response.status >= 300 && response.status < 400) {
    throw new TypeError(`fetch: ${url} answers with a redirect`);
  }
  return response;
};
