import { Plugin, keep } from "./guest";
import { DecideRequest, DecideResult, Facts, Outcome, Reason } from "./messages";

/** Says deny, hold or allow to a payment. A trap, a missing intent and a module without a policy deny. */
export abstract class Policy extends Plugin {
  /**
   * Judges one payment. intent, quote, agent and facts of the request are never null; the histories in facts are null
   * unless the manifest asks for them. The answer must depend on nothing but the request and the settings: what is
   * written to memory here is gone before the next call.
   */
  abstract decide(request: DecideRequest): DecideResult;
}

let policy: Policy | null = null;

/** Makes the policy that of this module. Call it once, at the top level. */
export function register(only: Policy): void {
  keep(only);
  policy = only;
}

/** Says yes. */
export function allow(): DecideResult {
  const result = new DecideResult();
  result.outcome = Outcome.Allow;
  return result;
}

/** Asks for a person. The code is stable and snake_case, the text is for people. */
export function hold(code: string, text: string): DecideResult {
  return because(Outcome.Hold, code, text);
}

/** Says no. The code is stable and snake_case, the text is for people. */
export function deny(code: string, text: string): DecideResult {
  return because(Outcome.Deny, code, text);
}

function because(outcome: Outcome, code: string, text: string): DecideResult {
  const reason = new Reason();
  reason.code = code;
  reason.text = text;
  const result = new DecideResult();
  result.outcome = outcome;
  result.reasons.push(reason);
  return result;
}

/** Does what the host's decide call does. */
export function decide(request: DecideRequest): DecideResult {
  const registered = policy;
  if (registered === null || request.intent === null || request.quote === null || request.agent === null) {
    return deny("request_incomplete", "no policy, or a request without intent, quote or agent");
  }
  if (request.facts === null) request.facts = new Facts();
  return registered.decide(request);
}
