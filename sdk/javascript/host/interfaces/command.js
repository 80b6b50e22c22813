// Written by `cargo xtask declarations` out of wit/command.wit.
import * as host from "msp:automation/command@1.0.0";
import { bind } from "../call.js";
import { text, whole } from "../shapes.js";
import { Attributes } from "./types.js";

export const listTemplates = bind("listTemplates", host.listTemplates, {});
export const runCommand = bind("runCommand", host.runCommand, { template: text, arguments: Attributes, timeoutMs: whole("0", "4294967295") });
