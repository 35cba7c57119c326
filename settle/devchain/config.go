// Package devchain is an Ethereum chain inside the process, with a test USDC and a
// faucet, for demonstrations and tests without a network. It refuses to look like
// anybody's chain: it listens on loopback only, has no peers, and will not start
// with the chain id of a public network, because a signature made for such a chain
// would be valid there too.
//
// Its keys are published in this source and worthless. The build tag nodevchain
// leaves the chain, about 30 MB of binary, out.
package devchain

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// ChainIDDefault is nobody's chain id.
	ChainIDDefault = 402402
	// TokenAddress is where the genesis block puts the test USDC: "usdctest" in ASCII
	// and the chain id, an address nobody can have a key for.
	TokenAddress = "0x7573646374657374000000000000000000402402" //nolint:gosec // an address, not a credential
	// GasPriceOracleAddress is where OP-stack chains keep their fee oracle. A stub with
	// constants stands there, so that code reading it runs.
	GasPriceOracleAddress = "0x420000000000000000000000000000000000000f"

	listenDefault             = "127.0.0.1:0"
	faucetCallsPerMinuteMax   = 120
	faucetTokensPerCallMax    = 1_000_000_000_000 // smallest units: a million dollars
	faucetWeiPerCallMax       = 10_000_000_000_000_000_000
	blockTimeMin              = time.Second
	blockTimeMax              = time.Hour
	finalityLagBlocksMax      = 100_000
	faucetCallsPerMinuteLimit = 1_000_000
)

// Config describes a chain. The zero value is a chain in memory on a free loopback
// port that seals a block as soon as there is a transaction.
type Config struct {
	// Listen is host:port for JSON-RPC over HTTP and WebSocket. The host must be a
	// loopback address. Default 127.0.0.1:0, a free port.
	Listen string
	// ChainID is the EIP-155 id, by default 402402. Ids of public networks are refused.
	ChainID uint64
	// BlockTime is the time between blocks in whole seconds. Zero seals on demand: up
	// to 30 blocks at once, then one a second, because consecutive blocks need rising
	// timestamps and a chain that runs ahead of the clock expires every authorization.
	BlockTime time.Duration
	// DataDir keeps the chain across restarts, kill -9 included. Empty keeps it in memory.
	DataDir string
	// FinalityLagBlocks is how far the "finalized" block is behind the head. Zero makes
	// every block final at once, and then Fork has nothing to undo.
	FinalityLagBlocks uint64
	// Faucet bounds what the faucet hands out.
	Faucet FaucetLimits
	// Now is the wall clock, by default time.Now.
	Now func() time.Time
	// Logger hears of sealing failures. Default slog.Default().
	Logger *slog.Logger
}

// FaucetLimits bound the faucet. Zero fields mean the defaults.
type FaucetLimits struct {
	// CallsPerMinuteMax is the number of calls in any minute. Default 120.
	CallsPerMinuteMax int
	// TokensPerCallMax is in the smallest unit of the test USDC. Default a million dollars.
	TokensPerCallMax abi.Amount
	// WeiPerCallMax defaults to 10 ether.
	WeiPerCallMax abi.Amount
}

// Account is a published development account.
type Account struct {
	// Address is 0x and lower-case hex.
	Address string
	// PrivateKeyHex is 0x and 64 hex digits. It is public knowledge: never send
	// anything of value to the address, on any chain.
	PrivateKeyHex string
}

// Funded says what a faucet call did.
type Funded struct {
	// TokenTx and WeiTx are transaction hashes, empty when nothing of that kind was asked.
	TokenTx string `json:"tokenTx,omitempty"`
	WeiTx   string `json:"weiTx,omitempty"`
	// Block is the number of the block that holds the last of them.
	Block uint64 `json:"block"`
}

// publicChainIDs are networks where value lives or where people test with real
// infrastructure. A signature binds the chain id, so reusing one of them would make
// demonstration signatures valid there. The list cannot be complete; the default id
// is what protects, this list stops the obvious mistake.
var publicChainIDs = map[uint64]string{
	1: "Ethereum", 10: "OP Mainnet", 14: "Flare", 25: "Cronos", 30: "Rootstock", 40: "Telos", 50: "XDC", 51: "XDC Apothem",
	56: "BNB Chain", 61: "Ethereum Classic", 97: "BNB Testnet", 100: "Gnosis", 106: "Velas", 114: "Coston2", 122: "Fuse",
	130: "Unichain", 137: "Polygon", 143: "Monad", 146: "Sonic", 169: "Manta Pacific", 195: "X Layer Testnet",
	196: "X Layer", 204: "opBNB", 250: "Fantom", 252: "Fraxtal", 255: "Kroma", 288: "Boba", 300: "zkSync Sepolia",
	314: "Filecoin", 324: "zkSync Era", 480: "World Chain", 591: "World Mobile", 690: "Redstone", 919: "Mode Sepolia",
	988: "Stable", 999: "HyperEVM", 1030: "Conflux", 1088: "Metis", 1101: "Polygon zkEVM", 1135: "Lisk",
	1284: "Moonbeam", 1285: "Moonriver", 1301: "Unichain Sepolia", 1328: "Sei Testnet", 1329: "Sei", 1514: "Story",
	1625: "Gravity", 1750: "Metal", 1868: "Soneium", 1923: "Swell", 2020: "Ronin", 2201: "Stable Testnet",
	2222: "Kava", 2741: "Abstract", 2818: "Morph", 3338: "peaq", 4200: "Merlin", 4202: "Lisk Sepolia",
	4217: "Tempo", 4326: "MegaETH", 4689: "IoTeX", 4801: "World Chain Sepolia", 5000: "Mantle", 5003: "Mantle Sepolia",
	7000: "ZetaChain", 7560: "Cyber", 7777777: "Zora", 8217: "Kaia", 8453: "Base", 9745: "Plasma", 10143: "Monad Testnet",
	10200: "Chiado", 11124: "Abstract Testnet", 13371: "Immutable", 17000: "Holesky", 31611: "Mezo Testnet", 31612: "Mezo",
	33139: "ApeChain", 34443: "Mode", 36900: "ADI", 38833: "Igra", 41923: "EDU Chain", 42161: "Arbitrum One",
	42170: "Arbitrum Nova", 42220: "Celo", 42793: "Etherlink", 43113: "Avalanche Fuji", 43114: "Avalanche",
	44787: "Celo Alfajores", 48900: "Zircuit", 50104: "Sophon", 57073: "Ink", 59141: "Linea Sepolia", 59144: "Linea",
	60808: "BOB", 72344: "Radius Testnet", 80002: "Polygon Amoy", 80069: "Berachain Bepolia", 80094: "Berachain",
	81457: "Blast", 84532: "Base Sepolia", 98866: "Plume", 167000: "Taiko", 181228: "HPP Sepolia", 190415: "HPP",
	200901: "Bitlayer", 421614: "Arbitrum Sepolia", 534351: "Scroll Sepolia", 534352: "Scroll", 560048: "Hoodi",
	660279: "Xai", 723487: "Radius", 747474: "Katana", 763373: "Ink Sepolia", 810180: "zkLink Nova",
	5042002: "Arc Testnet", 11142220: "Celo Sepolia", 11155111: "Sepolia", 11155420: "OP Sepolia", 21000000: "Corn",
	168587773: "Blast Sepolia", 324705682: "SKALE Base Sepolia", 999999999: "Zora Sepolia",
	1313161554: "Aurora", 1380012617: "Rari", 1666600000: "Harmony",
}

// validated fills defaults and refuses what must not start.
func (c Config) validated() (Config, error) {
	if c.ChainID == 0 {
		c.ChainID = ChainIDDefault
	}
	if name, public := publicChainIDs[c.ChainID]; public {
		return Config{}, &abi.Error{
			Code:    "devchain_public_chain_id",
			Message: fmt.Sprintf("chain id %d belongs to %s: a signature made here would be valid there", c.ChainID, name),
			Fix:     fmt.Sprintf("leave the chain id out to use %d", ChainIDDefault),
		}
	}
	if c.ChainID >= 1<<53 {
		return Config{}, invalid("ChainID", "chain id %d does not fit a JSON number", c.ChainID)
	}
	if c.BlockTime != 0 && (c.BlockTime < blockTimeMin || c.BlockTime > blockTimeMax || c.BlockTime%time.Second != 0) {
		return Config{}, invalid("BlockTime", "block time %s is not 0 or whole seconds from %s to %s: block timestamps are whole seconds",
			c.BlockTime, blockTimeMin, blockTimeMax)
	}
	if c.FinalityLagBlocks > finalityLagBlocksMax {
		return Config{}, invalid("FinalityLagBlocks", "%d blocks is above %d", c.FinalityLagBlocks, finalityLagBlocksMax)
	}
	if c.Listen == "" {
		c.Listen = listenDefault
	}
	if _, _, err := c.endpoint(); err != nil {
		return Config{}, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var err error
	c.Faucet, err = c.Faucet.validated()
	return c, err
}

func (f FaucetLimits) validated() (FaucetLimits, error) {
	if f.CallsPerMinuteMax == 0 {
		f.CallsPerMinuteMax = faucetCallsPerMinuteMax
	}
	if f.CallsPerMinuteMax < 0 || f.CallsPerMinuteMax > faucetCallsPerMinuteLimit {
		return FaucetLimits{}, invalid("Faucet.CallsPerMinuteMax", "%d is not from 1 to %d", f.CallsPerMinuteMax, faucetCallsPerMinuteLimit)
	}
	if f.TokensPerCallMax.IsZero() {
		f.TokensPerCallMax = abi.NewAmount(faucetTokensPerCallMax)
	}
	if f.WeiPerCallMax.IsZero() {
		f.WeiPerCallMax = abi.NewAmount(faucetWeiPerCallMax)
	}
	return f, nil
}

// endpoint splits Listen and refuses every interface but loopback: the chain has
// no authentication and hands out money, if worthless money.
func (c Config) endpoint() (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", 0, invalid("Listen", "listen address %.80q is not host:port", c.Listen)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !address.IsLoopback() || address.Zone() != "" {
		return "", 0, &abi.Error{
			Code:    "devchain_not_loopback",
			Message: fmt.Sprintf("listen address %.80q is not loopback", c.Listen), Where: "Listen",
			Fix: "use 127.0.0.1:PORT; the chain has no authentication",
		}
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, invalid("Listen", "port %.20q is not a number below 65536", portText)
	}
	return host, int(number), nil
}

func invalid(where, format string, args ...any) *abi.Error {
	return &abi.Error{Code: "devchain_config_invalid", Message: fmt.Sprintf(format, args...), Where: where}
}
