package ws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
	"github.com/openmiosa/openmiosa/sdks/go/ws"
)

// sandboxOf is a sandbox on a server whose terminal does what the test says.
func sandboxOf(t *testing.T, terminal func(http.ResponseWriter, *http.Request)) *openmiosa.Sandbox {
	t.Helper()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /api/v1/sandboxes/sbx_1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data": {"id": "sbx_1", "state": "running"}}`)
	})
	routes.HandleFunc("GET /api/v1/sandboxes/sbx_1/terminal/stream", terminal)
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	client, err := openmiosa.NewClient(openmiosa.WithAPIKey("msk_test"), openmiosa.WithBaseURL(server.URL))
	must(t, err)
	sandbox, err := client.Sandboxes.Get(context.Background(), "sbx_1")
	must(t, err)
	return sandbox
}

// speaking accepts the upgrade and lets the test speak.
func speaking(t *testing.T, speak func(ctx context.Context, conn *websocket.Conn, r *http.Request)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		speak(r.Context(), conn, r)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsTypedArrivesAndWhatIsWrittenComesBack(t *testing.T) {
	sandbox := sandboxOf(t, speaking(t, func(ctx context.Context, conn *websocket.Conn, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer msk_test" {
			t.Error("the key did not come along")
		}
		_, typed, _ := conn.Read(ctx)
		_ = conn.Write(ctx, websocket.MessageBinary, bytes.ToUpper(typed))
		_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"exit","exit_code":3}`))
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	terminal, err := ws.Shell(context.Background(), sandbox, nil)
	must(t, err)
	defer terminal.Close()
	fmt.Fprint(terminal, "hello")
	var out bytes.Buffer
	code, err := terminal.Copy(context.Background(), &out, &out)
	must(t, err)
	known, over := terminal.ExitCode()
	if out.String() != "HELLO" || code != 3 || known != 3 || !over {
		t.Fatalf("got %q, %d", out.String(), code)
	}
}

func TestPipesTellStandardErrorApart(t *testing.T) {
	sandbox := sandboxOf(t, speaking(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		_ = conn.Write(ctx, websocket.MessageBinary, []byte("\x01out"))
		_ = conn.Write(ctx, websocket.MessageBinary, []byte("\x02err"))
		_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"exit","exit_code":0}`))
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}))
	terminal, err := ws.Shell(context.Background(), sandbox, &ws.Options{Args: []string{"x"}, NoTTY: true})
	must(t, err)
	defer terminal.Close()
	var out, complaints bytes.Buffer
	_, err = terminal.Copy(context.Background(), &out, &complaints)
	must(t, err)
	if out.String() != "out" || complaints.String() != "err" {
		t.Fatalf("got %q and %q", out.String(), complaints.String())
	}
}

func TestOutputThatWasLostIsCounted(t *testing.T) {
	sandbox := sandboxOf(t, speaking(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		for _, text := range []string{`{"type":"gap","from":10,"to":14}`, `{"type":"gap","from":20,"to":21}`, `{"type":"exit","exit_code":0}`} {
			_ = conn.Write(ctx, websocket.MessageText, []byte(text))
		}
	}))
	terminal, err := ws.Shell(context.Background(), sandbox, nil)
	must(t, err)
	defer terminal.Close()
	_, err = terminal.Wait(context.Background())
	must(t, err)
	if terminal.Lost() != 5 {
		t.Fatalf("got %d", terminal.Lost())
	}
}

func TestTheOptionsAreSpelled(t *testing.T) {
	asked := make(chan string, 1)
	sandbox := sandboxOf(t, speaking(t, func(ctx context.Context, conn *websocket.Conn, r *http.Request) {
		asked <- r.URL.Query().Encode()
		_, _, _ = conn.Read(ctx)
	}))
	options := &ws.Options{Args: []string{"a b", "c"}, Dir: "/tmp", Env: map[string]string{"A": "x=y"}, Rows: 5, Cols: 6}
	terminal, err := ws.Shell(context.Background(), sandbox, options)
	must(t, err)
	defer terminal.Close()
	if got := <-asked; got != "argv=a+b&argv=c&cols=6&cwd=%2Ftmp&env=A%3Dx%3Dy&rows=5&tty=true" {
		t.Fatalf("got %s", got)
	}
}

func TestMessagesBesideTheBytesAreSaid(t *testing.T) {
	heard := make(chan map[string]any, 3)
	sandbox := sandboxOf(t, speaking(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		for range 3 {
			_, text, _ := conn.Read(ctx)
			var message map[string]any
			_ = json.Unmarshal(text, &message)
			heard <- message
		}
		_, _, _ = conn.Read(ctx)
	}))
	terminal, err := ws.Shell(context.Background(), sandbox, nil)
	must(t, err)
	defer terminal.Close()
	must(t, terminal.Resize(context.Background(), 40, 100))
	must(t, terminal.Signal(context.Background(), "SIGINT"))
	must(t, terminal.CloseStdin(context.Background()))
	size, signal, end := <-heard, <-heard, <-heard
	if size["rows"] != 40.0 || size["cols"] != 100.0 || signal["signal"] != "SIGINT" || end["type"] != "stdin_close" {
		t.Fatalf("got %v %v %v", size, signal, end)
	}
}

func TestARefusedUpgradeIsItsError(t *testing.T) {
	why := strings.Repeat("a long reason ", 200)
	sandbox := sandboxOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, `{"error": {"code": "RESOURCE_STATE", "message": %q}}`, why)
	})
	_, err := ws.Shell(context.Background(), sandbox, nil)
	var answer *openmiosa.APIError
	if !errors.Is(err, openmiosa.ErrSandboxState) || !errors.As(err, &answer) || answer.Message != why {
		t.Fatalf("got %v", err)
	}
}

func TestAConnectionThatBreaksIsNoEnd(t *testing.T) {
	sandbox := sandboxOf(t, speaking(t, func(_ context.Context, conn *websocket.Conn, _ *http.Request) { conn.CloseNow() }))
	terminal, err := ws.Shell(context.Background(), sandbox, nil)
	must(t, err)
	defer terminal.Close()
	_, err = terminal.Wait(context.Background())
	if _, over := terminal.ExitCode(); over || !errors.Is(err, openmiosa.ErrConnectionLost) {
		t.Fatalf("got %v", err)
	}
}
