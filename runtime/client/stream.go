package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

const (
	streamMessageBytesMax = 4 << 20
	streamSilenceMax      = 60 * time.Second
	// reconnectsMax bounds attempts in a row without a single event, reconnectPause is between them.
	reconnectsMax  = 10
	reconnectPause = 500 * time.Millisecond
)

// ErrStopStream, returned by the function given to Stream, ends it without an error.
var ErrStopStream = errors.New("stop the stream")

// Stream calls each for every event after a position, in order, without gap or duplicate, and reconnects by itself. It
// returns when ctx ends, when each returns an error, when the server refuses, or when it stays away.
func (c *Client) Stream(ctx context.Context, after uint64, each func(api.Event) error) error {
	failures := 0
	for {
		before := after
		err := c.streamOnce(ctx, &after, each)
		var refused *abi.Error
		switch {
		case errors.Is(err, ErrStopStream):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Retry == abi.RetryNever, errors.Is(err, errEach):
			return err
		}
		if failures++; after > before {
			failures = 0
		}
		if failures > reconnectsMax {
			return unreachable(c.server, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectPause):
		}
	}
}

// errEach marks an error of the caller's own function.
var errEach = errors.New("handle event")

func (c *Client) streamOnce(ctx context.Context, after *uint64, each func(api.Event) error) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // a closed socket cannot fail in a way that matters
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	conn.SetReadLimit(streamMessageBytesMax)
	params := map[string]any{"id": 1, "method": "subscribe", "params": map[string]uint64{"after": *after}}
	if err := conn.WriteJSON(params); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	extend := func() { _ = conn.SetReadDeadline(time.Now().Add(streamSilenceMax)) } // fails only with the read itself
	conn.SetPingHandler(func(data string) error {
		extend()
		return conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	})
	for {
		extend()
		var message struct {
			Seq   uint64     `json:"seq"`
			Event api.Event  `json:"event"`
			Error *abi.Error `json:"error"`
		}
		if err := conn.ReadJSON(&message); err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if message.Error != nil {
			return message.Error
		}
		if message.Seq <= *after { // the answer to subscribe, or a repeat
			continue
		}
		if err := each(message.Event); err != nil {
			return errors.Join(errEach, err)
		}
		*after = message.Seq
	}
}

func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	address := "ws" + strings.TrimPrefix(c.server, "http") + "/v1/ws"
	header := http.Header{"Authorization": {"Bearer " + string(c.token)}}
	conn, response, err := websocket.DefaultDialer.DialContext(ctx, address, header)
	if err == nil {
		return conn, nil
	}
	if response != nil {
		defer func() { _ = response.Body.Close() }()
		var failure struct {
			Error *abi.Error `json:"error"`
		}
		if json.NewDecoder(response.Body).Decode(&failure) == nil && failure.Error != nil {
			return nil, failure.Error
		}
	}
	return nil, unreachable(c.server, err)
}
