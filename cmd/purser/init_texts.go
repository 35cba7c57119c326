package main

import "fmt"

func (in *installation) runtimeYAML() string {
	return fmt.Sprintf(`# The runtime: what agents talk to. purser serve --config purser.yaml
version: 1
listen: %q
data: ./data
policy: ./policy.yaml
chains:
  - {network: %q, rpc: %q}
cosigner:
  address: %q
  # The co-signer's own key. Its promises count under no other.
  key: %q
  tls: {identity: ./tls.pem, trust: ./trust.pem}
keys: {folder: ./keys, passphrase_file: ./passphrase}
operators:
  quorum: 1 # more, once there is more than one operator
  keys: {%s: %q}
# For ceremonies: purser ceremony --help
recovery_key: %q
`, in.listen, in.network, in.rpc, in.cosignerAddress, in.publicKeys[roleCosigner], operatorName, in.operator, in.publicKeys[roleRecovery])
}

func (in *installation) cosignerYAML() string {
	return fmt.Sprintf(`# The co-signer: decides every payment again. purser cosigner --config cosigner.yaml
version: 1
listen: %q
data: ./data
policy: ./policy.yaml
# Its own view of the chain. One that the runtime's provider does not also serve is better.
chains:
  - {network: %q, rpc: %q}
tls: {identity: ./tls.pem, trust: ./trust.pem}
keys: {folder: ./keys, passphrase_file: ./passphrase}
# The runtime's own key. Its promises count under no other.
runtime_key: %q
operators:
  quorum: 1 # more, once there is more than one operator
  keys: {%s: %q}
# For ceremonies: purser ceremony --help
recovery_key: %q
`, in.cosignerListen, in.network, in.cosignerRPC, in.publicKeys[roleRuntime], operatorName, in.operator, in.publicKeys[roleRecovery])
}

func (in *installation) recoveryYAML() string {
	return fmt.Sprintf(`# The recovery role: offline, but for ceremonies. purser ceremony --help
version: 1
data: ./data
# Share 3, encrypted to these age keys. Keep copies of the folder; keep what opens it somewhere else.
shares: ./shares
recipients: %s
# Pre-parameters for ceremonies to come; no share.
keys: {folder: ./keys, passphrase_file: ./passphrase}
tls: {identity: ./tls.pem, trust: ./trust.pem}
runtime_key: %q
cosigner_key: %q
`, yamlList(in.recipients), in.publicKeys[roleRuntime], in.publicKeys[roleCosigner])
}

// starterPolicy is small on purpose: it is what an installation allows before anybody has thought about it.
func (in *installation) starterPolicy() string {
	return fmt.Sprintf(`# What agents may spend. This side decides by this file alone; the other side has its own, and the stricter one wins.
# Every key: docs/policy.md. Check a change with: purser policy validate policy.yaml
version: 1
# Over all agents together. The co-signer refuses to start without it: a new agent must not be a new budget.
tenant:
  max_transaction_usdc: "10"
  daily_spending_limit: "50"
  max_transactions_per_hour: 200
networks: [%q]
# Who may say yes to a held payment. The private half is operator/approver.pem.
approvers:
  %s: %q
agents:
  "*": {policy: starter}
policies:
  starter:
    max_transaction_usdc: "1"
    daily_spending_limit: "10"
    max_transactions_per_hour: 60
    # A person is asked above this.
    require_human_approval_above: "0.50"
    # allowed_recipients: ["api.example.com"]
    approvals: {quorum: 1, approvers: [%s], expires: 1h}
`, in.network, operatorName, in.approver, operatorName)
}
