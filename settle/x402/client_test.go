package x402_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

func facilitatorRequest(t *testing.T) x402.FacilitatorRequest {
	t.Helper()
	r, err := x402.ParseFacilitatorRequest([]byte(`{"x402Version":2,"paymentPayload":` + paymentText(1, 100) + `,"paymentRequirements":` + offerText + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// script answers the calls of one path in order; the last answer stays.
func script(t *testing.T, answers ...string) (*x402.Client, *[]string) {
	t.Helper()
	bodies := &[]string{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*bodies = append(*bodies, r.Method+" "+r.URL.Path+" "+string(body))
		answer := answers[min(len(*bodies), len(answers))-1]
		if status, rest, found := strings.Cut(answer, "|"); found {
			answer = rest
			if status == "429" {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			} else {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
		_, _ = io.WriteString(w, answer)
	})
	client, err := x402.NewClient(x402.ClientConfig{
		URL: server.URL + "//",
		Sleep: func(_ context.Context, d time.Duration) error {
			*bodies = append(*bodies, "sleep "+d.String())
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, bodies
}

const (
	pendingText = `{"success":false,"errorReason":"settlement_pending","transaction":"0x12","network":"eip155:84532"}`
	settledText = `{"success":true,"transaction":"0x12","network":"eip155:84532"}`
	usedText    = `{"success":false,"errorReason":"invalid_exact_evm_nonce_already_used","transaction":"","network":"eip155:84532"}`
)

func TestSettleRepeatsTheIdenticalRequestOnceWhenPending(t *testing.T) {
	cases := []struct {
		name    string
		answers []string
		calls   int
		reason  string
		success bool
	}{
		{"settled at once", []string{settledText}, 1, "", true},
		{"pending, then settled", []string{pendingText, settledText}, 2, "", true},
		{"pending twice", []string{pendingText}, 2, "settlement_pending", false},
		{"pending, then used by that very transaction", []string{pendingText, usedText}, 2, "settlement_pending", false},
		{"used at once", []string{usedText}, 1, "invalid_exact_evm_nonce_already_used", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, bodies := script(t, c.answers...)
			got, err := client.Settle(t.Context(), facilitatorRequest(t))
			if err != nil || got.Success != c.success || got.ErrorReason != c.reason || len(*bodies) != c.calls {
				t.Fatalf("got %+v, %v after %d calls", got, err, len(*bodies))
			}
			want := "POST /settle " + `{"x402Version":2,"paymentPayload":` + paymentText(1, 100) + `,"paymentRequirements":` + offerText + `}`
			for _, body := range *bodies {
				if body != want {
					t.Errorf("sent %s", body)
				}
			}
		})
	}
}

func TestFacilitatorFaultsAreTyped(t *testing.T) {
	client, _ := script(t, `500|{"error":"no facilitator"}`)
	_, err := client.Verify(t.Context(), facilitatorRequest(t))
	var refused *x402.FacilitatorError
	if !errors.As(err, &refused) || refused.Status != 500 || refused.Verify != nil || !strings.Contains(err.Error(), "no facilitator") {
		t.Errorf("got %v", err)
	}
	client, _ = script(t, `500|{"isValid":false,"invalidReason":"x"}`)
	if _, err = client.Verify(t.Context(), facilitatorRequest(t)); !errors.As(err, &refused) || refused.Verify == nil || refused.Verify.InvalidReason != "x" {
		t.Errorf("got %v", err)
	}
	client, _ = script(t, `500|`+usedText)
	if _, err = client.Settle(t.Context(), facilitatorRequest(t)); !errors.As(err, &refused) || refused.Settle == nil {
		t.Errorf("got %v", err)
	}
	for answer, code := range map[string]string{"<html>": x402.CodeJSON, `{}`: x402.CodeResponse, strings.Repeat(" ", 70_000) + "{}": x402.CodeTooLarge} {
		client, _ = script(t, answer)
		if _, err := client.Verify(t.Context(), facilitatorRequest(t)); abi.CodeOf(err) != code {
			t.Errorf("%.20q: got %v", answer, err)
		}
	}
}

func TestSupportedWaitsWhenTold(t *testing.T) {
	client, bodies := script(t, "429|{}", "429|{}", `{"kinds":[]}`)
	// The pause itself is counted as a line of the script, hence one 429 is used up by it.
	if _, err := client.Supported(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(*bodies, "; "); got != "GET /supported ; sleep 7s; GET /supported " {
		t.Errorf("got %s", got)
	}
	client, bodies = script(t, "429|{}")
	var refused *x402.FacilitatorError
	if _, err := client.Supported(t.Context()); !errors.As(err, &refused) || refused.Status != 429 {
		t.Errorf("got %v", err)
	}
	if len(*bodies) != 7 { // four calls, three pauses
		t.Errorf("%d steps: %v", len(*bodies), *bodies)
	}
}

func TestARedirectDoesNotCarryThePaymentElsewhere(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the payment went elsewhere") })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	client, err := x402.NewClient(x402.ClientConfig{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var refused *x402.FacilitatorError
	if _, err := client.Settle(t.Context(), facilitatorRequest(t)); !errors.As(err, &refused) || refused.Status != 307 {
		t.Errorf("got %v", err)
	}
}

func TestFacilitatorAddresses(t *testing.T) {
	for _, bad := range []string{"", "localhost:4021", "ftp://x", "http://", "http://x?y=1", "http://x#f", "://"} {
		if _, err := x402.NewClient(x402.ClientConfig{URL: bad}); abi.CodeOf(err) != "facilitator_url_invalid" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
