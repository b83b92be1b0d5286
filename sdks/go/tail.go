package openmiosa

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	// tailSilence is after how long a connection is taken for dead; the server says something every 15 s.
	tailSilence = 45 * time.Second
	tailWait    = 100 * time.Millisecond
	tailLongest = 5 * time.Second
	// remembered is how many ids are kept to drop what comes twice around a reconnection.
	remembered = 4096
	beginning  = "1970-01-01T00:00:00Z"
	// outageLimit is how long a server may be away when the options do not say.
	outageLimit = 5 * time.Minute
)

// tail follows events over as many connections as it takes.
type tail struct {
	scope   scope
	options TailOptions
	// last is the id of the newest event that was given, or that the tail starts after.
	last string
	seen map[string]bool
	ids  *list.List
	// connected says that a connection has stood at least once.
	connected bool
}

func newTail(own scope, options TailOptions) *tail {
	if options.ReconnectTimeout == 0 {
		options.ReconnectTimeout = outageLimit
	}
	return &tail{scope: own, options: options, last: options.After, seen: map[string]bool{}, ids: list.New()}
}

// run gives events until the caller has enough, the context ends, or an error is final.
func (t *tail) run(ctx context.Context, yield func(Event, error) bool) {
	if err := t.place(ctx); err != nil {
		yield(Event{}, err)
		return
	}
	lost := &outage{limit: t.options.ReconnectTimeout, first: t.scope.transport.tailWait}
	for {
		enough, err := t.connection(ctx, lost, yield)
		if enough {
			return
		}
		if errors.Is(err, ErrNotFound) && t.connected {
			return // The sandbox is gone, and with it what could still happen.
		}
		wait, final := lost.wait(err)
		if final || ctx.Err() != nil {
			yield(Event{}, err)
			return
		}
		if !pause(ctx, wait) {
			yield(Event{}, t.scope.transport.fault(ctx, err, true))
			return
		}
	}
}

// place remembers the newest event there is: what comes after it is ours, whenever the stream opens.
func (t *tail) place(ctx context.Context) error {
	if t.last == "" {
		for event, err := range t.listed(ctx, object{"limit": 1}) {
			if err != nil {
				return err
			}
			t.last = event.ID
			break
		}
	}
	if t.options.Started != nil {
		t.options.Started()
	}
	return nil
}

// connection follows one connection to its end; true when the caller has enough.
func (t *tail) connection(ctx context.Context, lost *outage, yield func(Event, error) bool) (bool, error) {
	// The tenant's stream carries more than calls.
	path, query := "events/stream", object{"types": "audit"}
	if t.scope.sandbox != "" {
		own, err := pathOf("sandboxes", t.scope.sandbox, "audit", "stream")
		if err != nil {
			return false, err
		}
		path, query = own, object{}
	}
	if t.last != "" {
		query["after"] = t.last
	}
	opened, err := t.scope.transport.open(ctx, call{
		method: http.MethodGet, path: path, query: query, accept: "text/event-stream", silence: t.scope.transport.tailSilence, stream: true,
	})
	if err != nil {
		return false, err
	}
	defer opened.Close()
	t.connected = true
	lost.over()
	if t.last == "" {
		// There was no event to start after, so all that are there by now are new; the stream is open, none falls between.
		if enough, err := t.catchUp(ctx, yield); enough || err != nil {
			return enough, err
		}
	}
	return t.follow(opened, yield)
}

func (t *tail) catchUp(ctx context.Context, yield func(Event, error) bool) (bool, error) {
	for event, err := range t.listed(ctx, object{"since": beginning}) {
		if err != nil {
			return false, err
		}
		if t.isNew(event.ID) && !yield(event, nil) {
			return true, nil
		}
	}
	return false, nil
}

func (t *tail) follow(opened *answer, yield func(Event, error) bool) (bool, error) {
	for one, err := range framesOf(opened) {
		if err == nil && one.event == "error" {
			err = apiError(500, []byte(one.data), nil)
		}
		if err != nil {
			return false, err
		}
		event, found := eventOf(one)
		if found && t.isNew(event.ID) && !yield(event, nil) {
			return true, nil
		}
	}
	return false, &TransportError{Kind: ErrConnectionLost, Sent: true, Message: "the server ended the stream"}
}

func (t *tail) listed(ctx context.Context, filters object) func(func(Event, error) bool) {
	return pages(ctx, t.scope.transport, "egress/audit", merged(t.scope.resource(), filters), readAs[Event])
}

func (t *tail) isNew(id string) bool {
	if t.seen[id] {
		return false
	}
	t.seen[id] = true
	t.ids.PushBack(id)
	if t.ids.Len() > remembered {
		delete(t.seen, t.ids.Remove(t.ids.Front()).(string))
	}
	t.last = id
	return true
}

// eventOf is the event of a frame; false for what else the stream carries, such as the sandbox's own life.
func eventOf(one frame) (Event, bool) {
	var known struct {
		ID     string  `json:"id"`
		Action *string `json:"action"`
	}
	var event Event
	if json.Unmarshal([]byte(one.data), &known) != nil || !strings.HasPrefix(known.ID, "evt_") || known.Action == nil {
		return event, false
	}
	return event, json.Unmarshal([]byte(one.data), &event) == nil
}

// outage is how long to wait before the next connection, and when to give up.
type outage struct {
	limit, first time.Duration
	since        time.Time
	tries        int
}

// over says that the connection stands.
func (o *outage) over() { o.since, o.tries = time.Time{}, 0 }

// wait is the pause until the next try; true when the error is final or has lasted too long.
func (o *outage) wait(failure error) (time.Duration, bool) {
	if o.since.IsZero() {
		o.since = time.Now()
	}
	if !mayPass(failure) || time.Since(o.since) > o.limit {
		return 0, true
	}
	if errors.Is(failure, ErrRequestTimeout) {
		return 0, false
	}
	o.tries++
	longest := math.Min(float64(o.first)*math.Pow(2, float64(o.tries)), float64(tailLongest))
	return time.Duration(longest * (0.5 + rand.Float64()/2)), false
}

// mayPass says whether the same connection may succeed later.
func mayPass(failure error) bool {
	var answer *APIError
	if errors.As(failure, &answer) {
		return answer.Retry
	}
	return errors.Is(failure, ErrTransport) && !errors.Is(failure, ErrUnexpectedReply)
}
