package openmiosa

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Client is a client of one server, with one key. It is safe for use by several goroutines.
type Client struct {
	Sandboxes *Sandboxes
	Secrets   *Secrets
	Network   *Network
	Audit     *Audit
	APIKeys   *APIKeys
	Tokens    *Tokens
	AdminLog  *AdminLog

	transport *transport
}

// Option changes how a client is made.
type Option func(*choices)

type choices struct {
	key, base  *string
	timeout    time.Duration
	maxRetries int
	http       *http.Client
}

// WithAPIKey sets the key; the default is MIOSA_API_KEY.
func WithAPIKey(key string) Option { return func(c *choices) { c.key = &key } }

// WithBaseURL sets where the server is, with or without /api/v1; the default is MIOSA_BASE_URL, else DefaultBaseURL.
func WithBaseURL(base string) Option { return func(c *choices) { c.base = &base } }

// WithTimeout sets how long a call bears silence, 60 seconds by default; 0 is for ever. A context with a deadline beats it.
// Streams and long commands last as long as they like: the server says something at least every 20 seconds.
func WithTimeout(timeout time.Duration) Option { return func(c *choices) { c.timeout = timeout } }

// WithMaxRetries sets how often failures that may pass are tried again, 3 times by default; never so that something is done
// twice.
func WithMaxRetries(retries int) Option { return func(c *choices) { c.maxRetries = retries } }

// WithHTTPClient sets the HTTP client, for a proxy or a certificate authority of your own. Redirects are not followed, as
// they would carry the key elsewhere; leave its Timeout at 0, which would cut streams off.
func WithHTTPClient(client *http.Client) Option { return func(c *choices) { c.http = client } }

// NewClient makes a client. It talks to nobody yet.
func NewClient(options ...Option) (*Client, error) {
	chosen := choices{timeout: time.Minute, maxRetries: 3}
	for _, option := range options {
		option(&chosen)
	}
	base, err := settledBase(chosen.base)
	if err != nil {
		return nil, err
	}
	key, err := settledKey(chosen.key)
	if err != nil {
		return nil, err
	}
	carrier := defaultHTTP()
	if chosen.http != nil {
		copied := *chosen.http
		carrier = &copied
	}
	carrier.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t := &transport{
		base: base, key: func() string { return key }, http: carrier, timeout: max(0, chosen.timeout), maxRetries: max(0, chosen.maxRetries),
		firstWait: firstWait, tailWait: tailWait, tailSilence: tailSilence,
	}
	return clientOf(t), nil
}

func clientOf(t *transport) *Client {
	tenant := scope{transport: t}
	return &Client{
		Sandboxes: &Sandboxes{t},
		Secrets:   &Secrets{tenant},
		Network:   &Network{tenant},
		Audit:     &Audit{tenant},
		APIKeys:   &APIKeys{t},
		Tokens:    &Tokens{t},
		AdminLog:  &AdminLog{t},
		transport: t,
	}
}

// BaseURL is the API's base, as it is used.
func (c *Client) BaseURL() string { return c.transport.base }

// Whoami says whom the server takes this client for, and what the key may do.
func (c *Client) Whoami(ctx context.Context) (*Identity, error) {
	body, err := c.transport.request(ctx, call{method: http.MethodGet, path: "whoami"})
	return recordOf[Identity](body, err)
}

// Templates lists what sandboxes can be made from.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	body, err := c.transport.request(ctx, call{method: http.MethodGet, path: "templates"})
	return recordsOf[Template](body, err)
}

// SSETicket makes a ticket that opens one event stream, once and within a minute: for a browser's EventSource, which can send
// no key and takes the ticket as the parameter of that name.
func (c *Client) SSETicket(ctx context.Context) (*Ticket, error) {
	body, err := c.transport.request(ctx, call{method: http.MethodPost, path: "sse/ticket"})
	return recordOf[Ticket](body, err)
}

// Request makes any call of the API that has no method here, with the same key, retries and errors. body may be nil or
// anything that JSON can carry, and so may query; reply may be nil.
func (c *Client) Request(ctx context.Context, method, path string, query map[string]any, body, reply any) error {
	wanted := call{method: method, path: strings.TrimPrefix(path, "/"), query: query, body: body}
	raw, err := c.transport.request(ctx, wanted)
	if err != nil || reply == nil || len(raw) == 0 {
		return err
	}
	if err := json.Unmarshal(raw, reply); err != nil {
		return unreadable("%v", err)
	}
	return nil
}

// Close gives up the connections that are kept for the next call.
func (c *Client) Close() { c.transport.http.CloseIdleConnections() }

// String names the server, and never the key.
func (c *Client) String() string { return fmt.Sprintf("openmiosa.Client(%q)", c.transport.base) }

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// scope is one sandbox, or without one the whole tenant.
type scope struct {
	transport *transport
	sandbox   string
}

// resource says in a body or a query which sandbox is meant.
func (s scope) resource() object {
	if s.sandbox == "" {
		return object{}
	}
	return object{"resource_id": s.sandbox, "resource_type": "sandbox"}
}

// call makes a call whose path is given in segments.
func (s scope) call(ctx context.Context, method string, query object, body any, segments ...string) (json.RawMessage, error) {
	path, err := pathOf(segments...)
	if err != nil {
		return nil, err
	}
	return s.transport.request(ctx, call{method: method, path: path, query: query, body: body})
}

// inside makes a call below the sandbox's own path.
func (s scope) inside(ctx context.Context, method string, query object, body any, segments ...string) (json.RawMessage, error) {
	return s.call(ctx, method, query, body, append([]string{"sandboxes", s.sandbox}, segments...)...)
}
