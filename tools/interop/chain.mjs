// What every script here knows about the development chain: how to reach it with viem, its token, its faucet.
import { createPublicClient, createWalletClient, defineChain, http, parseAbi, publicActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const receiptPollMilliseconds = 50;

export const tokenAbi = parseAbi([
  "function name() view returns (string)",
  "function version() view returns (string)",
  "function balanceOf(address) view returns (uint256)",
  "function authorizationState(address authorizer, bytes32 nonce) view returns (bool)",
]);

function defined(rpc, network) {
  const [namespace, id] = network.split(":");
  if (namespace !== "eip155") throw new Error(`network ${network} is not an EVM chain`);
  return defineChain({
    id: Number(id),
    name: "purser devchain",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpc] } },
    testnet: true,
  });
}

export function reader(rpc, network) {
  return createPublicClient({ chain: defined(rpc, network), transport: http(rpc), pollingInterval: receiptPollMilliseconds });
}

export function writer(rpc, network, privateKey) {
  return createWalletClient({
    account: privateKeyToAccount(privateKey),
    chain: defined(rpc, network),
    transport: http(rpc),
    pollingInterval: receiptPollMilliseconds,
  }).extend(publicActions);
}

// token reads what an EIP-712 domain needs from the contract, so that no test assumes it.
export async function token(client, address) {
  const [name, version] = await Promise.all(
    ["name", "version"].map((functionName) => client.readContract({ address, abi: tokenAbi, functionName })),
  );
  return { address, name, version };
}

export function balance(client, asset, account) {
  return client.readContract({ address: asset, abi: tokenAbi, functionName: "balanceOf", args: [account] });
}

// fund asks the chain's faucet for tokens and wei, both in smallest units.
export function fund(client, account, tokens, wei = 0n) {
  return client.request({ method: "devchain_fund", params: [account, String(tokens), String(wei)] });
}
