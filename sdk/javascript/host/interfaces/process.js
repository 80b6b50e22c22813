// Written by `cargo xtask declarations` out of wit/process.wit.
import * as host from "msp:automation/process@1.0.0";
import { bind } from "../call.js";
import { whole } from "../shapes.js";

export const listProcesses = bind("listProcesses", host.listProcesses, {});
export const getProcess = bind("getProcess", host.getProcess, { pid: whole("0", "4294967295") });
