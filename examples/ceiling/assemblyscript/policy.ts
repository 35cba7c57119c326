import { Amount, Config, DecideRequest, DecideResult, Policy, allow, deny, register } from "@purserhq/sdk-assemblyscript";
export * from "@purserhq/sdk-assemblyscript/exports/policy";

class Ceiling extends Policy {
  ceiling: Amount = Amount.zero;

  configure(config: Config): void {
    this.ceiling = config.amount("/ceiling");
  }

  decide(request: DecideRequest): DecideResult {
    if (request.intent!.amount > this.ceiling) {
      return deny("ceiling_exceeded", "the amount is above the ceiling of " + this.ceiling.toString());
    }
    return allow();
  }
}

register(new Ceiling());
