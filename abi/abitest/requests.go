package abitest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// requests damages the request of every vector. A guest may answer or fail; it must not say yes to bytes that the host
// itself would refuse to read, and must be unharmed afterwards.
func (c *checker) requests(ctx context.Context) {
	for i, vector := range c.manifest.Vectors {
		if c.ran[i] == nil || vector.Call == "configure" {
			continue
		}
		call, _ := c.manifest.Kind.Call(vector.Call) // it ran
		tally, problem, err := c.damage(ctx, call, vector, c.ran[i])
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.report.failed("requests", vector.Name, err)
		case problem != "":
			c.report.fail("requests", vector.Name, problem)
		default:
			c.report.pass("requests", vector.Name, fmt.Sprintf("%d damaged requests: %d answered, %d failed, no wrong %s", tally.tried, tally.answered, tally.tried-tally.answered, yes(call)))
		}
	}
}

type tally struct{ tried, answered int }

func (c *checker) damage(ctx context.Context, call abi.Call, vector abi.ManifestVector, whole *Answer) (t tally, problem string, err error) {
	request, now, err := encode(call, orEmpty(vector.Request))
	if err != nil {
		return t, "", err
	}
	configured, err := c.guests[Compiler].Configure(ctx, vector.Config)
	if err != nil {
		return t, "", err
	}
	defer func() { err = errors.Join(err, configured.Close()) }()
	draws := newDraws(c.options.Seed, vector.Name)
	for _, damaged := range damages(draws, call, request, c.options.Requests) {
		answer, err := configured.send(ctx, call, damaged.bytes, now)
		if ctx.Err() != nil {
			return t, "", nil
		}
		t.tried++
		if err != nil {
			continue
		}
		t.answered++
		if answer.positive && !readable(call, damaged.bytes) {
			return t, fmt.Sprintf("%s is answered with %s, and the host would refuse to read it: %s", damaged.how, yes(call), hex(damaged.bytes)), nil
		}
	}
	after, err := configured.send(ctx, call, request, now)
	if err != nil {
		return t, "", fmt.Errorf("the undamaged request afterwards: %w", err)
	}
	if !bytes.Equal(after.Bytes, whole.Bytes) || after.Fuel != whole.Fuel {
		return t, fmt.Sprintf("after damaged requests the same request gives %s with %d fuel, before %s with %d", clip(after.View), after.Fuel, clip(whole.View), whole.Fuel), nil
	}
	return t, "", nil
}

// yes names a positive answer.
func yes(call abi.Call) string {
	if call.Export == abi.ExportDecide {
		return "allow"
	}
	return "ok"
}

// readable reports whether a host's own strict decoder reads the request and finds the parts in it that every request
// has. Fields unknown to this minor are no damage: a guest skips them.
func readable(call abi.Call, request []byte) bool {
	message := abi.NewMessage(call.Request)
	if err := message.Unmarshal(request); err != nil {
		var coded *abi.Error
		return errors.As(err, &coded) && coded.Message == unknownField
	}
	if decide, ok := message.(*abi.DecideRequest); ok {
		return decide.Intent != nil && decide.Quote != nil && decide.Agent != nil
	}
	return true
}

// unknownField is what abi's decoder says of one.
const unknownField = "field is not known"

// damaged is a request that no host sends.
type damaged struct {
	how   string
	bytes []byte
}

// unknownFieldNumber is above every number of the schema.
const unknownFieldNumber = 1000

// damages makes count damaged requests, and a few that are always tried.
func damages(draws *draws, call abi.Call, request []byte, count int) []damaged {
	most := abi.PolicyInputBytesMax
	if call.Export != abi.ExportDecide {
		most = abi.ChainInputBytesMax
	}
	list := []damaged{
		{"an empty request", nil},
		{"a request of zeros", make([]byte, 64)},
		{"a request of the largest size", padded(request, most)},
		{"an oversized request", padded(request, most+1)},
		{"a request with an unknown field", append(bytes.Clone(request), unknown([]byte("x"))...)},
		{"a request that stands twice", append(bytes.Clone(request), request...)},
	}
	if len(request) == 0 {
		return list
	}
	for range count {
		list = append(list, damageOne(draws, request))
	}
	return list
}

func damageOne(draws *draws, request []byte) damaged {
	made := bytes.Clone(request)
	at := int(draws.Below(uint64(len(made)))) //nolint:gosec // below a length
	switch draws.Below(6) {
	case 0:
		return damaged{fmt.Sprintf("a request cut at byte %d", at), made[:at]}
	case 1:
		bit := draws.Below(8)
		made[at] ^= 1 << bit
		return damaged{fmt.Sprintf("a request with bit %d of byte %d flipped", bit, at), made}
	case 2:
		made[at] = byte(draws.Below(256)) //nolint:gosec // below 256
		return damaged{fmt.Sprintf("a request with another byte %d", at), made}
	case 3:
		return damaged{fmt.Sprintf("a request without byte %d", at), append(made[:at], made[at+1:]...)}
	case 4:
		return damaged{fmt.Sprintf("a request with its end from byte %d repeated", at), append(made, request[at:]...)}
	default:
		made[at] |= 0x80 // a number or length that goes on
		return damaged{fmt.Sprintf("a request whose byte %d goes on", at), made}
	}
}

// padded fills a request up with an unknown field.
func padded(request []byte, size int) []byte {
	frame := len(unknown(make([]byte, size))) - size
	if len(request)+frame >= size {
		return append(bytes.Clone(request), make([]byte, max(0, size-len(request)))...)
	}
	made := append(bytes.Clone(request), unknown(make([]byte, size-len(request)-frame))...)
	for len(made) < size { // the length itself became a byte shorter
		made = append(made, 0)
	}
	return made
}

func unknown(content []byte) []byte {
	made := binary.AppendUvarint(nil, unknownFieldNumber<<3|2)
	made = binary.AppendUvarint(made, uint64(len(content)))
	return append(made, content...)
}
