package x402

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/purserhq/purser/abi"
)

// recorder holds a handler's answer back until the money has moved.
type recorder struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	bytesMax int
	overflow bool
}

var _ http.ResponseWriter = (*recorder)(nil)

func newRecorder(bytesMax int) *recorder {
	return &recorder{header: http.Header{}, bytesMax: bytesMax}
}

// Header returns the headers, which the handler may change until it writes.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader keeps the first final status; informational ones are dropped.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write keeps the bytes, or fails once there are more than the limit.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.overflow || w.body.Len()+len(b) > w.bytesMax {
		w.overflow = true
		return 0, fault(CodeTooLarge, "", "an answer that is sold may have at most %d bytes", w.bytesMax)
	}
	return w.body.Write(b)
}

// answer returns what the handler said. An answer that was cut is not sold: the
// buyer gets 500 and is not charged.
func (w *recorder) answer() Answer {
	if w.overflow {
		return refusal(http.StatusInternalServerError, "answer_too_large", "the answer is too large to be sold")
	}
	w.WriteHeader(http.StatusOK)
	header := w.header.Clone()
	// These say what happened to a payment, which is not the handler's to say.
	for _, name := range []string{HeaderRequired, HeaderResponse, HeaderSignature, "Settlement-Overrides", "Extension-Responses"} {
		header.Del(name)
	}
	return Answer{Status: w.status, Header: header, Body: bytes.Clone(w.body.Bytes())}
}

// paid adds the receipt to a handler's answer. A shared cache must not hand what
// one buyer paid for to the next, so "public" and "s-maxage" do not survive.
func paid(answer Answer, receipt string) Answer {
	directives := []string{}
	for _, line := range answer.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			directive = strings.TrimSpace(directive)
			lower := strings.ToLower(directive)
			if lower != "" && lower != "public" && lower != "private" && !strings.HasPrefix(lower, "s-maxage") {
				directives = append(directives, directive)
			}
		}
	}
	header := answer.Header.Clone()
	header.Set("Cache-Control", strings.Join(append(directives, "private"), ", "))
	header.Set(HeaderResponse, receipt)
	return Answer{Status: answer.Status, Header: header, Body: answer.Body}
}

// refusal is an answer of the merchant itself: {"error":…} and never cached.
func refusal(status int, code, message string) Answer {
	// A struct of two strings always encodes.
	body, _ := marshal(struct {
		Error *abi.Error `json:"error"`
	}{&abi.Error{Code: code, Message: message}})
	return Answer{Status: status, Header: http.Header{
		"Cache-Control": {"no-store"}, "Content-Type": {"application/json"},
	}, Body: body}
}

// later adds Retry-After.
func (a Answer) later() Answer {
	a.Header.Set("Retry-After", retryPauseSeconds)
	return a
}

// unpaid is the body {} that goes with a 402 or 412 whose message is in a header.
func unpaid(status int, name, value string) Answer {
	header := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}}
	header.Set(name, value)
	return Answer{Status: status, Header: header, Body: []byte("{}")}
}

// send writes the answer. Its error is the connection's: the buyer has gone and
// can ask again with the same payment.
func (a Answer) send(w http.ResponseWriter) error {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	if a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		return nil
	}
	_, err := io.Copy(w, bytes.NewReader(a.Body))
	return err
}
