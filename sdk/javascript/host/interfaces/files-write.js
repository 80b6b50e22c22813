// Written by `cargo xtask declarations` out of wit/files-write.wit.
import * as host from "msp:automation/files-write@1.0.0";
import { bind } from "../call.js";
import { bytes, list, text, word } from "../shapes.js";
import { TimestampMs } from "./types.js";

export const WriteMode = word(["create", "replace", "append"]);
export const writeFile = bind("writeFile", host.writeFile, { root: text, path: text, content: bytes, mode: WriteMode });
export const makeFolder = bind("makeFolder", host.makeFolder, { root: text, path: text });
export const removeEntries = bind("removeEntries", host.removeEntries, { root: text, paths: list(text), unchangedSinceMs: TimestampMs });
