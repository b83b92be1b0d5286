package openmiosa

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"reflect"
	"testing"
	"time"
)

// The golden cases that every SDK reads: records, errors and streams of contracts/vectors.

func cases[T any](t *testing.T, name string) []T {
	t.Helper()
	raw, err := os.ReadFile("../../contracts/vectors/" + name + ".json")
	must(t, err)
	file := map[string]json.RawMessage{}
	must(t, json.Unmarshal(raw, &file))
	var found []T
	must(t, json.Unmarshal(file[name], &found))
	if len(found) == 0 {
		t.Fatalf("%s.json has no case", name)
	}
	return found
}

// models are the records by the name that they have in every language.
var models = map[string]any{
	"SandboxInfo": SandboxInfo{}, "SnapshotInfo": SnapshotInfo{}, "Preview": Preview{}, "Variable": Variable{}, "Readiness": Readiness{},
	"Template": Template{}, "Secret": Secret{}, "Binding": Binding{}, "Provider": Provider{}, "ConnectionInfo": ConnectionInfo{},
	"ConnectionStatus": ConnectionStatus{}, "Rule": Rule{}, "Policy": Policy{}, "Suggestion": Suggestion{}, "PendingHost": PendingHost{},
	"Event": Event{}, "ApiKey": APIKey{}, "Identity": Identity{}, "ScopedToken": ScopedToken{}, "Ticket": Ticket{},
	"AdminEntry": AdminEntry{}, "ExecResult": ExecResult{}, "Process": Process{}, "FileInfo": FileInfo{}, "FileChange": FileChange{},
	"FileTree": FileTree{}, "Usage": Usage{}, "Metrics": Metrics{}, "KeyPreset": KeyPreset{},
	"Resources": Resources{}, "Artifacts": Artifacts{},
}

type recordCase struct {
	Name, Model string
	JSON        json.RawMessage
}

// decoded is a pointer to the record that a case describes.
func decoded(t *testing.T, one recordCase) any {
	t.Helper()
	model, known := models[one.Model]
	if !known {
		t.Fatalf("there is no %s", one.Model)
	}
	record := reflect.New(reflect.TypeOf(model)).Interface()
	must(t, json.Unmarshal(one.JSON, record))
	return record
}

func TestARecordComesBackAsItWentIn(t *testing.T) {
	for _, one := range cases[recordCase](t, "records") {
		t.Run(one.Model+" "+one.Name, func(t *testing.T) {
			again, err := json.Marshal(decoded(t, one))
			must(t, err)
			sameJSON(t, again, one.JSON)
		})
	}
}

func TestARecordIsWrittenFromItsFieldsAlone(t *testing.T) {
	for _, one := range cases[recordCase](t, "records") {
		t.Run(one.Model+" "+one.Name, func(t *testing.T) {
			record := decoded(t, one)
			forget(reflect.ValueOf(record).Elem())
			again, err := json.Marshal(record)
			must(t, err)
			reread := reflect.New(reflect.TypeOf(record).Elem()).Interface()
			must(t, json.Unmarshal(again, reread))
			forget(reflect.ValueOf(reread).Elem())
			if !reflect.DeepEqual(reread, record) {
				t.Fatalf("got %#v, want %#v", reread, record)
			}
		})
	}
}

// forget drops what a record remembers of the JSON that it came from, and so do the records in it.
func forget(value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			forget(value.Elem())
		}
	case reflect.Slice:
		for index := range value.Len() {
			forget(value.Index(index))
		}
	case reflect.Struct:
		if beside := value.FieldByName("Record"); beside.IsValid() {
			extra := beside.FieldByName("Extra").Interface().(map[string]json.RawMessage)
			beside.Set(reflect.ValueOf(Record{Extra: compacted(extra)}))
			for index := range value.NumField() {
				forget(value.Field(index))
			}
		}
	}
}

func compacted(extra map[string]json.RawMessage) map[string]json.RawMessage {
	tidy := map[string]json.RawMessage{}
	for name, raw := range extra {
		var value any
		_ = json.Unmarshal(raw, &value)
		tidy[name], _ = json.Marshal(value)
	}
	return tidy
}

func TestAChangedFieldIsWrittenAsItIsNow(t *testing.T) {
	var rule Rule
	must(t, json.Unmarshal([]byte(`{"id":"rul_1","host":"a.example","port":null,"note":"x","later":1}`), &rule))
	rule.Port, rule.Note = 443, ""
	again, err := json.Marshal(rule)
	must(t, err)
	sameJSON(t, again, []byte(`{"id":"rul_1","host":"a.example","port":443,"note":"","later":1}`))
}

type errorCase struct {
	Name    string
	Status  int
	Headers map[string]string
	Body    string
	Error   string
	Code    string
	Message string
	Retry   bool
	// RetryAfter is in seconds; nil when nobody said.
	RetryAfter *float64 `json:"retry_after"`
	RequestID  *string  `json:"request_id"`
	Details    map[string]any
}

// kinds are the errors of an answer by the name of their class in the other languages.
var kinds = map[string]error{
	"APIError": ErrAPI, "ValidationError": ErrValidation, "BadRequestError": ErrBadRequest, "AuthenticationError": ErrAuthentication,
	"PermissionDeniedError": ErrPermissionDenied, "InsufficientScopeError": ErrInsufficientScope, "NotFoundError": ErrNotFound,
	"ConflictError": ErrConflict, "NoRulesError": ErrNoRules, "NameTakenError": ErrNameTaken, "SandboxStateError": ErrSandboxState,
	"PayloadTooLargeError": ErrPayloadTooLarge, "RateLimitError": ErrRateLimit, "ServerError": ErrServer,
	"NotSupportedError": ErrNotSupported, "UnavailableError": ErrUnavailable, "ConnectionLostError": ErrConnectionLost,
}

func TestAnAnswerBecomesItsError(t *testing.T) {
	for _, one := range cases[errorCase](t, "errors") {
		t.Run(one.Name, func(t *testing.T) {
			server := serve(t)
			server.on("GET /whoami", reply{status: one.Status, body: one.Body, headers: one.Headers})
			_, err := server.client(WithMaxRetries(0)).Whoami(context.Background())
			var answer *APIError
			if !errors.As(err, &answer) {
				t.Fatalf("%v is no APIError", err)
			}
			same(t, answer.Kind, kinds[one.Error])
			same(t, answer.Status, one.Status)
			same(t, answer.Code, one.Code)
			same(t, answer.Message, one.Message)
			same(t, answer.Retry, one.Retry)
			same(t, answer.waits, one.RetryAfter != nil)
			if one.RetryAfter != nil {
				same(t, answer.RetryAfter, time.Duration(*one.RetryAfter*float64(time.Second)))
			}
			if one.RequestID != nil {
				same(t, answer.RequestID, *one.RequestID)
			}
			if !reflect.DeepEqual(answer.Details, one.Details) {
				t.Fatalf("got %v, want %v", answer.Details, one.Details)
			}
		})
	}
}

type streamCase struct {
	Name, Kind string
	Chunks     []string
	Events     []json.RawMessage
	Error      *struct {
		Error, Code, Message string
		Retry                *bool
	}
}

func TestAStreamIsReadWhateverItsChunksAre(t *testing.T) {
	for _, one := range cases[streamCase](t, "streams") {
		t.Run(one.Kind+" "+one.Name, func(t *testing.T) {
			server := serve(t)
			chunks := make([]string, len(one.Chunks))
			for index, chunk := range one.Chunks {
				chunks[index] = latin1(chunk)
			}
			for _, route := range streamRoutes {
				server.on(route, reply{chunks: chunks})
			}
			enough := len(one.Events)
			if one.Kind != "tail" || one.Error != nil {
				enough = -1 // Only a tail has no end of its own.
			}
			found, err := gathered(streamReaders[one.Kind](server), enough)
			want, _ := json.Marshal(one.Events)
			sameJSON(t, bodyOf(found), want)
			checkStreamError(t, err, one)
		})
	}
}

func checkStreamError(t *testing.T, err error, one streamCase) {
	t.Helper()
	if one.Error == nil {
		must(t, err)
		return
	}
	isKind(t, err, kinds[one.Error.Error])
	var answer *APIError
	if errors.As(err, &answer) {
		same(t, answer.Kind, kinds[one.Error.Error])
		same(t, answer.Code, one.Error.Code)
		same(t, answer.Message, one.Error.Message)
		same(t, answer.Retry, *one.Error.Retry)
	}
}

var streamRoutes = []string{
	"GET /any", "POST /sandboxes/sbx_1/exec/stream", "GET /sandboxes/sbx_1/audit/stream", "GET /sandboxes/sbx_1/processes/5/stream",
	"GET /sandboxes/sbx_1/files/watch",
}

var streamReaders = map[string]func(*scripted) iter.Seq2[any, error]{
	"sse": func(s *scripted) iter.Seq2[any, error] {
		frames := s.client().transport.frames(context.Background(), call{method: "GET", path: "any"})
		return mapped(frames, func(one frame) any {
			said := object{"event": one.event, "data": one.data}
			if one.id != "" {
				said["id"] = one.id
			}
			return said
		})
	},
	"exec": func(s *scripted) iter.Seq2[any, error] {
		return mapped(s.sandbox().Exec.Stream(context.Background(), Shell("x")), func(one OutputEvent) any {
			said := object{"type": one.Type, "data": one.Data}
			if one.Type == "exit" {
				said["exit_code"] = one.ExitCode
			}
			return said
		})
	},
	"tail": func(s *scripted) iter.Seq2[any, error] {
		options := &TailOptions{After: "evt_00", ReconnectTimeout: time.Nanosecond}
		return mapped(s.sandbox().Audit.Tail(context.Background(), options), func(one Event) any { return one })
	},
	"process": func(s *scripted) iter.Seq2[any, error] {
		return mapped(s.sandbox().Processes.Stream(context.Background(), 5), func(one string) any { return one })
	},
	"watch": func(s *scripted) iter.Seq2[any, error] {
		return mapped(s.sandbox().Files.Watch(context.Background(), "", nil), func(one FileChange) any { return one })
	},
}

func mapped[T any](items iter.Seq2[T, error], change func(T) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for item, err := range items {
			if !yield(change(item), err) {
				return
			}
		}
	}
}

func gathered(items iter.Seq2[any, error], enough int) ([]any, error) {
	found := []any{}
	for item, err := range items {
		if err != nil {
			return found, err
		}
		found = append(found, item)
		if len(found) == enough {
			break
		}
	}
	return found, nil
}

func latin1(text string) string {
	raw := make([]byte, 0, len(text))
	for _, letter := range text {
		raw = append(raw, byte(letter))
	}
	return string(raw)
}

// sameJSON compares JSON in which a member that is null and one that is absent mean the same.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var one, other any
	must(t, json.Unmarshal(got, &one))
	must(t, json.Unmarshal(want, &other))
	if !reflect.DeepEqual(withoutNulls(one), withoutNulls(other)) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func withoutNulls(value any) any {
	switch one := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, member := range one {
			if member != nil {
				kept[name] = withoutNulls(member)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(one))
		for index, member := range one {
			kept[index] = withoutNulls(member)
		}
		return kept
	}
	return value
}

func TestEveryRecordOfTheVectorsIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, one := range cases[recordCase](t, "records") {
		used[one.Model] = true
	}
	for name := range models {
		if !used[name] {
			t.Errorf("no case for %s", name)
		}
	}
}
