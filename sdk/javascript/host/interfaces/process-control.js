// Written by `cargo xtask declarations` out of wit/process-control.wit.
import * as host from "msp:automation/process-control@1.0.0";
import { bind } from "../call.js";
import { whole } from "../shapes.js";
import { TimestampMs } from "./types.js";

export const terminateProcess = bind("terminateProcess", host.terminateProcess, { pid: whole("0", "4294967295"), startedMs: TimestampMs, graceMs: whole("0", "4294967295") });
