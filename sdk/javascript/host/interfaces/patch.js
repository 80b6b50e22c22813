// Written by `cargo xtask declarations` out of wit/patch.wit.
import * as host from "msp:automation/patch@1.0.0";
import { bind } from "../call.js";
import { whole } from "../shapes.js";
import { TimestampMs } from "./types.js";

export const listUpdates = bind("listUpdates", host.listUpdates, {});
export const listHistory = bind("listHistory", host.listHistory, { sinceMs: TimestampMs, limit: whole("0", "4294967295") });
export const listSources = bind("listSources", host.listSources, {});
export const getPolicy = bind("getPolicy", host.getPolicy, {});
