package x402

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// equalJSON reports deep equality of two texts checkJSON has accepted. Key order
// and white space do not matter; 60 and "60" differ; 60, 60.0 and 6e1 are equal,
// because a peer that parsed and wrote the number again cannot keep its spelling.
func equalJSON(a, b []byte) bool {
	return compareJSON(bytes.TrimSpace(a), bytes.TrimSpace(b), false)
}

// containsJSON reports whether whole holds everything part holds: objects may
// have more members, at any depth; everything else must be equal.
func containsJSON(whole, part []byte) bool {
	return compareJSON(bytes.TrimSpace(whole), bytes.TrimSpace(part), true)
}

func compareJSON(whole, part []byte, moreAllowed bool) bool {
	if len(whole) == 0 || len(part) == 0 {
		return len(whole) == len(part)
	}
	switch part[0] {
	case '{':
		return whole[0] == '{' && compareObjects(whole, part, moreAllowed)
	case '[':
		return whole[0] == '[' && compareArrays(whole, part, moreAllowed)
	case '"':
		a, errA := unquote(whole)
		b, errB := unquote(part)
		return errA == nil && errB == nil && a == b
	case 't', 'f', 'n':
		return bytes.Equal(whole, part)
	default:
		return whole[0] != '"' && plainNumber(string(whole)) == plainNumber(string(part))
	}
}

func compareObjects(whole, part []byte, moreAllowed bool) bool {
	have, errA := splitObject(whole)
	want, errB := splitObject(part)
	if errA != nil || errB != nil || len(have) < len(want) || !moreAllowed && len(have) != len(want) {
		return false
	}
	values := make(map[string]json.RawMessage, len(have))
	for _, m := range have {
		values[m.key] = m.value
	}
	for _, m := range want {
		value, ok := values[m.key]
		if !ok || !compareJSON(value, m.value, moreAllowed) {
			return false
		}
	}
	return true
}

func compareArrays(whole, part []byte, moreAllowed bool) bool {
	have, errA := splitArray(whole)
	want, errB := splitArray(part)
	if errA != nil || errB != nil || len(have) != len(want) {
		return false
	}
	for i := range want {
		if !compareJSON(have[i], want[i], moreAllowed) {
			return false
		}
	}
	return true
}

// plainNumber gives equal JSON numbers the same spelling: sign, digits without
// zeros at either end, and the power of ten they are multiplied by. It uses no
// floating point, so numbers beyond 2^53 stay different. Text that is no number,
// or has an absurd exponent, is returned as it is.
func plainNumber(s string) string {
	mantissa, exponentText, _ := strings.Cut(strings.ToLower(s), "e")
	exponent := 0
	if exponentText != "" {
		var err error
		if exponent, err = strconv.Atoi(exponentText); err != nil {
			return s
		}
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	switch {
	case trimmed == "":
		return "0"
	case negative:
		return "-" + trimmed + "e" + strconv.Itoa(exponent)
	default:
		return trimmed + "e" + strconv.Itoa(exponent)
	}
}
