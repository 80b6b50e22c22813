// Written by `cargo xtask declarations` out of wit/secrets.wit.
import * as host from "msp:automation/secrets@1.0.0";
import { bind } from "../call.js";
import { text } from "../shapes.js";

export const describeSecret = bind("describeSecret", host.describeSecret, { name: text });
export const openBearer = bind("openBearer", host.openBearer, { name: text }, true);
export const openBasic = bind("openBasic", host.openBasic, { name: text, user: text }, true);
export const openHeader = bind("openHeader", host.openHeader, { name: text, header: text, prefix: text }, true);
export const openPassword = bind("openPassword", host.openPassword, { name: text }, true);
