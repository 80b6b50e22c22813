// Written by `cargo xtask declarations` out of wit/service.wit.
import * as host from "msp:automation/service@1.0.0";
import { bind } from "../call.js";
import { text } from "../shapes.js";

export const listServices = bind("listServices", host.listServices, {});
export const getService = bind("getService", host.getService, { name: text });
export const listDependencies = bind("listDependencies", host.listDependencies, { name: text });
