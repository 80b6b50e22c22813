// Written by `cargo xtask declarations` out of wit/run.wit.
import * as host from "msp:automation/run@1.0.0";
import { bind } from "../call.js";
import { bytes, float, text, whole, word } from "../shapes.js";
import { Attributes } from "./types.js";

export const LogLevel = word(["trace", "debug", "info", "warn", "error"]);
export const getContext = bind("getContext", host.getContext, {});
export const getParameters = bind("getParameters", host.getParameters, {});
export const getTrigger = bind("getTrigger", host.getTrigger, {});
export const log = bind("log", host.log, { level: LogLevel, message: text, fields: Attributes });
export const progress = bind("progress", host.progress, { percent: whole("0", "4294967295"), message: text });
export const metric = bind("metric", host.metric, { name: text, value: float, unit: text, labels: Attributes });
export const isCancelled = bind("isCancelled", host.isCancelled, {});
export const now = bind("now", host.now, {});
export const sleep = bind("sleep", host.sleep, { millis: whole("0", "4294967295") });
export const checkpoint = bind("checkpoint", host.checkpoint, { state: bytes });
export const resumed = bind("resumed", host.resumed, {});
