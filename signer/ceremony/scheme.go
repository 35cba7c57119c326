package ceremony

import (
	"context"

	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

// Engine is what a seat needs of the MPC engine.
type Engine interface {
	Keygen(ctx context.Context, session mpc.KeygenSession, pre mpc.PreParams, links map[signer.Role]signer.Transport) (mpc.Keyshare, error)
	KeygenEdDSA(ctx context.Context, session mpc.KeygenSession, links map[signer.Role]signer.Transport) (mpc.EdKeyshare, error)
	Reshare(ctx context.Context, session mpc.ReshareSession, old mpc.Keyshare, pre mpc.PreParams, links map[signer.Role]signer.Transport) (mpc.Keyshare, error)
	ReshareEdDSA(ctx context.Context, session mpc.ReshareSession, old mpc.EdKeyshare, links map[signer.Role]signer.Transport) (mpc.EdKeyshare, error)
	ProveEpoch(ctx context.Context, test mpc.EpochTest, share mpc.Keyshare, links map[signer.Role]signer.Transport) error
	ProveEpochEdDSA(ctx context.Context, test mpc.EpochTest, share mpc.EdKeyshare, links map[signer.Role]signer.Transport) error
}

var _ Engine = (*mpc.Engine)(nil)

// made is what a protocol leaves: our share and the wallet's public half.
type made struct {
	blob      keystore.Secret
	publicKey []byte
	address   string
}

// protocols are the engine's, for keyshares in their encoding. links are those of the seat.
type protocols interface {
	keygen(ctx context.Context, session mpc.KeygenSession) (made, error)
	// reshare takes a zero old from a seat that has none.
	reshare(ctx context.Context, session mpc.ReshareSession, old keystore.Secret) (made, error)
	prove(ctx context.Context, test mpc.EpochTest, blob keystore.Secret) error
}

// protocolsOf chooses the scheme's. take is asked for pre-parameters when they are needed.
func protocolsOf(scheme string, engine Engine, links map[signer.Role]signer.Transport, take func(context.Context) (mpc.PreParams, error)) (protocols, error) {
	switch scheme {
	case keystore.SchemeECDSA:
		return secp{engine, links, take}, nil
	case keystore.SchemeEdDSA:
		return ed{engine, links}, nil
	default:
		return nil, inputError("scheme", "%.40q is neither %s nor %s", scheme, keystore.SchemeECDSA, keystore.SchemeEdDSA)
	}
}

type secp struct {
	engine Engine
	links  map[signer.Role]signer.Transport
	take   func(context.Context) (mpc.PreParams, error)
}

func (p secp) keygen(ctx context.Context, session mpc.KeygenSession) (made, error) {
	pre, err := p.take(ctx)
	if err != nil {
		return made{}, err
	}
	share, err := p.engine.Keygen(ctx, session, pre, p.links)
	if err != nil {
		return made{}, err
	}
	return p.made(share)
}

func (p secp) reshare(ctx context.Context, session mpc.ReshareSession, old keystore.Secret) (made, error) {
	share, err := p.decode(old)
	if err != nil {
		return made{}, err
	}
	pre, err := p.take(ctx)
	if err != nil {
		return made{}, err
	}
	if share, err = p.engine.Reshare(ctx, session, share, pre, p.links); err != nil {
		return made{}, err
	}
	return p.made(share)
}

func (p secp) prove(ctx context.Context, test mpc.EpochTest, blob keystore.Secret) error {
	share, err := p.decode(blob)
	if err != nil {
		return err
	}
	return p.engine.ProveEpoch(ctx, test, share, p.links)
}

func (secp) decode(blob keystore.Secret) (share mpc.Keyshare, err error) {
	if len(blob.Bytes()) > 0 {
		err = share.UnmarshalBinary(blob.Bytes())
	}
	return share, err
}

func (secp) made(share mpc.Keyshare) (made, error) {
	key := share.PublicKey().Uncompressed()
	address, err := preimage.EVMAddress(key[:])
	if err != nil {
		return made{}, err
	}
	return sealed(share.MarshalBinary, key[:], address)
}

type ed struct {
	engine Engine
	links  map[signer.Role]signer.Transport
}

func (p ed) keygen(ctx context.Context, session mpc.KeygenSession) (made, error) {
	share, err := p.engine.KeygenEdDSA(ctx, session, p.links)
	if err != nil {
		return made{}, err
	}
	return p.made(share)
}

func (p ed) reshare(ctx context.Context, session mpc.ReshareSession, old keystore.Secret) (made, error) {
	share, err := p.decode(old)
	if err != nil {
		return made{}, err
	}
	if share, err = p.engine.ReshareEdDSA(ctx, session, share, p.links); err != nil {
		return made{}, err
	}
	return p.made(share)
}

func (p ed) prove(ctx context.Context, test mpc.EpochTest, blob keystore.Secret) error {
	share, err := p.decode(blob)
	if err != nil {
		return err
	}
	return p.engine.ProveEpochEdDSA(ctx, test, share, p.links)
}

func (ed) decode(blob keystore.Secret) (share mpc.EdKeyshare, err error) {
	if len(blob.Bytes()) > 0 {
		err = share.UnmarshalBinary(blob.Bytes())
	}
	return share, err
}

// made leaves the address empty: how an account of this scheme is written is its chain adapter's to say.
func (ed) made(share mpc.EdKeyshare) (made, error) {
	key := share.PublicKey()
	return sealed(share.MarshalBinary, key[:], "")
}

func sealed(encode func() ([]byte, error), publicKey []byte, address string) (made, error) {
	data, err := encode()
	if err != nil {
		return made{}, err
	}
	defer clear(data)
	return made{blob: keystore.NewSecret(data), publicKey: publicKey, address: address}, nil
}
