// Sends the same hostile payments to the official merchant and facilitator and to purser's, and compares every answer
// with what cases.mjs says. A change on either side shows.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cases } from "./cases.mjs";
import { ask, decode, offerOf, pay } from "./forge.mjs";
import { World, price } from "./world.mjs";

const minutes = 60_000;
const copies = 8;

describe("hostile payments", { timeout: 15 * minutes }, () => {
  let world;
  let rich;
  let poor;
  const shops = {};

  before(async () => {
    world = await World.open();
    rich = await world.account({ tokens: 1_000n * price });
    poor = await world.account();
    for (const kind of ["official", "purser"]) {
      const merchant = await world.merchant(kind, kind);
      shops[kind] = { merchant, facilitator: world.facilitators[kind], ...(await offerOf(merchant)) };
    }
  }, { timeout: 5 * minutes });

  after(() => world?.close());

  for (const c of cases) {
    test(c.name, async () => {
      const buyer = c.poor ? poor : rich;
      for (const kind of ["official", "purser"]) {
        const want = kind === "official" ? c : { ...c, ...c.purser };
        if (c.verify !== undefined) {
          assert.equal(match(want.verify, await verified(shops[kind], buyer, c.change)), want.verify, `${kind} facilitator`);
        }
        if (c.merchant !== undefined) {
          assert.equal(match(want.merchant, await sold(shops[kind], buyer, c.change)), want.merchant, `${kind} merchant`);
        }
      }
    });
  }

  test("a spent payment buys nothing again at the official merchant", async () => {
    const { answer, again, moved } = await payTwice(shops.official);
    assert.equal(answer.status, 200);
    assert.equal(told(again), "402 invalid_exact_evm_transaction_simulation_failed");
    assert.equal(moved, price);
  });

  test("a spent payment gets its own stored answer again from the purser merchant, and nothing new", async () => {
    const { answer, again, moved, envelope, headers } = await payTwice(shops.purser);
    assert.equal(answer.status, 200);
    assert.deepEqual([again.status, again.body, again.headers["payment-response"]], [200, answer.body, answer.headers["payment-response"]]);
    assert.equal(moved, price);
    const elsewhere = await ask(`${shops.purser.merchant.url}?other=1`, { headers });
    assert.equal(elsewhere.headers["payment-response"], undefined, "the same payment was spent on another request");
    assert.notEqual(elsewhere.status, 200);
    const settled = JSON.parse((await post(shops.purser.facilitator, "settle", envelope)).body);
    assert.deepEqual([settled.success, settled.errorReason], [false, "invalid_exact_evm_nonce_already_used"]);
  });

  test("eight copies of one payment at once are sold and settled once by purser", async (t) => {
    const shop = shops.purser;
    const { headers } = await pay(world, rich, shop);
    const earned = await world.balance(shop.merchant.payTo);
    const answers = await Promise.all(Array.from({ length: copies }, () => ask(shop.merchant.url, { headers })));
    t.diagnostic(answers.map(told).sort().join(" | "));
    assert.equal((await world.balance(shop.merchant.payTo)) - earned, price);
    for (const { status } of answers) assert.ok([200, 409].includes(status), `${status}`);
    const bodies = new Set(answers.filter(({ status }) => status === 200).map(({ headers: h }) => h["payment-response"]));
    assert.equal(bodies.size, 1, "every copy that was answered got the one answer");
  });

  test("eight payments at once all succeed through the purser facilitator", async () => {
    const shop = shops.purser;
    const earned = await world.balance(shop.merchant.payTo);
    const payments = [];
    for (let i = 0; i < copies; i++) payments.push(await pay(world, rich, shop));
    const answers = await Promise.all(payments.map(({ headers }) => ask(shop.merchant.url, { headers })));
    assert.deepEqual(answers.map(({ status }) => status), Array(copies).fill(200));
    assert.equal((await world.balance(shop.merchant.payTo)) - earned, BigInt(copies) * price);
  });

  async function payTwice(shop) {
    const earned = await world.balance(shop.merchant.payTo);
    const { headers, envelope } = await pay(world, rich, shop);
    const answer = await ask(shop.merchant.url, { headers });
    const again = await ask(shop.merchant.url, { headers });
    return { answer, again, headers, envelope, moved: (await world.balance(shop.merchant.payTo)) - earned };
  }

  // A want that is only a status compares only the status: the text is the official package's own exception.
  function match(want, got) {
    return /^\d+$/.test(want ?? "") ? got.split(" ")[0] : got;
  }

  async function verified(shop, buyer, change) {
    const { envelope } = await pay(world, buyer, shop, change);
    const answer = await post(shop.facilitator, "verify", envelope);
    const body = JSON.parse(answer.body);
    return `${answer.status} ${body.isValid === true ? "valid" : (body.invalidReason ?? body.error)}`;
  }

  async function sold(shop, buyer, change) {
    const { headers } = await pay(world, buyer, shop, change);
    const earned = await world.balance(shop.merchant.payTo);
    const answer = await ask(shop.merchant.url, { headers });
    const moved = (await world.balance(shop.merchant.payTo)) - earned;
    assert.ok(moved === 0n || (moved === price && answer.status === 200), `${answer.status} and ${moved} moved`);
    return answer.status === 200 && moved === price ? "200 moved" : told(answer);
  }

  function told({ status, headers }) {
    const required = headers["payment-required"];
    const response = headers["payment-response"];
    if (required !== undefined) return `${status} ${decode(required).error}`;
    return response === undefined ? String(status) : `${status} ${decode(response).errorReason ?? "settled"}`;
  }

  function post(facilitator, step, envelope) {
    return ask(`${facilitator.url}/${step}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(envelope) });
  }
});
