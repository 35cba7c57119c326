package link

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// Ask calls what is mounted under /v1/admin/ or /v1/ceremony/: JSON in, unless in is nil, and JSON out.
func (c *Client) Ask(ctx context.Context, method, path string, in, out any) error {
	var encoded []byte
	if in != nil {
		var err error
		if encoded, err = json.Marshal(in); err != nil {
			return err
		}
	}
	body, err := c.exchange(ctx, jsonType, func(ctx context.Context) (*http.Request, error) {
		made, err := http.NewRequestWithContext(ctx, method, c.url(path), bytes.NewReader(encoded))
		if err == nil && in != nil {
			made.Header.Set("Content-Type", jsonType)
		}
		return made, err
	}, func() {})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return answerInvalid("the answer cannot be read", err)
	}
	return nil
}

// AnswerJSON makes a handler for [ServerConfig.Admin] out of a function. A request without a body leaves in as it is. An
// error is answered in the one shape of errors.
func AnswerJSON[In, Out any](answer func(ctx context.Context, in In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		if r.Method != http.MethodGet {
			decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, callBytesMax))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&in); err != nil {
				problem(w, http.StatusBadRequest, requestInvalid("the body is not the JSON that belongs here", err))
				return
			}
		}
		out, err := answer(r.Context(), in)
		if err != nil {
			status, contentType, body := encodeProblem(err)
			reply(w, status, contentType, body)
			return
		}
		body, err := json.Marshal(out)
		if err != nil {
			problem(w, http.StatusInternalServerError, err)
			return
		}
		reply(w, http.StatusOK, jsonType, body)
	})
}
