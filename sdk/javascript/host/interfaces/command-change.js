// Written by `cargo xtask declarations` out of wit/command-change.wit.
import * as host from "msp:automation/command-change@1.0.0";
import { bind } from "../call.js";
import { text, whole } from "../shapes.js";
import { Attributes } from "./types.js";

export const runCommand = bind("runCommand", host.runCommand, { template: text, arguments: Attributes, timeoutMs: whole("0", "4294967295") });
