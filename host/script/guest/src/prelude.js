// Runs before every script, in strict mode, as an expression: (log, encode, decode) => ((error) => HostError).
(log, encode, decode) => {
  "use strict";
  const { stringify } = JSON;
  const { isView } = ArrayBuffer;
  const { defineProperty, freeze } = Object;
  // As they are now: a script may put others in their place.
  const { RangeError, Uint8Array } = globalThis;
  const text = String;
  const written = (value) => {
    if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : `${value}`;
    if (typeof value !== "object" || value === null) return text(value);
    try {
      return text(stringify(value));
    } catch {
      return text(value);
    }
  };
  // A value that cannot be shown is no reason for a script to fail.
  const show = (value) => {
    if (typeof value === "string") return value;
    try {
      return written(value);
    } catch {
      return `[${typeof value}]`;
    }
  };
  // No method of a prototype: a script may have changed it.
  const at = (level) => (...values) => {
    let line = "";
    for (let i = 0; i < values.length; i++) line += (i ? " " : "") + show(values[i]);
    log(level, line);
  };
  const console = freeze({
    trace: at("trace"), debug: at("debug"), log: at("info"), info: at("info"), warn: at("warn"), error: at("error"),
  });
  const own = (object, name, value) =>
    defineProperty(object, name, { __proto__: null, value, writable: true, configurable: true, enumerable: true });
  /** What the host answers instead of doing what was asked. */
  class HostError extends Error {
    constructor(error) {
      super(error.message);
      // Its own, whatever a script made of the prototypes above.
      own(this, "kind", error.kind);
      own(this, "code", error.code);
      own(this, "retryAfterMs", error.retryAfterMs);
      own(this, "attributes", error.attributes);
    }
  }
  defineProperty(HostError.prototype, "name", { value: "HostError" });
  freeze(HostError.prototype);
  freeze(HostError);
  /** Text to UTF-8, as the Encoding Standard has it. */
  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(input = "") { return encode(text(input)); }
  }
  /** UTF-8 to text, as the Encoding Standard has it, but for streams and other encodings. */
  class TextDecoder {
    #fatal;
    #keepsMark;
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      if (label !== "utf-8" && label !== "utf8" && label !== "UTF-8") throw new RangeError(`no such encoding here: ${text(label)}; there is utf-8`);
      this.#fatal = !!fatal;
      this.#keepsMark = !!ignoreBOM;
    }
    get encoding() { return "utf-8"; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#keepsMark; }
    decode(input) {
      if (input === undefined) return "";
      const bytes = isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
      return decode(bytes, this.#fatal, this.#keepsMark);
    }
  }
  for (const [name, value] of [["console", console], ["HostError", HostError], ["TextEncoder", TextEncoder], ["TextDecoder", TextDecoder]]) {
    defineProperty(globalThis, name, { value, writable: false, configurable: false, enumerable: false });
  }
  return (error) => new HostError(error);
}
