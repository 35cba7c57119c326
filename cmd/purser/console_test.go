package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestAnErrorInJSONHasItsCause(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", &abi.Error{Code: "a", Message: "m"}, `{"error":{"code":"a","message":"m","retryable":"never"}}`},
		{"its own", &abi.Error{Code: "a", Message: "m", Cause: errors.New(`the "compiler"`)}, `{"error":{"code":"a","message":"m","retryable":"never","cause":"the \"compiler\""}}`},
		{"what was being done", fmt.Errorf("reload: %w", &abi.Error{Code: "a", Message: "m"}), `{"error":{"code":"a","message":"m","retryable":"never","cause":"reload"}}`},
		{"both", fmt.Errorf("reload: %w", &abi.Error{Code: "a", Message: "m", Cause: errors.New("deep")}), `{"error":{"code":"a","message":"m","retryable":"never","cause":"reload: deep"}}`},
	} {
		var printed bytes.Buffer
		out := &console{json: true, out: &printed, err: &printed}
		if code := out.exit(c.err); code != exitFailed || printed.String() != c.want+"\n" {
			t.Errorf("%s: %d, %s", c.name, code, printed.String())
		}
	}
}
