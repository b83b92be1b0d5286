package openmiosa

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

var ctx = context.Background()

func whoami(client *Client) error {
	_, err := client.Whoami(ctx)
	return err
}

func busy(status int, headers map[string]string) reply {
	return reply{status: status, headers: headers, body: object{"error": object{"code": "UNAVAILABLE", "message": "later"}}}
}

func TestARequestCarriesTheKeyAndSaysWhoAsks(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{body: object{"data": object{"key_id": "key_1", "scopes": []string{"a"}}}})
	me, err := server.client().Whoami(ctx)
	must(t, err)
	same(t, me.KeyID, "key_1")
	header := server.requests("GET /whoami")[0].header
	same(t, header.Get("Authorization"), "Bearer "+testKey)
	same(t, header.Get("User-Agent"), "openmiosa-go/"+Version)
	same(t, header.Get("Idempotency-Key"), "")
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504} {
		server := serve(t)
		server.on("GET /whoami", busy(status, nil), busy(status, nil), reply{body: object{"key_id": "key_1"}})
		must(t, whoami(server.client()))
		same(t, len(server.requests("GET /whoami")), 3)
	}
}

func TestWhatIsFinalIsNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 422, 501} {
		server := serve(t)
		server.on("GET /whoami", busy(status, nil))
		isKind(t, whoami(server.client()), ErrAPI)
		same(t, len(server.requests("GET /whoami")), 1)
	}
}

func TestAllAttemptsOfOneMutationCarryOneKey(t *testing.T) {
	server := serve(t)
	server.on("POST /egress/secrets", busy(503, nil), reply{drop: true}, reply{status: 201, body: object{"data": object{"id": "sec_1", "name": "a"}}})
	client := server.client()
	_, err := client.Secrets.Set(ctx, SetSecretOptions{Name: "a", Value: "v"})
	must(t, err)
	keys := map[string]bool{}
	for _, one := range server.requests("POST /egress/secrets") {
		keys[one.header.Get("Idempotency-Key")] = true
		same(t, one.json(t)["value"], any("v"))
	}
	same(t, len(server.requests("POST /egress/secrets")), 3)
	same(t, len(keys), 1)
	_, err = client.Secrets.Set(ctx, SetSecretOptions{Name: "a", Value: "v"})
	must(t, err)
	all := server.requests("POST /egress/secrets")
	if keys[all[3].header.Get("Idempotency-Key")] || keys[""] {
		t.Fatal("another call carries another key")
	}
}

func TestACommandThatMayHaveStartedIsNotSentAgain(t *testing.T) {
	for _, answer := range []reply{busy(503, nil), {drop: true}} {
		server := serve(t)
		sandbox := server.sandbox()
		server.on("POST /sandboxes/sbx_1/exec", answer)
		_, err := sandbox.Exec.Run(ctx, Shell("rm -rf x"))
		isKind(t, err, ErrMiosa)
		same(t, len(server.requests("POST /sandboxes/sbx_1/exec")), 1)
	}
}

func TestAProcessIsStartedAgainWhenTheAnswerWasLostAndNotWhenTheServerFailed(t *testing.T) {
	for _, row := range []struct {
		first reply
		times int
	}{{reply{drop: true}, 2}, {busy(429, nil), 2}, {busy(503, nil), 1}} {
		server := serve(t)
		sandbox := server.sandbox()
		server.on("POST /sandboxes/sbx_1/processes", row.first, reply{body: object{"data": object{"pid": 7}}})
		_, err := sandbox.Processes.Start(ctx, Shell("sleep 9"))
		same(t, err == nil, row.times == 2)
		same(t, len(server.requests("POST /sandboxes/sbx_1/processes")), row.times)
	}
}

func TestACommandThatWasNotStartedIsSentAgain(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	starting := reply{status: 409, body: object{"error": object{"code": "SANDBOX_STARTING", "message": "soon", "retry": true}}}
	server.on("POST /sandboxes/sbx_1/exec", starting, reply{body: object{"data": object{"stdout": "hi\n", "exit_code": 0}}})
	result, err := sandbox.Exec.Run(ctx, Shell("echo hi"))
	must(t, err)
	same(t, result.Stdout, "hi\n")
}

func TestRetryAfterIsHonoured(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", busy(429, map[string]string{"Retry-After": "0.2"}), reply{body: object{}})
	began := time.Now()
	must(t, whoami(server.client()))
	if waited := time.Since(began); waited < 200*time.Millisecond || waited > 5*time.Second {
		t.Fatalf("waited %v", waited)
	}
}

func TestTheServersWordOnRetryingWins(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{status: 503, body: object{"error": object{"code": "X", "message": "no", "retry": false}}})
	isKind(t, whoami(server.client()), ErrUnavailable, ErrServer, ErrAPI, ErrMiosa)
	same(t, len(server.requests("GET /whoami")), 1)
}

func TestADeletionWhoseAnswerWasLostIsDone(t *testing.T) {
	server := serve(t)
	server.on("DELETE /sandboxes/sbx_1", reply{drop: true}, reply{status: 404, body: object{"error": object{"code": "NOT_FOUND", "message": "gone"}}})
	must(t, server.client().Sandboxes.Delete(ctx, "sbx_1"))
	asked := server.requests("DELETE /sandboxes/sbx_1")
	same(t, len(asked[0].header.Get("Idempotency-Key")), 32)
	same(t, asked[1].header.Get("Idempotency-Key"), asked[0].header.Get("Idempotency-Key"))
}

func TestNothingListeningWasNeverSent(t *testing.T) {
	client, err := NewClient(WithAPIKey(testKey), WithBaseURL(nobody(t)), WithMaxRetries(0))
	must(t, err)
	err = whoami(client)
	isKind(t, err, ErrUnreachable, ErrTransport, ErrMiosa)
	var lost *TransportError
	if !errors.As(err, &lost) || lost.Sent || !strings.Contains(err.Error(), "openmiosa up") {
		t.Fatalf("got %#v", err)
	}
}

func TestABrokenConnectionMayHaveBeenSent(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{drop: true})
	err := whoami(server.client(WithMaxRetries(0)))
	isKind(t, err, ErrConnectionLost)
	var lost *TransportError
	same(t, errors.As(err, &lost) && lost.Sent, true)
}

func TestSilenceEndsACall(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{hold: make(chan struct{})})
	err := whoami(server.client(WithTimeout(30*time.Millisecond), WithMaxRetries(0)))
	isKind(t, err, ErrRequestTimeout, context.DeadlineExceeded)
}

func TestTheContextsDeadlineBeatsTheTimeout(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{hold: make(chan struct{})})
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	_, err := server.client().Whoami(short)
	isKind(t, err, ErrRequestTimeout, context.DeadlineExceeded)
	same(t, len(server.requests("GET /whoami")), 1)
}

func TestACancelledCallSaysSo(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{hold: make(chan struct{})})
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := server.client().Whoami(cancelled)
	isKind(t, err, ErrTransport, context.Canceled)
	same(t, len(server.requests("GET /whoami")), 1)
}

func TestABodyThatDripsIsNoSilence(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox(WithTimeout(500 * time.Millisecond))
	// All of it takes longer than the silence that is borne, each piece far less.
	server.on("GET /sandboxes/sbx_1/fs/download", reply{chunks: strings.Split(strings.Repeat("a", 60), ""), gap: 10 * time.Millisecond})
	content, err := sandbox.Files.Read(ctx, "/x")
	must(t, err)
	same(t, len(content), 60)
}

func TestAStreamThatFallsSilentEnds(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox(WithTimeout(50 * time.Millisecond))
	server.on("GET /sandboxes/sbx_1/fs/download", reply{chunks: []string{"a"}, hold: make(chan struct{})})
	_, err := sandbox.Files.Read(ctx, "/x")
	isKind(t, err, ErrRequestTimeout)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	server, other := serve(t), serve(t)
	server.on("GET /whoami", reply{status: 302, headers: map[string]string{"Location": other.URL + "/api/v1/whoami"}})
	isKind(t, whoami(server.client()), ErrUnexpectedReply)
	isKind(t, whoami(server.client(WithHTTPClient(&http.Client{}))), ErrUnexpectedReply)
	same(t, len(other.requests("GET /whoami")), 0)
}

func TestWhatIsNotThisAPIIsSaid(t *testing.T) {
	for _, body := range []string{"<html>hello</html>", "[1]", `"text"`} {
		server := serve(t)
		server.on("GET /whoami", reply{body: body, headers: map[string]string{"Content-Type": "text/html"}})
		isKind(t, whoami(server.client()), ErrUnexpectedReply, ErrTransport)
		same(t, len(server.requests("GET /whoami")), 1)
	}
}

func TestARecordWithoutItsIDIsNotThisAPI(t *testing.T) {
	server := serve(t)
	server.on("GET /sandboxes/x", reply{body: object{"ok": true}})
	_, err := server.client().Sandboxes.Get(ctx, "x")
	isKind(t, err, ErrUnexpectedReply)
}

func TestAnyOtherCallGoesThroughRequest(t *testing.T) {
	server := serve(t)
	server.on("POST /something/new", reply{body: object{"answer": 42}})
	var got struct{ Answer int }
	must(t, server.client().Request(ctx, "POST", "/something/new", object{"a": true, "b": []string{"x", "y"}}, object{"c": 1}, &got))
	same(t, got.Answer, 42)
	one := server.requests("POST /something/new")[0]
	same(t, one.query["a"]+one.query["b"], "truex,y")
	same(t, one.json(t)["c"], any(1.0))
}

func TestPagesAreFetchedAsTheyAreNeeded(t *testing.T) {
	server := serve(t)
	first := reply{body: object{"data": []object{{"id": "sbx_1"}, {"id": "sbx_2"}}, "next_cursor": "c1"}}
	server.on("GET /sandboxes", first, reply{body: object{"data": []object{{"id": "sbx_3"}}, "next_cursor": nil}})
	all, err := Collect(server.client().Sandboxes.List(ctx, &ListSandboxesOptions{Tags: []string{"a", "b"}, Limit: 2}))
	must(t, err)
	same(t, len(all), 3)
	asked := server.requests("GET /sandboxes")
	same(t, asked[0].query["cursor"]+asked[0].query["tags"]+asked[1].query["cursor"]+asked[1].query["tags"], "a,bc1a,b")
}

func TestALoopThatEndsFetchesNoMore(t *testing.T) {
	server := serve(t)
	server.on("GET /sandboxes", reply{body: object{"data": []object{{"id": "sbx_1"}, {"id": "sbx_2"}}, "next_cursor": "c1"}})
	var first string
	for sandbox, err := range server.client().Sandboxes.List(ctx, nil) {
		must(t, err)
		first = sandbox.ID()
		break
	}
	same(t, first, "sbx_1")
	same(t, len(server.requests("GET /sandboxes")), 1)
}

func TestAnErrorIsTheLastElementOfAList(t *testing.T) {
	server := serve(t)
	server.on("GET /sandboxes", reply{body: object{"data": []object{{"id": "sbx_1"}}, "next_cursor": "c1"}}, busy(404, nil))
	all, err := Collect(server.client().Sandboxes.List(ctx, nil))
	isKind(t, err, ErrNotFound)
	same(t, len(all), 1)
}
