package x402

import (
	"errors"
	"fmt"
	"io"
)

// readBounded reads a whole body of at most bytesMax. A longer one is an error
// with code x402_too_large and no bytes: half a body is never used.
func readBounded(body io.Reader, bytesMax int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, bytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(content)) > bytesMax {
		return nil, fault(CodeTooLarge, "", "body of more than %d bytes", bytesMax)
	}
	return content, nil
}

// closing joins the error of closing a body to the error of reading it.
func closing(body io.Closer, err *error) {
	*err = errors.Join(*err, body.Close())
}
