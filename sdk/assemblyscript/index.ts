// Everything a plugin is written with. What its module exports is in exports/.

export { Amount, amountDigitsMax } from "./assembly/amount";
export { Adapter, registerAdapter, reject } from "./assembly/chain";
export { Config } from "./assembly/config";
export { log } from "./assembly/log";
export * from "./assembly/messages";
export { Policy, allow, deny, hold, register } from "./assembly/policy";
