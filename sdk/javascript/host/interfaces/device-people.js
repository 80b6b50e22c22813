// Written by `cargo xtask declarations` out of wit/device-people.wit.
import * as host from "msp:automation/device-people@1.0.0";
import { bind } from "../call.js";
import { whole } from "../shapes.js";
import { TimestampMs } from "./types.js";

export const listSessions = bind("listSessions", host.listSessions, {});
export const listUsers = bind("listUsers", host.listUsers, {});
export const listLogins = bind("listLogins", host.listLogins, { sinceMs: TimestampMs, limit: whole("0", "4294967295") });
