// Written by `cargo xtask declarations` out of wit/files-erase.wit.
import * as host from "msp:automation/files-erase@1.0.0";
import { bind } from "../call.js";
import { list, text } from "../shapes.js";
import { TimestampMs } from "./types.js";

export const eraseEntries = bind("eraseEntries", host.eraseEntries, { root: text, paths: list(text), unchangedSinceMs: TimestampMs });
