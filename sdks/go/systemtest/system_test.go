// Package systemtest tries the SDK against the real system: server, egressd and cell, started by `openmiosa up --ephemeral`.
// It is a module of its own so that the SDK's tests need nothing but Go.
package systemtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
	"github.com/openmiosa/openmiosa/sdks/go/openmiosatest"
)

// patience is how long something may take that happens soon.
const patience = 30 * time.Second

var system *openmiosatest.System

func TestMain(m *testing.M) {
	started, err := openmiosatest.Run(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the system tests need the real system:", err)
		os.Exit(1)
	}
	system = started
	status := m.Run()
	if err := system.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// within is a context of a test that may not hang.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// box is a sandbox of this test alone.
func box(t *testing.T) *openmiosa.Sandbox {
	t.Helper()
	sandbox, err := system.Client.Sandboxes.Create(within(t), "", nil)
	must(t, err)
	t.Cleanup(func() { must(t, sandbox.Destroy(context.Background())) })
	return sandbox
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

func isKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v (%T) is not %q", err, err, kind)
	}
}

// output is what a command line writes; it must end well.
func output(t *testing.T, sandbox *openmiosa.Sandbox, line string) string {
	t.Helper()
	result, err := sandbox.Exec.Run(within(t), openmiosa.Shell(line))
	must(t, err)
	must(t, result.Check())
	return strings.TrimSpace(result.Stdout)
}

func TestTheClientIsWhoItSays(t *testing.T) {
	me, err := system.Client.Whoami(within(t))
	must(t, err)
	if me.TenantID == "" || me.KeyID == "" || len(me.Scopes) == 0 {
		t.Fatalf("got %+v", me)
	}
	templates, err := system.Client.Templates(within(t))
	must(t, err)
	if len(templates) == 0 {
		t.Fatal("no template")
	}
}

func TestASandboxLivesItsLife(t *testing.T) {
	ctx := within(t)
	sandbox, err := system.Client.Sandboxes.GetOrCreate(ctx, "go-life", &openmiosa.CreateSandboxOptions{Tags: []string{"go"}})
	must(t, err)
	same(t, output(t, sandbox, "hostname"), "go-life")
	_, err = system.Client.Sandboxes.Create(ctx, "go-life", nil)
	isKind(t, err, openmiosa.ErrNameTaken)
	must(t, sandbox.Pause(ctx))
	same(t, sandbox.State(), "paused")
	again, err := system.Client.Sandboxes.GetOrCreate(ctx, "go-life", nil)
	must(t, err)
	same(t, again.ID(), sandbox.ID())
	same(t, again.State(), "running")
	must(t, again.SetTags(ctx, "one", "two"))
	must(t, again.Update(ctx, openmiosa.UpdateSandboxOptions{Metadata: map[string]any{"team": "x"}}))
	same(t, again.Info().Metadata["team"], any("x"))
	listed, err := openmiosa.Collect(system.Client.Sandboxes.List(ctx, &openmiosa.ListSandboxesOptions{Tags: []string{"two"}}))
	must(t, err)
	same(t, len(listed), 1)
	ready, err := again.Readiness(ctx)
	must(t, err)
	same(t, ready.Ready, true)
	must(t, sandbox.Destroy(ctx))
	must(t, sandbox.Destroy(ctx))
	_, err = system.Client.Sandboxes.GetByName(ctx, "go-life")
	isKind(t, err, openmiosa.ErrNotFound)
}

func TestCommandsRunWithTheirInputFolderAndVariables(t *testing.T) {
	sandbox := box(t)
	command := openmiosa.Command{Line: "cat; pwd; echo $A; echo err >&2; exit 3", Stdin: "in\n", Dir: "/tmp", Env: map[string]string{"A": "x y"}}
	result, err := sandbox.Exec.Run(within(t), command)
	must(t, err)
	same(t, result.Stdout+result.Stderr, "in\n/tmp\nx y\nerr\n")
	same(t, result.ExitCode, 3)
	var failure *openmiosa.CommandFailedError
	same(t, errors.As(result.Check(), &failure) && errors.Is(failure, openmiosa.ErrCommandFailed), true)
	plain, err := sandbox.Exec.Run(within(t), openmiosa.Args("echo", "$HOME;", "a  b"))
	must(t, err)
	same(t, plain.Stdout, "$HOME; a  b\n")
	late, err := sandbox.Exec.Run(within(t), openmiosa.Command{Line: "sleep 60", Timeout: 500 * time.Millisecond})
	must(t, err)
	same(t, late.TimedOut && !late.OK() && late.Signal > 0, true)
}

func TestOutputComesAsItIsWritten(t *testing.T) {
	sandbox := box(t)
	var got []string
	for event, err := range sandbox.Exec.Stream(within(t), openmiosa.Shell("echo one; echo two >&2; printf three; exit 4")) {
		must(t, err)
		got = append(got, fmt.Sprintf("%s %q %d", event.Type, event.Data, event.ExitCode))
	}
	last := got[len(got)-1]
	same(t, last, `exit "" 4`)
	for _, part := range []string{`stdout "one\n" 0`, `stderr "two\n" 0`, `stdout "three" 0`} {
		if !strings.Contains(strings.Join(got, "\n"), part) {
			t.Fatalf("%s is not in %v", part, got)
		}
	}
}

func TestProcessesRunInTheBackground(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	output(t, sandbox, "mkfifo /workspace/pipe")
	process, err := sandbox.Processes.Start(ctx, openmiosa.Shell("echo begin; read line < /workspace/pipe; echo $line; exit 5"))
	must(t, err)
	if process.ExitCode != nil || process.PID == 0 {
		t.Fatalf("got %+v", process)
	}
	output(t, sandbox, fmt.Sprintf("kill -0 %d && echo go on > /workspace/pipe", process.PID))
	ended, err := sandbox.Processes.Wait(ctx, process.PID)
	must(t, err)
	same(t, *ended.ExitCode, 5)
	logs, err := sandbox.Processes.Logs(ctx, process.PID, 0)
	must(t, err)
	same(t, logs, "begin\ngo on\n")
	lines, err := openmiosa.Collect(sandbox.Processes.Stream(ctx, process.PID))
	must(t, err)
	same(t, strings.Join(lines, "|"), "begin|go on")
	all, err := sandbox.Processes.List(ctx)
	must(t, err)
	same(t, len(all) >= 1, true)
}

func TestAProcessThatIsStoppedHasEnded(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	process, err := sandbox.Processes.Start(ctx, openmiosa.Args("sleep", "600"))
	must(t, err)
	must(t, sandbox.Processes.Stop(ctx, process.PID))
	ended, err := sandbox.Processes.Wait(ctx, process.PID)
	must(t, err)
	same(t, ended.ExitCode != nil, true)
}

func TestSecretsAreSetRotatedAndForgottenByName(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	options := openmiosa.SetSecretOptions{Name: "key", Value: "a-value-of-some-length", ExposeAsEnv: "SOME_KEY", AllowedHosts: []string{"api.example.com"}}
	secret, err := sandbox.Secrets.Set(ctx, options)
	must(t, err)
	same(t, output(t, sandbox, "printenv SOME_KEY"), secret.Binding.Placeholder)
	listed, err := sandbox.Secrets.List(ctx, nil)
	must(t, err)
	same(t, len(listed), 1)
	if strings.Contains(fmt.Sprintf("%+v", listed), options.Value) {
		t.Fatal("a listed secret has its value")
	}
	rotated, err := sandbox.Secrets.Rotate(ctx, "key", "another-value", nil)
	must(t, err)
	same(t, rotated.Version, 2)
	found, err := sandbox.Secrets.Get(ctx, secret.ID)
	must(t, err)
	same(t, found.Name, "key")
	same(t, output(t, sandbox, "printenv SOME_KEY"), secret.Binding.Placeholder)
	must(t, sandbox.Secrets.Delete(ctx, "key"))
	_, err = sandbox.Secrets.Get(ctx, "key")
	isKind(t, err, openmiosa.ErrNotFound)
}

func TestATenantsSecretIsBoundToASandbox(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	_, err := system.Client.Secrets.Set(ctx, openmiosa.SetSecretOptions{Name: "shared", Value: "v-of-all", Scope: "tenant", AllowedHosts: []string{"a.example"}})
	must(t, err)
	defer func() { must(t, system.Client.Secrets.Delete(context.Background(), "shared")) }()
	binding, err := sandbox.Secrets.Bind(ctx, "shared", openmiosa.BindOptions{ExposeAsEnv: "SHARED"})
	must(t, err)
	same(t, output(t, sandbox, "printenv SHARED"), binding.Placeholder)
	must(t, sandbox.Secrets.Unbind(ctx, binding.ID))
	bindings, err := sandbox.Secrets.Bindings(ctx, nil)
	must(t, err)
	same(t, len(bindings), 0)
}

func TestAccountsAreConnectedByProvidersOfTheServer(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	providers, err := sandbox.Secrets.Providers(ctx)
	must(t, err)
	same(t, len(providers) > 0, true)
	_, err = sandbox.Secrets.Connect(ctx, "no-such-provider", nil)
	isKind(t, err, openmiosa.ErrAPI)
}

func TestALockdownRefusesAndSaysWhatWaits(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	_, err := sandbox.Network.Lockdown(ctx, nil)
	isKind(t, err, openmiosa.ErrNoRules)
	rule, err := sandbox.Network.Allow(ctx, "*.example.org", &openmiosa.RuleOptions{Methods: []string{"GET"}, Note: "docs"})
	must(t, err)
	policy, err := sandbox.Network.Lockdown(ctx, nil)
	must(t, err)
	same(t, policy.Mode, "enforce")
	same(t, policy.AllowRules[0].ID, rule.ID)
	body := output(t, sandbox, "curl -s http://refused.example.net/ || true")
	same(t, strings.HasPrefix(body, "blocked: 403 MIOSA-Egress-Deny"), true)
	pending, err := sandbox.Network.Pending(ctx)
	must(t, err)
	same(t, pending[0].Host, "refused.example.net")
	must(t, sandbox.Network.Remove(ctx, "*.example.org"))
	closed, err := sandbox.Network.Lockdown(ctx, &openmiosa.LockdownOptions{})
	must(t, err)
	same(t, len(closed.AllowRules), 0)
	observed, err := sandbox.Network.Observe(ctx)
	must(t, err)
	same(t, observed.Mode, "audit_only")
	now, err := sandbox.Network.GetPolicy(ctx)
	must(t, err)
	same(t, now.ID, observed.ID)
	_, err = sandbox.Network.UpdatePolicy(ctx, now.ID, openmiosa.UpdatePolicyOptions{Description: "of a test"})
	must(t, err)
}

func TestCallsAreRecordedAndTailed(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	_, err := sandbox.Network.Deny(ctx, "denied.example.net", nil)
	must(t, err)
	started, lines := make(chan struct{}), make(chan openmiosa.Event)
	go func() {
		defer close(lines)
		for event, err := range sandbox.Audit.Tail(ctx, &openmiosa.TailOptions{Started: func() { close(started) }}) {
			if err != nil {
				return
			}
			lines <- event
		}
	}()
	<-started
	output(t, sandbox, "curl -s http://denied.example.net/path || true")
	event := <-lines
	same(t, event.String(), "[audit] reject denied.example.net HTTP 403 secrets=none")
	listed, err := openmiosa.Collect(sandbox.Audit.List(ctx, &openmiosa.ListEventsOptions{Host: "denied.example.net"}))
	must(t, err)
	same(t, listed[0].ID, event.ID)
	found, err := sandbox.Audit.Get(ctx, event.ID)
	must(t, err)
	same(t, found.Path, "/path")
	var exported strings.Builder
	must(t, sandbox.Audit.Export(ctx, &exported, "jsonl", nil))
	same(t, strings.Contains(exported.String(), event.ID), true)
	output(t, sandbox, "curl -s http://observed.example.net/ || true")
	suggestions, err := sandbox.Network.Suggestions(ctx, &openmiosa.SuggestionsOptions{Since: time.Now().Add(-time.Hour)})
	must(t, err)
	same(t, slices.ContainsFunc(suggestions, func(one openmiosa.Suggestion) bool { return one.Host == "observed.example.net" && one.Count == 1 }), true)
}
