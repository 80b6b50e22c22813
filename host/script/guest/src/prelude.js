// Runs before every script, in strict mode, as an expression: (log) => ((error) => HostError).
(log) => {
  "use strict";
  const { stringify } = JSON;
  const text = String;
  const show = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : `${value}`;
    if (typeof value === "object" && value !== null) {
      try {
        return stringify(value);
      } catch {
        return text(value);
      }
    }
    return text(value);
  };
  // No method of a prototype: a script may have changed it.
  const at = (level) => (...values) => {
    let line = "";
    for (let i = 0; i < values.length; i++) line += (i ? " " : "") + show(values[i]);
    log(level, line);
  };
  const console = Object.freeze({
    trace: at("trace"), debug: at("debug"), log: at("info"), info: at("info"), warn: at("warn"), error: at("error"),
  });
  /** What the host answers instead of doing what was asked. */
  class HostError extends Error {
    constructor(error) {
      super(error.message);
      this.kind = error.kind;
      this.code = error.code;
      this.retryAfterMs = error.retryAfterMs;
      this.attributes = error.attributes;
    }
  }
  Object.defineProperty(HostError.prototype, "name", { value: "HostError" });
  for (const [name, value] of [["console", console], ["HostError", HostError]]) {
    Object.defineProperty(globalThis, name, { value, writable: false, configurable: false, enumerable: false });
  }
  return (error) => new HostError(error);
}
