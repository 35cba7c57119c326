package gateway

import (
	"net/http"

	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

// statuses maps error codes to HTTP. A code that is not listed is the caller's mistake.
var statuses = map[string]int{
	"unauthorized":         http.StatusUnauthorized,
	"agent_revoked":        http.StatusForbidden,
	"forbidden":            http.StatusForbidden,
	"signature_required":   http.StatusForbidden,
	"signature_unexpected": http.StatusForbidden,
	"request_forged":       http.StatusForbidden,
	"request_expired":      http.StatusForbidden,
	"order_unendorsed":     http.StatusForbidden,
	"enrolment_required":   http.StatusForbidden,
	"order_stale":          http.StatusConflict,
	"not_found":            http.StatusNotFound,
	"not_held":             http.StatusConflict,
	"conflict":             http.StatusConflict,
	"idempotency_conflict": http.StatusConflict,
	"pending":              http.StatusAccepted,
	"busy":                 http.StatusTooManyRequests,
	"limit":                http.StatusTooManyRequests,
	"closing":              http.StatusServiceUnavailable,
	"internal":             http.StatusInternalServerError,
}

func statusOf(code string) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// statusOfResult tells a caller that only looks at the status what became of its payment.
func statusOfResult(result any) int {
	view, ok := result.(api.View)
	if !ok {
		return http.StatusOK
	}
	switch runtime.State(view.State) {
	case runtime.Denied:
		return http.StatusForbidden
	case runtime.Delivered:
		return http.StatusOK
	case runtime.Dead:
		return http.StatusGone
	case runtime.Settled, runtime.Received, runtime.Held, runtime.Allowed, runtime.Prepared, runtime.Armed, runtime.Signed, runtime.Unknown:
		return http.StatusAccepted
	}
	return http.StatusAccepted
}
