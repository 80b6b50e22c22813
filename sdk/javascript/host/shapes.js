// What may be handed to the host, and how it becomes what the component's boundary takes: a value that it does not take would end the
// run in a trap. A shape is a function of a value and its path, and throws a Wrong.

import { encode } from "./utf8.js";

/** What is wrong with a value, and where in it. */
export class Wrong {
  constructor(path, what) {
    this.path = path;
    this.what = what;
  }

  toString() {
    return this.path ? `\`${this.path}\` ${this.what}` : this.what;
  }
}

const kind = (value) => {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Uint8Array) return "bytes";
  if (opened.has(value)) return "a secret";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

const refuse = (value, path, wanted) => {
  throw new Wrong(path, `must be ${wanted}, and is ${kind(value)}`);
};

/** Secrets that the host has opened. */
export const opened = new WeakSet();

export const bool = (value, path) => (typeof value === "boolean" ? value : refuse(value, path, "a boolean"));

export const float = (value, path) => (typeof value === "number" ? value : refuse(value, path, "a number"));

export const text = (value, path) => (typeof value === "string" ? value : refuse(value, path, "a string"));

export const whole = (least, most) => (value, path) => {
  const number = typeof value === "bigint" ? Number(value) : float(value, path);
  if (Number.isInteger(number) && number >= Number(least) && number <= Number(most)) return number;
  throw new Wrong(path, `must be a whole number from ${least} to ${most}, and is ${number}`);
};

export const word = (words) => (value, path) => {
  if (words.includes(value)) return value;
  const wanted = `one of ${words.map((it) => `\`${it}\``).join(", ")}`;
  if (typeof value !== "string") refuse(value, path, wanted);
  throw new Wrong(path, `must be ${wanted}, and is \`${value}\``);
};

export const bytes = (value, path) => {
  if (typeof value === "string") return encode(value);
  return value instanceof Uint8Array ? value : refuse(value, path, "a Uint8Array or a string");
};

export const secret = (value, path) => (opened.has(value) ? value : refuse(value, path, "a secret that was opened"));

export const option = (shape) => (value, path) => (value === undefined || value === null ? null : shape(value, path));

/** One that is left out is empty, and pairs may be written as an object. */
export const list = (shape) => (value, path) => {
  let items = value;
  if (value === undefined || value === null) items = [];
  else if (kind(value) === "an object") items = Object.entries(value).filter(([, it]) => it !== undefined);
  else if (!Array.isArray(value)) refuse(value, path, "an array");
  return Array.from(items, (item, at) => shape(item, `${path}[${at}]`));
};

export const pair = (first, second) => (value, path) => {
  if (!Array.isArray(value)) refuse(value, path, "a pair");
  if (value.length !== 2) throw new Wrong(path, "must be a pair");
  return [first(value[0], path), second(value[1], path)];
};

export const record = (fields) => {
  const names = Object.keys(fields);
  const known = names.map((name) => `\`${name}\``).join(", ");
  return (value, path) => {
    if (kind(value) !== "an object") refuse(value, path, "an object");
    for (const name of Object.keys(value)) {
      if (value[name] === undefined || names.includes(name)) continue;
      throw new Wrong(path, `has \`${name}\`, which is none of ${known}`);
    }
    const taken = {};
    for (const name of names) taken[name] = fields[name](value[name], path ? `${path}.${name}` : name);
    return taken;
  };
};
