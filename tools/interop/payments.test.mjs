// Every combination of purser and the official packages in the three roles of x402 pays one request on a development
// chain. The control, where all three are official, shows that the world itself is sound.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { join } from "node:path";
import { PurserPayer } from "./purserpayer.mjs";
import { World, here, price } from "./world.mjs";

const kinds = ["official", "purser"];
const minutes = 60_000;

describe("one payment", { timeout: 10 * minutes }, () => {
  let world;
  let payer;
  const merchants = {};

  before(async () => {
    world = await World.open();
    for (const merchant of kinds) {
      for (const facilitator of kinds) {
        merchants[`${merchant} ${facilitator}`] = await world.merchant(merchant, facilitator);
      }
    }
    payer = await PurserPayer.open(world, Object.values(merchants));
  }, { timeout: 5 * minutes });

  after(() => world?.close());

  for (const facilitator of kinds) {
    for (const merchant of kinds) {
      test(`official buyer, ${merchant} merchant, ${facilitator} facilitator`, async () => {
        const shop = merchants[`${merchant} ${facilitator}`];
        const { key, address } = await world.account({ tokens: 5n * price });
        const { code, stdout, stderr } = await world.run(process.execPath,
          [join(here, "buyer.mjs"), "--network", world.chain.network, "--asset", world.chain.asset, shop.url],
          { BUYER_KEY: key });
        assert.equal(code, 0, stderr);
        const got = JSON.parse(stdout);
        assert.equal(got.status, 200, stdout);
        assert.equal(typeof JSON.parse(got.body).report, "string");
        assert.equal(got.receipt?.success, true, stdout);
        assert.equal(got.receipt.network, world.chain.network);
        await movedOnChain(got.receipt.transaction, address, shop.payTo);
        assert.equal(await world.balance(address), 4n * price);
        assert.equal(await world.balance(shop.payTo), price);
      });

      test(`purser payer, ${merchant} merchant, ${facilitator} facilitator`, async () => {
        const shop = merchants[`${merchant} ${facilitator}`];
        const [before, earned] = await Promise.all([world.balance(payer.address), world.balance(shop.payTo)]);
        const { code, payment } = await payer.pay(shop.url, `interop-${merchant}-${facilitator}`);
        assert.equal(code, 0, JSON.stringify(payment));
        assert.equal(payment.state, "delivered");
        assert.equal(payment.response?.status, 200, JSON.stringify(payment));
        assert.equal(typeof JSON.parse(Buffer.from(payment.response.body, "base64")).report, "string");
        await movedOnChain(payment.receipt.transaction, payer.address, shop.payTo);
        assert.equal(before - (await world.balance(payer.address)), price);
        assert.equal((await world.balance(shop.payTo)) - earned, price);

        const again = await payer.pay(shop.url, `interop-${merchant}-${facilitator}`);
        assert.equal(again.payment.id, payment.id, "one key is one payment");
        assert.equal(before - (await world.balance(payer.address)), price, "a repeat costs nothing");
      });
    }
  }

  // movedOnChain asks the chain itself, not the receipt, whether the token moved the price.
  async function movedOnChain(transaction, from, to) {
    const receipt = await world.reader.getTransactionReceipt({ hash: transaction });
    assert.equal(receipt.status, "success");
    const account = (topic) => `0x${topic.slice(26)}`;
    const moves = receipt.logs.filter((log) => log.address.toLowerCase() === world.chain.asset.toLowerCase() &&
      log.topics.length === 3 && account(log.topics[1]) === from.toLowerCase() && account(log.topics[2]) === to.toLowerCase());
    assert.equal(moves.length, 1);
    assert.equal(BigInt(moves[0].data), price);
  }
});
