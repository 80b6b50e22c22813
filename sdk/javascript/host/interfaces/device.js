// Written by `cargo xtask declarations` out of wit/device.wit.
import * as host from "msp:automation/device@1.0.0";
import { bind } from "../call.js";

export const getIdentity = bind("getIdentity", host.getIdentity, {});
export const getOs = bind("getOs", host.getOs, {});
export const getHardware = bind("getHardware", host.getHardware, {});
export const listVolumes = bind("listVolumes", host.listVolumes, {});
export const listNetworkInterfaces = bind("listNetworkInterfaces", host.listNetworkInterfaces, {});
export const getLoad = bind("getLoad", host.getLoad, {});
export const getRebootState = bind("getRebootState", host.getRebootState, {});
