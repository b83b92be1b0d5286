package openmiosa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const testKey = "msk_live_only_for_tests"

// reply is one scripted answer: JSON or bytes, a stream of chunks, or a connection that breaks after what was sent.
type reply struct {
	status  int
	body    any
	headers map[string]string
	chunks  []string
	// gap is the pause before each chunk.
	gap time.Duration
	// hold is waited for before the answer ends, or before it begins where there are no chunks.
	hold chan struct{}
	drop bool
}

// seen is one request, as it arrived.
type seen struct {
	method, path string
	query        map[string]string
	header       http.Header
	raw          []byte
}

func (s seen) json(t *testing.T) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(s.raw, &body); err != nil {
		t.Fatalf("%s %s had no JSON: %q", s.method, s.path, s.raw)
	}
	return body
}

// scripted is a server that answers each route with its replies in turn; the last one stays. What has none is a 404.
type scripted struct {
	*httptest.Server
	t       *testing.T
	lock    sync.Mutex
	scripts map[string][]reply
	all     []seen
}

func serve(t *testing.T) *scripted {
	t.Helper()
	made := &scripted{t: t, scripts: map[string][]reply{}}
	made.Server = httptest.NewServer(made)
	t.Cleanup(func() {
		made.CloseClientConnections()
		made.Close()
	})
	return made
}

// on scripts a route below the API's base, such as "GET /whoami".
func (s *scripted) on(route string, replies ...reply) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.scripts[route] = replies
}

// requests are those that came to one route.
func (s *scripted) requests(route string) []seen {
	s.lock.Lock()
	defer s.lock.Unlock()
	var found []seen
	for _, one := range s.all {
		if one.method+" "+one.path == route {
			found = append(found, one)
		}
	}
	return found
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	query := map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, "&")
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1")
	one := seen{r.Method, path, query, r.Header.Clone(), raw}
	s.lock.Lock()
	s.all = append(s.all, one)
	route := one.method + " " + one.path
	answer := reply{status: 404, body: object{"error": object{"code": "NOT_FOUND", "message": "nothing at " + route}}}
	if script := s.scripts[route]; len(script) > 0 {
		answer = script[0]
		if len(script) > 1 {
			s.scripts[route] = script[1:]
		}
	}
	s.lock.Unlock()
	s.answer(w, r, answer)
}

func (s *scripted) answer(w http.ResponseWriter, r *http.Request, answer reply) {
	if answer.chunks == nil && answer.hold != nil {
		held(r, answer.hold)
	}
	if answer.drop && answer.chunks == nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.chunks != nil {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	for name, value := range answer.headers {
		w.Header().Set(name, value)
	}
	if answer.status == 0 {
		answer.status = 200
	}
	w.WriteHeader(answer.status)
	if answer.chunks == nil {
		_, _ = w.Write(bodyOf(answer.body))
		return
	}
	for _, chunk := range answer.chunks {
		select {
		case <-time.After(answer.gap):
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, chunk)
		w.(http.Flusher).Flush()
	}
	if answer.hold != nil {
		held(r, answer.hold)
	}
	if answer.drop {
		panic(http.ErrAbortHandler)
	}
}

func held(r *http.Request, until chan struct{}) {
	select {
	case <-until:
	case <-r.Context().Done():
	}
}

func bodyOf(body any) []byte {
	switch one := body.(type) {
	case nil:
		return nil
	case []byte:
		return one
	case string:
		return []byte(one)
	}
	spelled, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return spelled
}

// client talks to the scripted server; its retries wait for next to nothing.
func (s *scripted) client(options ...Option) *Client {
	s.t.Helper()
	made, err := NewClient(append([]Option{WithAPIKey(testKey), WithBaseURL(s.URL)}, options...)...)
	must(s.t, err)
	made.transport.firstWait = time.Millisecond
	made.transport.tailWait = time.Millisecond
	s.t.Cleanup(made.Close)
	return made
}

// sandbox is one called agent.
func (s *scripted) sandbox(options ...Option) *Sandbox {
	s.t.Helper()
	s.on("GET /sandboxes/sbx_1", reply{body: object{"data": object{"id": "sbx_1", "name": "agent", "state": "running"}}})
	found, err := s.client(options...).Sandboxes.Get(context.Background(), "sbx_1")
	must(s.t, err)
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func isKind(t *testing.T, err error, kinds ...error) {
	t.Helper()
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			t.Fatalf("%v (%T) is not %q", err, err, kind)
		}
	}
}

// eventFrame is the frame of an audit event.
func eventFrame(number int) string {
	body := bodyOf(object{"id": fmt.Sprintf("evt_%d", number), "number": number, "action": "allow", "host": "api.openai.com", "status_code": 200})
	return fmt.Sprintf("event: audit\nid: evt_%d\ndata: %s\n\n", number, body)
}

// nobody is an address of this machine where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

func contextWithStop() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

func contextFor(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}
