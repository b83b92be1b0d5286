package openmiosa

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"
)

// Audit is the record of outbound calls of one sandbox, or of the tenant: listed, exported, or live.
type Audit struct{ scope scope }

// ListEventsOptions narrows a list of events, or an export of them.
type ListEventsOptions struct {
	// Host is exact, or a pattern such as *.openai.com.
	Host   string `json:"host"`
	Method string `json:"method"`
	// Action is allow, reject, stub, error or client_cancel.
	Action string `json:"action"`
	// Secret is the name of a secret that the call carried.
	Secret              string    `json:"secret"`
	Since               time.Time `json:"since"`
	Until               time.Time `json:"until"`
	ExternalUserID      string    `json:"external_user_id"`
	ExternalWorkspaceID string    `json:"external_workspace_id"`
	// Limit is the size of a page, Cursor the id of the event that comes before it.
	Limit  int            `json:"limit"`
	Cursor string         `json:"cursor"`
	Extra  map[string]any `json:"-"`
}

// TailOptions says where a tail starts and how long it bears a server that is away.
type TailOptions struct {
	// After is the id of the event after which it starts; empty is the newest one there is.
	After string
	// ReconnectTimeout is how long it tries to reach the server again, five minutes when it is 0.
	ReconnectTimeout time.Duration
	// Started is called once it is fixed where the tail starts: it misses nothing that happens after that.
	Started func()
}

// List gives events, oldest first; without Since and Cursor the newest page.
func (a *Audit) List(ctx context.Context, options *ListEventsOptions) iter.Seq2[Event, error] {
	return pages(ctx, a.scope.transport, "egress/audit", merged(a.scope.resource(), given(options)), readAs[Event])
}

// Get gives one event.
func (a *Audit) Get(ctx context.Context, eventID string) (*Event, error) {
	body, err := a.scope.call(ctx, http.MethodGet, nil, nil, "egress", "audit", eventID)
	return recordOf[Event](body, err, "event")
}

// Tail gives events as they happen, until the context or the loop ends: every event once, whatever happens to the
// connection.
func (a *Audit) Tail(ctx context.Context, options *TailOptions) iter.Seq2[Event, error] {
	if options == nil {
		options = &TailOptions{}
	}
	return func(yield func(Event, error) bool) { newTail(a.scope, *options).run(ctx, yield) }
}

// Export writes all events that match, as csv or jsonl.
func (a *Audit) Export(ctx context.Context, into io.Writer, format string, options *ListEventsOptions) error {
	query := merged(a.scope.resource(), given(options), object{"format": format})
	return a.scope.transport.copyTo(ctx, into, call{method: http.MethodGet, path: "egress/audit/export", query: query}, nil)
}
