// What a plugin threw and did not catch, as the contract's error: file, line and column of its own code, and no trap.

import { Failure } from "./interfaces/types.js";
import { Wrong } from "./shapes.js";
import { encode } from "./utf8.js";

const MESSAGE_BYTES_MAX = 1024;
const ATTRIBUTE_BYTES_MAX = 4096;

/** Where the plugin's own modules lie while it is built. */
const FOLDER = "/.remit/build/plugin/";
/** Where these lie: nobody wants to read of them. */
const OWN = "/.remit/build/";

const cut = (text, most) => {
  if (text.length * 3 <= most) return text;
  let [kept, bytes] = ["", 0];
  for (const character of text) {
    bytes += encode(character).length;
    if (bytes > most) break;
    kept += character;
  }
  return kept;
};

/** The innermost place that is the plugin's. */
const position = (stack) => {
  const found = /\/\.remit\/build\/plugin\/([^\s()]+):(\d+):(\d+)/.exec(stack);
  return found ? { file: found[1], line: found[2], column: found[3] } : undefined;
};

const readable = (stack) => {
  const lines = stack.split("\n").map((line) => line.replace(FOLDER, "")).filter((line) => line && !line.includes(OWN));
  return lines.join("\n");
};

/** The contract's error, where it was one: from the host, or the plugin's own. */
const ofHost = (thrown) => {
  if (typeof thrown !== "object" || thrown === null || !("kind" in thrown)) return undefined;
  const { kind, code, message, retryAfterMs, attributes } = thrown;
  try {
    return Failure({ kind, code, message, retryAfterMs, attributes }, "");
  } catch (wrong) {
    if (wrong instanceof Wrong) return undefined;
    throw wrong;
  }
};

const said = (thrown) => {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  try {
    return String(thrown);
  } catch {
    return "something";
  }
};

/** What was thrown, as the host takes it. `file` is the plugin's first module. */
export const failure = (thrown, file) => {
  const stack = thrown instanceof Error ? String(thrown.stack ?? "") : "";
  const place = position(stack);
  const error = ofHost(thrown) ?? { kind: "other", code: "threw", message: said(thrown), retryAfterMs: null, attributes: [] };
  const attributes = [...error.attributes, ["file", place?.file ?? file]];
  if (place) attributes.push(["line", place.line], ["column", place.column]);
  if (stack) attributes.push(["stack", readable(stack)]);
  // Who reads one line reads where.
  const at = place ? `${place.file}:${place.line}:${place.column}` : file;
  error.message = cut(`${at}: ${error.message}`, MESSAGE_BYTES_MAX);
  error.attributes = attributes.map(([name, value]) => [name, cut(value, ATTRIBUTE_BYTES_MAX)]);
  return error;
};

/** What was answered is no answer. */
export const wrongAnswer = (name, wrong, file) => ({
  kind: "other",
  code: "answer",
  message: cut(`${file}: what \`${name}\` answered: ${wrong}`, MESSAGE_BYTES_MAX),
  retryAfterMs: null,
  attributes: [["file", file]],
});
