package openmiosa

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The tail: every event once, whatever happens to the connection.

const (
	eventsRoute = "GET /sandboxes/sbx_1/audit/stream"
	auditRoute  = "GET /egress/audit"
	opening     = ": open\n\n"
)

// withHistory is a server with one event before the tail begins, and its sandbox.
func withHistory(t *testing.T) (*scripted, *Sandbox) {
	server := serve(t)
	server.on(auditRoute, reply{body: object{"events": []object{{"id": "evt_1", "action": "allow"}}, "next_cursor": nil}})
	return server, server.sandbox()
}

// take gives the ids of the next events, as one text.
func take(t *testing.T, audit *Audit, count int, options *TailOptions) string {
	t.Helper()
	ids, err := taken(audit, count, options)
	must(t, err)
	return ids
}

func taken(audit *Audit, count int, options *TailOptions) (string, error) {
	var ids []string
	for event, err := range audit.Tail(ctx, options) {
		if err != nil {
			return strings.Join(ids, " "), err
		}
		ids = append(ids, event.ID)
		if len(ids) == count {
			break
		}
	}
	return strings.Join(ids, " "), nil
}

func (s *scripted) startedAfter() string {
	var after []string
	for _, one := range s.requests(eventsRoute) {
		after = append(after, one.query["after"])
	}
	return strings.Join(after, " ")
}

func TestATailStartsAfterTheNewestEvent(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}})
	same(t, take(t, sandbox.Audit, 1, nil), "evt_2")
	same(t, server.startedAfter(), "evt_1")
	same(t, server.requests(auditRoute)[0].query["limit"], "1")
}

func TestATailSaysWhenItsPlaceIsFixed(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}})
	started := 0
	same(t, take(t, sandbox.Audit, 1, &TailOptions{Started: func() {
		started++
		same(t, len(server.requests(eventsRoute)), 0)
	}}), "evt_2")
	same(t, started, 1)
}

func TestATailStartsWhereItIsTold(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(8)}})
	same(t, take(t, sandbox.Audit, 1, &TailOptions{After: "evt_7"}), "evt_8")
	same(t, server.startedAfter(), "evt_7")
	same(t, len(server.requests(auditRoute)), 0)
}

func TestATailGoesOnWhereTheConnectionBroke(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2), eventFrame(3)}, drop: true}, reply{chunks: []string{opening, eventFrame(4)}})
	same(t, take(t, sandbox.Audit, 3, nil), "evt_2 evt_3 evt_4")
	same(t, server.startedAfter(), "evt_1 evt_3")
}

func TestWhatComesTwiceIsGivenOnce(t *testing.T) {
	server, sandbox := withHistory(t)
	again := reply{chunks: []string{opening, eventFrame(2), eventFrame(2), eventFrame(3)}}
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}, drop: true}, again)
	same(t, take(t, sandbox.Audit, 2, nil), "evt_2 evt_3")
}

func TestAStreamThatEndsWellIsOpenedAgain(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}}, reply{chunks: []string{opening, eventFrame(3)}})
	same(t, take(t, sandbox.Audit, 2, nil), "evt_2 evt_3")
}

func TestWithoutHistoryNothingFallsBetween(t *testing.T) {
	server := serve(t)
	later := object{"events": []object{{"id": "evt_1", "action": "allow"}, {"id": "evt_2", "action": "allow"}}}
	server.on(auditRoute, reply{body: object{"events": []object{}}}, reply{body: later})
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2), eventFrame(3)}})
	same(t, take(t, server.sandbox().Audit, 3, nil), "evt_1 evt_2 evt_3")
	same(t, server.startedAfter(), "")
}

func TestASilentStreamIsOpenedAgain(t *testing.T) {
	server, sandbox := withHistory(t)
	sandbox.scope.transport.tailSilence = 50 * time.Millisecond
	silent := reply{chunks: []string{opening, eventFrame(2)}, hold: make(chan struct{})}
	server.on(eventsRoute, silent, reply{chunks: []string{opening, eventFrame(3)}})
	same(t, take(t, sandbox.Audit, 2, nil), "evt_2 evt_3")
}

func TestATailOutlivesAnErrorThatMayPass(t *testing.T) {
	server, sandbox := withHistory(t)
	passing := "event: error\ndata: {\"code\": \"UNAVAILABLE\", \"message\": \"draining\", \"retry\": true}\n\n"
	server.on(eventsRoute, reply{chunks: []string{opening, passing}}, busy(503, nil), reply{chunks: []string{opening, eventFrame(2)}})
	same(t, take(t, sandbox.Audit, 1, nil), "evt_2")
}

func TestATailEndsWithItsSandbox(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}}, busy(404, nil))
	same(t, take(t, sandbox.Audit, -1, nil), "evt_2")
}

func TestATailOfASandboxThatNeverWasIsNotFound(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, busy(404, nil))
	_, err := taken(sandbox.Audit, 1, nil)
	isKind(t, err, ErrNotFound)
}

func TestARevokedKeyEndsATailWithTheReason(t *testing.T) {
	server, sandbox := withHistory(t)
	refused := reply{status: 401, body: object{"error": object{"code": "UNAUTHENTICATED", "message": "revoked"}}}
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}}, refused)
	ids, err := taken(sandbox.Audit, -1, nil)
	same(t, ids, "evt_2")
	isKind(t, err, ErrAuthentication)
}

func TestATailGivesUpAfterSoLong(t *testing.T) {
	server, sandbox := withHistory(t)
	sandbox.scope.transport.maxRetries = 0
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}}, busy(503, nil))
	ids, err := taken(sandbox.Audit, -1, &TailOptions{ReconnectTimeout: 50 * time.Millisecond})
	same(t, ids, "evt_2")
	isKind(t, err, ErrUnavailable)
}

func TestATailEndsWithItsContext(t *testing.T) {
	server, sandbox := withHistory(t)
	server.on(eventsRoute, reply{chunks: []string{opening, eventFrame(2)}, hold: make(chan struct{})})
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	var last error
	for event, err := range sandbox.Audit.Tail(cancelled, nil) {
		last = err
		if err == nil {
			same(t, event.ID, "evt_2")
			cancel()
		}
	}
	isKind(t, last, context.Canceled)
}

func TestTheTenantsTailHasItsOwnStream(t *testing.T) {
	server, _ := withHistory(t)
	server.on("GET /events/stream", reply{chunks: []string{opening, eventFrame(2)}})
	same(t, take(t, server.client().Audit, 1, nil), "evt_2")
	same(t, server.requests("GET /events/stream")[0].query["types"], "audit")
}

func TestManyEventsAreRememberedAndNotForEver(t *testing.T) {
	follow := newTail(scope{}, TailOptions{})
	for number := range remembered + 10 {
		same(t, follow.isNew(fmt.Sprint(number)), true)
	}
	same(t, len(follow.seen), remembered)
	same(t, follow.isNew(fmt.Sprint(remembered+9)), false)
}
