// Written by `cargo xtask declarations` out of wit/files.wit.
import * as host from "msp:automation/files@1.0.0";
import { bind } from "../call.js";
import { option, record, text, whole } from "../shapes.js";
import { TimestampMs, Attributes } from "./types.js";

export const Selection = record({
  maxDepth: whole("0", "4294967295"),
  pattern: option(text),
  modifiedBeforeMs: option(TimestampMs),
  minSizeBytes: option(whole("0", "18446744073709551615")),
  limit: whole("0", "4294967295"),
  attributes: Attributes,
});
export const listRoots = bind("listRoots", host.listRoots, {});
export const getEntry = bind("getEntry", host.getEntry, { root: text, path: text });
export const findEntries = bind("findEntries", host.findEntries, { root: text, path: text, selection: Selection });
export const getUsage = bind("getUsage", host.getUsage, { root: text, path: text });
export const readFile = bind("readFile", host.readFile, { root: text, path: text, offset: whole("0", "18446744073709551615"), length: whole("0", "4294967295") });
export const readTail = bind("readTail", host.readTail, { root: text, path: text, lines: whole("0", "4294967295") });
export const getSha256 = bind("getSha256", host.getSha256, { root: text, path: text });
