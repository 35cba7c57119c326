package abi

import (
	"encoding/json"
	"errors"
	"strings"
)

// Retry says what a caller may do after an error. It is the field a program
// needs most: it turns "try again?" into a decision.
type Retry string

const (
	// RetryNever: the same call will fail the same way.
	RetryNever Retry = "never"
	// RetryLater: the same call, unchanged, may succeed after a pause.
	RetryLater Retry = "later"
	// RetrySameKey: repeat with the same idempotency key. The outcome may already
	// exist, and another key could pay a second time.
	RetrySameKey Retry = "same_idempotency_key"
	// RetryNewQuote: ask the merchant for fresh terms first.
	RetryNewQuote Retry = "new_quote"
)

// Error is the one error shape of purser, on the command line, over HTTP and in
// the stream. The zero Retry reads as "never". Errors are values: build a new one
// instead of changing one that may be shared.
type Error struct {
	// Code is stable and machine readable, snake_case, such as "amount_invalid".
	Code string
	// Message is one sentence for a person, without a full stop.
	Message string
	// Where is the place of the fault: "policy.yaml:14:18", "accepts[0].amount",
	// a payment id. Empty when the message already names it.
	Where string
	// Fix is what to do next.
	Fix string
	// Retry says whether repeating helps.
	Retry Retry
	// Cause is the wrapped error. It is for logs on this machine and never
	// leaves in JSON, because it may carry a peer's text.
	Cause error
}

// Error formats the error on one line: code, message, place, cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Where != "" {
		b.WriteString(" (at ")
		b.WriteString(e.Where)
		b.WriteString(")")
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches another *Error by code, so that a caller can compare with a
// sentinel such as &Error{Code: "not_found"}.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

type errorView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Where   string `json:"where,omitempty"`
	Fix     string `json:"fix,omitempty"`
	Retry   Retry  `json:"retryable"`
}

// MarshalJSON writes the public part of the error.
func (e *Error) MarshalJSON() ([]byte, error) {
	retry := e.Retry
	if retry == "" {
		retry = RetryNever
	}
	return json.Marshal(errorView{e.Code, e.Message, e.Where, e.Fix, retry})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Error) UnmarshalJSON(data []byte) error {
	var v errorView
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*e = Error{Code: v.Code, Message: v.Message, Where: v.Where, Fix: v.Fix, Retry: v.Retry}
	return nil
}

// CodeOf returns the code of the first *Error in err's chain, or "internal" for
// an error that has none, and "" for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "internal"
}
