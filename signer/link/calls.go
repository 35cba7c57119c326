package link

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func (s *Server) consult(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.ConsultRequest), s.config.CoSigner.Consult)
}

func (s *Server) arm(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.ArmRequest), s.config.CoSigner.Arm)
}

func (s *Server) disclaim(w http.ResponseWriter, r *http.Request) {
	answerCall(s, w, r, new(abi.Armed), s.config.CoSigner.Disclaim)
}

// answerCall reads a request, has it answered, and writes the answer whole.
func answerCall[Request, Answer message](s *Server, w http.ResponseWriter, r *http.Request, request Request, call func(context.Context, Request) (Answer, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), s.timing.call)
	defer cancel()
	if err := readRequest(r, request); err != nil {
		problem(w, http.StatusBadRequest, err)
		return
	}
	answer, err := call(ctx, request)
	if err != nil {
		s.sayInternal(ctx, r.URL.Path, err)
		status, contentType, body := encodeProblem(err)
		reply(w, status, contentType, body)
		return
	}
	body, err := answer.Marshal()
	if err != nil || len(body) > callBytesMax {
		s.config.Log.ErrorContext(ctx, "an answer cannot be sent", "path", r.URL.Path, "bytes", len(body), "error", err)
		problem(w, http.StatusInternalServerError, errors.New("an answer cannot be sent"))
		return
	}
	reply(w, http.StatusOK, messageType, body)
}

// sayInternal logs an error of which the peer learns nothing.
func (s *Server) sayInternal(ctx context.Context, path string, err error) {
	var shown *abi.Error
	var refused *signer.Refused
	if !errors.As(err, &shown) && !errors.As(err, &refused) {
		s.config.Log.ErrorContext(ctx, "call failed", "path", path, "error", err.Error())
	}
}

func readRequest(r *http.Request, request message) error {
	if r.Header.Get("Content-Type") != messageType {
		return requestInvalid("the body is not of type "+messageType, nil)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, callBytesMax+1))
	if err != nil {
		return requestInvalid("the body did not arrive", err)
	}
	if len(body) > callBytesMax {
		return requestInvalid("the body is too long", nil)
	}
	if err := request.Unmarshal(body); err != nil {
		return requestInvalid("the body is not the message that belongs here", err)
	}
	return nil
}

func requestInvalid(message string, cause error) error {
	return &abi.Error{Code: "link_request_invalid", Message: message, Fix: "update both sides to the same version", Retry: abi.RetryNever, Cause: cause}
}

// statusBody is what anybody with a certificate may know.
type statusBody struct {
	TimeUnixMS int64 `json:"time_unix_ms"`
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(statusBody{TimeUnixMS: s.config.Now().UnixMilli()})
	if err != nil {
		problem(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, http.StatusOK, jsonType, body)
}
