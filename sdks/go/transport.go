package openmiosa

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	connectTimeout = 10 * time.Second
	// idleTimeout is below the server's own, so that a kept connection is not one that it is just closing.
	idleTimeout = 30 * time.Second
	// longestError is how much of an error answer is read.
	longestError = 1 << 20
)

// transport knows the server, the key and the patience of a client.
type transport struct {
	base string
	// key is a function so that no verb of fmt, on whatever holds the client, can print what it gives.
	key        func() string
	http       *http.Client
	timeout    time.Duration
	maxRetries int
	firstWait  time.Duration
	// tailWait and tailSilence are the tail's first pause and its longest silence.
	tailWait, tailSilence time.Duration
}

// call is one call of the API, whatever number of attempts it takes.
type call struct {
	method string
	path   string
	query  object
	body   any
	// content is a body that is no JSON, opened anew for every attempt.
	content func() (io.ReadCloser, int64, error)
	accept  string
	// silence is the longest time without a byte; 0 is the client's timeout.
	silence time.Duration
	// stream says that the answer has no natural end, so that silence counts even when the context has a deadline.
	stream bool
	// once says that a second arrival would have a second effect, in spite of its idempotency key.
	once bool
	// failedOnce says that a failure of the server may come after the deed; a lost answer it remembers, its failures it does not.
	failedOnce bool
	// spent says that content cannot be opened again, where it comes from a reader that was read already.
	spent func() bool
}

// defaultHTTP is the HTTP client that is used when the caller brings none.
func defaultHTTP() *http.Client {
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	carrier.DialContext = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}).DialContext
	carrier.TLSHandshakeTimeout = connectTimeout
	carrier.IdleConnTimeout = idleTimeout
	return &http.Client{Transport: carrier}
}

// request makes a call and gives the JSON of its answer; nothing when it has no body.
func (t *transport) request(ctx context.Context, wanted call) (json.RawMessage, error) {
	var body json.RawMessage
	err := t.attempts(ctx, wanted, func(key string) error {
		answer, err := t.exchange(ctx, wanted, key)
		if err != nil {
			return err
		}
		defer answer.Close()
		body, err = io.ReadAll(answer)
		if err == nil && len(body) > 0 && !json.Valid(body) {
			err = t.notOurs(answer.response)
		}
		return err
	})
	return body, err
}

// open makes a call and gives its answer to be read as it comes; the caller closes it.
func (t *transport) open(ctx context.Context, wanted call) (*answer, error) {
	var opened *answer
	err := t.attempts(ctx, wanted, func(key string) (err error) {
		opened, err = t.exchange(ctx, wanted, key)
		return err
	})
	return opened, err
}

// attempts tries until it goes well, the error is final, or the context ends. All attempts carry one idempotency key.
func (t *transport) attempts(ctx context.Context, wanted call, try func(key string) error) error {
	key := wanted.idempotencyKey()
	for attempt := 1; ; attempt++ {
		err := try(key)
		if err == nil {
			return nil
		}
		if wanted.method == http.MethodDelete && attempt > 1 && errors.Is(err, ErrNotFound) {
			return nil // An earlier attempt has done it, and its answer was lost.
		}
		wait, again := t.waitBefore(attempt, err, repeats{repeatable: !wanted.once, afterFailure: !wanted.failedOnce})
		if !again || (wanted.spent != nil && wanted.spent()) || !pause(ctx, wait) {
			return err
		}
	}
}

// exchange is one attempt: an answer with a good status, or an error.
func (t *transport) exchange(ctx context.Context, wanted call, key string) (*answer, error) {
	guarded, guard := guardOf(ctx, t.patience(ctx, wanted))
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(guarded, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	request, err := t.build(traced, wanted, key, guard)
	if err != nil {
		guard.stop()
		return nil, err
	}
	response, err := t.http.Do(request)
	if err != nil {
		lost := t.fault(guarded, err, sent.Load())
		guard.stop()
		if source := guard.source.Load(); source != nil && ctx.Err() == nil {
			return nil, *source
		}
		return nil, lost
	}
	guard.touch()
	read := &answer{response: response, transport: t, ctx: guarded, guard: guard}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return read, nil
	}
	defer read.Close()
	if response.StatusCode < 400 {
		return nil, t.notOurs(response)
	}
	body, err := io.ReadAll(io.LimitReader(read, longestError))
	if err != nil {
		body = nil // The status is known, and is the better part of what was said.
	}
	return nil, apiError(response.StatusCode, body, response.Header)
}

// patience is how long one call bears silence; 0 is for ever.
func (t *transport) patience(ctx context.Context, wanted call) time.Duration {
	if _, has := ctx.Deadline(); has && !wanted.stream {
		return 0 // The caller has said how long this may take.
	}
	if wanted.silence > 0 {
		return wanted.silence
	}
	return t.timeout
}

func (t *transport) build(ctx context.Context, wanted call, key string, guard *guard) (*http.Request, error) {
	content, length, err := wanted.opened()
	if err != nil {
		return nil, err
	}
	address := t.base + "/" + wanted.path
	if query := queryOf(wanted.query); query != "" {
		address += "?" + query
	}
	request, err := http.NewRequestWithContext(ctx, wanted.method, address, nil)
	if err != nil {
		return nil, failed(ErrConfiguration, "%s is no path of the API", wanted.path)
	}
	if content != nil {
		// Without GetBody the HTTP library sends nothing a second time by itself: whether that is safe is decided here.
		request.Body, request.ContentLength = &guardedBody{content, guard}, length
		request.Header.Set("Content-Type", wanted.contentType())
	}
	for name, values := range t.headers(wanted.accept) {
		request.Header[name] = values
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	return request, nil
}

func (t *transport) headers(accept string) http.Header {
	if accept == "" {
		accept = "application/json"
	}
	headers := http.Header{}
	headers.Set("Authorization", "Bearer "+t.key())
	headers.Set("User-Agent", "openmiosa-go/"+Version)
	headers.Set("Accept", accept)
	return headers
}

// opened is the body of one attempt, and its length; -1 when that is not known.
func (c *call) opened() (io.ReadCloser, int64, error) {
	if c.content != nil {
		return c.content()
	}
	if c.body == nil {
		return nil, 0, nil
	}
	spelled, err := json.Marshal(c.body)
	if err != nil {
		return nil, 0, failed(ErrConfiguration, "the request cannot be spelled as JSON: %v", err)
	}
	return io.NopCloser(bytes.NewReader(spelled)), int64(len(spelled)), nil
}

func (c *call) contentType() string {
	if c.content != nil {
		return "application/octet-stream"
	}
	return "application/json"
}

// fault says what a failure of the network is called here. The URL is left out, as its query may be private.
func (t *transport) fault(ctx context.Context, err error, sent bool) error {
	var known *TransportError
	if errors.As(err, &known) {
		return known
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	lost := &TransportError{Sent: sent, Cause: err}
	switch {
	case errors.Is(context.Cause(ctx), errSilence), errors.Is(ctx.Err(), context.DeadlineExceeded):
		lost.Kind, lost.Message = ErrRequestTimeout, t.base+" did not answer in time"
		lost.Cause = context.DeadlineExceeded
	case ctx.Err() != nil:
		lost.Kind, lost.Message, lost.Cause = ErrTransport, "the call was cancelled", context.Cause(ctx)
	case !sent:
		lost.Kind = ErrUnreachable
		lost.Message = fmt.Sprintf("no server answers at %s (%v). Is it running (`openmiosa up`), and is MIOSA_BASE_URL right?", t.base, err)
	default:
		lost.Kind = ErrConnectionLost
		lost.Message = fmt.Sprintf("the connection to %s ended before the answer did (%v)", t.base, err)
	}
	return lost
}

func (t *transport) notOurs(response *http.Response) error {
	kind := response.Header.Get("Content-Type")
	if kind == "" {
		kind = "no content type"
	}
	return &TransportError{
		Kind: ErrUnexpectedReply,
		Sent: true,
		Message: fmt.Sprintf("%s%s answered %d with %s, which is not this API: is the base URL right?",
			response.Request.URL.Host, response.Request.URL.Path, response.StatusCode, kind),
	}
}

// unreadable says that an answer is JSON and not what was asked for.
func unreadable(format string, values ...any) error {
	return &TransportError{Kind: ErrUnexpectedReply, Sent: true, Message: "the server's answer cannot be read: " + fmt.Sprintf(format, values...)}
}

// idempotencyKey is fresh for every call that changes something, a deletion too: what it names may be another thing by its
// second arrival. Content has none: the server would have to hold all of it to know a repeat, and the same bytes at the same
// path are the same.
func (c *call) idempotencyKey() string {
	if c.method == http.MethodGet || c.method == http.MethodHead || c.content != nil {
		return ""
	}
	return randomName()
}

func randomName() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // It does not fail: where the system has no randomness the program ends.
	return hex.EncodeToString(random)
}
