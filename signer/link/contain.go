package link

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"strings"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// stackFramesMax bounds what is logged of a panic's stack.
	stackFramesMax = 16
	// complaintBytesMax bounds one line of net/http's log.
	complaintBytesMax = 512
)

// contain keeps a panic of one request from ending the others'. Its value and the arguments on the stack may hold
// secrets: the log gets the value's type and the names of the functions.
func (s *Server) contain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answerStarted{ResponseWriter: w}
		defer func() {
			value := recover()
			if value == nil {
				return
			}
			if err, ok := value.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				s.config.Log.ErrorContext(r.Context(), "request panicked", "path", r.URL.Path, "type", fmt.Sprintf("%T", value), "stack", stackNames())
			}
			if answer.started {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			problem(w, http.StatusInternalServerError, &abi.Error{Code: codeInternal, Message: "the request failed", Fix: "see the log there", Retry: abi.RetryLater})
		}()
		next.ServeHTTP(answer, r)
	})
}

func stackNames() string {
	counters := make([]uintptr, stackFramesMax)
	frames := goruntime.CallersFrames(counters[:goruntime.Callers(4, counters)])
	var names []string
	for {
		frame, more := frames.Next()
		names = append(names, fmt.Sprintf("%s:%d", frame.Function, frame.Line))
		if !more {
			return strings.Join(names, " ")
		}
	}
}

// answerStarted remembers whether anything of the answer has left.
type answerStarted struct {
	http.ResponseWriter
	started bool
}

func (a *answerStarted) WriteHeader(status int) {
	a.started = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerStarted) Write(data []byte) (int, error) {
	a.started = true
	return a.ResponseWriter.Write(data)
}

// Unwrap is for [http.ResponseController].
func (a *answerStarted) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// complaints is a log that strangers can write to, a few lines each minute. How many more there were is said later.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	minute  time.Time
	said    int
	omitted int
}

func (c *complaints) say(message string, about ...any) {
	c.mu.Lock()
	now := c.now()
	if now.Sub(c.minute) >= time.Minute || now.Before(c.minute) {
		c.minute, c.said = now, 0
	}
	if c.said >= complaintsPerMinuteMax {
		c.omitted++
		c.mu.Unlock()
		return
	}
	c.said++
	if c.omitted > 0 {
		about = append(about, "omitted_before", c.omitted)
		c.omitted = 0
	}
	c.mu.Unlock()
	c.log.Warn(message, about...)
}

// logger is for net/http, whose lines are about handshakes that failed and quote what peers did.
func (c *complaints) logger() *log.Logger { return log.New(complaintWriter{c}, "", 0) }

type complaintWriter struct{ complaints *complaints }

func (w complaintWriter) Write(line []byte) (int, error) {
	w.complaints.say("connection trouble", "detail", plain(string(line[:min(len(line), complaintBytesMax)])))
	return len(line), nil
}
