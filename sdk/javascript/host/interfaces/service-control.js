// Written by `cargo xtask declarations` out of wit/service-control.wit.
import * as host from "msp:automation/service-control@1.0.0";
import { bind } from "../call.js";
import { text, whole } from "../shapes.js";
import { StartType } from "./types.js";

export const startService = bind("startService", host.startService, { name: text, waitMs: whole("0", "4294967295") });
export const stopService = bind("stopService", host.stopService, { name: text, waitMs: whole("0", "4294967295") });
export const restartService = bind("restartService", host.restartService, { name: text, waitMs: whole("0", "4294967295") });
export const reloadService = bind("reloadService", host.reloadService, { name: text });
export const setStartType = bind("setStartType", host.setStartType, { name: text, startType: StartType });
