package facilitator

import "testing"

func FuzzExtraAndKeysNeverPanic(f *testing.F) {
	for _, seed := range []string{`{"name":"USDC","version":"2"}`, `{"name":1}`, `{"Name":"USDC","Version":"2"}`, `null`, `[]`, ``, `{"name":"\ud800","version":"2"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		name, version, no := domainOf(text)
		if no == nil && (name == "" || version == "" || len(name)+len(version) > domainTextBytesMax) {
			t.Errorf("%q read as %q %q", text, name, version)
		}
		if key, err := ParseKey(string(text)); (err == nil) == key.empty() {
			t.Errorf("%q: key %v with %v", text, key, err)
		}
	})
}
