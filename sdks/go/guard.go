package openmiosa

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errSilence is why a context ends when nothing was heard for too long.
var errSilence = errors.New("nothing was heard for too long")

// guard ends an exchange after a silence. Every byte that goes out or comes in counts, so that neither a long upload nor a
// long command is cut off while something moves.
type guard struct {
	silence time.Duration
	timer   *time.Timer
	cancel  context.CancelCauseFunc
	// source is the failure of what the request's body is read from.
	source atomic.Pointer[error]
}

func guardOf(parent context.Context, silence time.Duration) (context.Context, *guard) {
	ctx, cancel := context.WithCancelCause(parent)
	made := &guard{silence: silence, cancel: cancel}
	if silence > 0 {
		made.timer = time.AfterFunc(silence, func() { cancel(errSilence) })
	}
	return ctx, made
}

func (g *guard) touch() {
	if g.timer != nil {
		g.timer.Reset(g.silence)
	}
}

func (g *guard) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
	g.cancel(context.Canceled)
}

// guardedBody is a request's body whose progress counts as life.
type guardedBody struct {
	io.ReadCloser
	guard *guard
}

// Read notes a failure of the caller's own source, which is not one of the network.
func (b *guardedBody) Read(into []byte) (int, error) {
	count, err := b.ReadCloser.Read(into)
	b.guard.touch()
	if err != nil && err != io.EOF {
		b.guard.source.Store(&err)
	}
	return count, err
}

// answer is a response whose failures are errors of this package.
type answer struct {
	response  *http.Response
	transport *transport
	ctx       context.Context
	guard     *guard
}

// Read reads the body as it comes.
func (a *answer) Read(into []byte) (int, error) {
	count, err := a.response.Body.Read(into)
	a.guard.touch()
	if err != nil && err != io.EOF {
		err = a.transport.fault(a.ctx, err, true)
	}
	return count, err
}

// Close gives the connection back, or ends it when the answer was not read to its end.
func (a *answer) Close() error {
	err := a.response.Body.Close()
	a.guard.stop()
	return err
}
