package openmiosa

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

func TestTheBaseURLIsMadeWhole(t *testing.T) {
	for given, want := range map[string]string{
		"http://h":             "http://h/api/v1",
		"http://h/":            "http://h/api/v1",
		"http://h/prefix":      "http://h/prefix/api/v1",
		"https://h:1/api/v1/":  "https://h:1/api/v1",
		"https://h/other/v2":   "https://h/other/v2",
		" http://h/api/v1// ":  "http://h/api/v1",
		"http://[::1]:7878":    "http://[::1]:7878/api/v1",
		"http://127.0.0.1:787": "http://127.0.0.1:787/api/v1",
	} {
		client, err := NewClient(WithAPIKey(testKey), WithBaseURL(given))
		must(t, err)
		same(t, client.BaseURL(), want)
	}
}

func TestWhatIsNoBaseURLIsSaid(t *testing.T) {
	for _, given := range []string{"h:80", "ftp://h", "http://", "http://h?x=1", "http://h#x", "http://me:secret@h", "http://a b"} {
		_, err := NewClient(WithAPIKey(testKey), WithBaseURL(given))
		isKind(t, err, ErrConfiguration, ErrMiosa)
		if strings.Contains(err.Error(), "secret") {
			t.Fatal("the error has a password")
		}
	}
}

func TestTheEnvironmentIsReadWhenNothingIsGiven(t *testing.T) {
	t.Setenv("MIOSA_API_KEY", "msk_from_env")
	t.Setenv("MIOSA_BASE_URL", "http://env.example")
	client, err := NewClient()
	must(t, err)
	same(t, client.BaseURL(), "http://env.example/api/v1")
	same(t, client.transport.key(), "msk_from_env")
	client, err = NewClient(WithAPIKey("msk_mine"), WithBaseURL("http://mine.example"))
	must(t, err)
	same(t, client.BaseURL()+client.transport.key(), "http://mine.example/api/v1msk_mine")
}

func TestWithoutABaseURLTheServerOfThisMachineIsMeant(t *testing.T) {
	t.Setenv("MIOSA_BASE_URL", "")
	client, err := NewClient(WithAPIKey(testKey))
	must(t, err)
	same(t, client.BaseURL(), DefaultBaseURL+"/api/v1")
}

func TestWhatIsNoKeyIsSaid(t *testing.T) {
	t.Setenv("MIOSA_API_KEY", "")
	for _, key := range []string{"", "  ", "two words", "ümlaut", "line\nline"} {
		_, err := NewClient(WithAPIKey(key))
		isKind(t, err, ErrConfiguration)
	}
	_, err := NewClient()
	isKind(t, err, ErrConfiguration)
}

func TestNothingThatIsPrintedHasTheKey(t *testing.T) {
	server := serve(t)
	client := server.client(WithMaxRetries(0))
	sandbox := server.sandbox()
	server.on("GET /whoami", reply{drop: true})
	err := whoami(client)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{
			client, *client, client.Secrets, *client.Secrets, client.transport, *client.transport, sandbox, sandbox.Exec, *sandbox.Files, err,
			errors.Unwrap(err), struct{ C *Client }{client},
		} {
			//nolint:govet // Copies are the point: a copy of a client must not give the key away either.
			if text := fmt.Sprintf(verb, value); strings.Contains(text, testKey) {
				t.Fatalf("%s of a %T has the key: %s", verb, value, text)
			}
		}
	}
}

func TestSecretsOfRecordsAndOptionsAreNotPrinted(t *testing.T) {
	const secret = "only-for-eyes"
	for _, value := range []any{
		APIKey{ID: "key_1", Token: secret}, &APIKey{Token: secret}, ScopedToken{Token: secret}, Ticket{Ticket: secret},
		SetSecretOptions{Name: "a", Value: secret}, MachineOauthOptions{ClientSecret: secret}, ConnectionInfo{State: secret, AuthorizeURL: secret},
		&Connection{Info: ConnectionInfo{State: secret}}, ConnectionStatus{State: secret}, []APIKey{{Token: secret}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, secret) {
				t.Fatalf("%s of a %T has the secret: %s", verb, value, text)
			}
		}
	}
}

func TestARecordPrintsWhatWasSaidAndNotHowItCame(t *testing.T) {
	never := false
	var rule Rule
	must(t, json.Unmarshal([]byte(`{"id": "rul_1", "host": "a\u001b[2J.example", "new": 1, "created_at": "2026-11-28T12:00:00.5Z"}`), &rule))
	same(t, fmt.Sprint(&rule), `Rule{ID:rul_1 Host:a\x1b[2J.example CreatedAt:2026-11-28T12:00:00Z}`)
	same(t, described(struct{ Inert *bool }{&never}), "{Inert:false}")
}

func TestEveryRecordSaysHowItPrints(t *testing.T) {
	records, printed := map[string]bool{}, map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(node ast.Node) bool {
			if method, is := node.(*ast.FuncDecl); is && method.Recv != nil && method.Name.Name == "String" {
				if owner, plain := method.Recv.List[0].Type.(*ast.Ident); plain {
					printed[owner.Name] = true
				}
			}
			if made, is := node.(*ast.TypeSpec); is && embedsRecord(made) {
				records[made.Name.Name] = true
			}
			return true
		})
	}
	same(t, len(records) > 30, true)
	for name := range records {
		if !printed[name] {
			t.Errorf("%s prints as the bytes that it came as", name)
		}
	}
}

func embedsRecord(made *ast.TypeSpec) bool {
	body, is := made.Type.(*ast.StructType)
	if !is || len(body.Fields.List) == 0 {
		return false
	}
	kind, is := body.Fields.List[0].Type.(*ast.Ident)
	return is && kind.Name == "Record" && len(body.Fields.List[0].Names) == 0
}

func TestAnErrorOfTheConnectionHidesTheQuery(t *testing.T) {
	server := serve(t)
	server.on("GET /egress/oauth/status", reply{drop: true})
	connection := &Connection{Info: ConnectionInfo{State: "private-state"}, scope: scope{transport: server.client(WithMaxRetries(0)).transport}}
	_, err := connection.Status(ctx)
	isKind(t, err, ErrConnectionLost)
	if strings.Contains(fmt.Sprintf("%+v", err), "private-state") {
		t.Fatalf("got %v", err)
	}
}

func TestEveryKindIsBelowTheOneAboveIt(t *testing.T) {
	for _, kind := range kinds {
		isKind(t, &APIError{Kind: kind}, kind, ErrMiosa)
	}
	same(t, errors.Is(&APIError{Kind: ErrConflict}, ErrNameTaken), false)
	same(t, errors.Is(&APIError{Kind: ErrNameTaken}, ErrNotFound), false)
}

func TestABareLockdownSaysWhatWasObserved(t *testing.T) {
	details := object{"observed": []any{object{"host": "api.openai.com", "count": 3.0}, "b.example"}}
	text := (&APIError{Kind: ErrNoRules, Message: "no rules", Status: 409, Details: details}).Error()
	for _, part := range []string{"api.openai.com  3 calls", `LockdownOptions{Hosts: []string{"api.openai.com", "b.example"}}`} {
		if !strings.Contains(text, part) {
			t.Fatalf("%q is not in %q", part, text)
		}
	}
}

func TestALineOfTheLogCannotSteerATerminal(t *testing.T) {
	event := Event{Action: "allow", Host: "a\x1b[31m\u202e.example", StatusCode: 200}
	same(t, event.String(), `[audit] allow a\x1b[31m\u202e.example HTTP 200 secrets=none`)
}
