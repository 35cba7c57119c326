// Package link carries [signer.CoSigner] between two processes over TLS 1.3 with certificates on both sides. It refuses
// to speak to anybody whose certificate does not name the expected role, and it decides nothing about money: what the
// messages mean is the co-signer's matter and the runtime's.
//
// All calls and sessions share one HTTP/2 connection:
//
//	POST /v1/consult   ConsultRequest → Decision
//	POST /v1/arm       ArmRequest → Armed
//	POST /v1/disclaim  Armed → Tombstone
//	POST /v1/join      a stream in both directions: SessionRequest → SessionAnswer, then frames
//	POST /v1/orders/accept, /offer, /list   operators' orders, see [Orders]
//	GET  /v1/status    {"time_unix_ms": …}
//
// Bodies are the binary messages of package abi. On the stream each message and each [signer.Frame] is preceded by its
// length, four bytes, big endian. An error is JSON, {"error": …} in the shape of [abi.Error]; a refusal is status 403
// with the co-signer's Decision as the body, of the type in refusedType, so that no error can be taken for one.
//
// /v1/admin/ is for operators' certificates and /v1/ceremony/ for the recovery host's; package link mounts what it is
// given there. Everybody else's requests end before the handler.
package link
