// Command walkthrough is the walkthrough in Go: an agent works with an OpenAI key and a GitHub account that it never holds.
//
// It needs a running server and two variables, MIOSA_API_KEY and MIOSA_BASE_URL; `make walkthrough SDK=go` provides both.
// Everything here is the public SDK. Each step checks what it says, and the first one that is not so ends the program with
// status 1.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

const (
	githubLine = "[audit] allow api.github.com HTTP 200 secrets=github_token"
	openaiLine = "[audit] allow api.openai.com HTTP 200 secrets=openai_key"
	publicLine = "[audit] allow api.github.com HTTP 200 secrets=none"
)

var (
	hosts = []string{"api.github.com", "api.openai.com"}

	repo      = flag.String("repo", "octocat/Hello-World", "the repository whose issues the agent reads")
	device    = flag.Bool("device", false, "connect GitHub by a code on another device, without a callback")
	agentFile = flag.String("agent", besideTheExamples("agent.py"), "the agent's source")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := walk(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\nNOT SO:", err)
		os.Exit(1)
	}
	fmt.Println("\nDone: every step did what it says.")
}

// walk takes all steps in order.
func walk(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, unexpected(recover())) }()
	firstKey := ask("OpenAI key")
	nextKey := ask("Another OpenAI key, for the rotation")

	client, err := configure(ctx)
	if err != nil {
		return err
	}
	sandbox, err := create(ctx, client)
	if err != nil {
		return err
	}
	defer sandbox.Destroy(ctx)
	if err := storeTheKey(ctx, sandbox, firstKey); err != nil {
		return err
	}
	shortLived, err := connectGitHub(ctx, sandbox)
	if err != nil {
		return err
	}
	if err := runTheAgent(ctx, sandbox); err != nil {
		return err
	}
	agent := startLongRunningAgent(ctx, sandbox)
	if err := watch(ctx, client, sandbox); err != nil {
		return err
	}
	if err := lockDown(ctx, sandbox, agent); err != nil {
		return err
	}
	if err := rotate(ctx, sandbox, agent, nextKey, shortLived); err != nil {
		return err
	}
	agent.finish()
	return nil
}

// configure takes the key and the server's address from the environment.
func configure(ctx context.Context) (*openmiosa.Client, error) {
	title("1", "Configure")
	// [step-1]
	client, err := openmiosa.NewClient() // MIOSA_API_KEY and MIOSA_BASE_URL
	if err != nil {
		return nil, err
	}
	me, err := client.Whoami(ctx)
	if err != nil {
		return nil, err
	}
	// [/step-1]
	say("key %s of tenant %s, scopes: %s", me.KeyID, me.TenantID, strings.Join(me.Scopes, ", "))
	return client, nil
}

// create makes a sandbox, which is ready when commands run in it.
func create(ctx context.Context, client *openmiosa.Client) (*openmiosa.Sandbox, error) {
	title("2", "Create the sandbox")
	began := time.Now()
	// [step-2]
	sandbox, err := client.Sandboxes.Create(ctx, "support-agent", nil)
	if err != nil {
		return nil, err
	}
	result, err := sandbox.Exec.Run(ctx, openmiosa.Shell("echo hello from $(hostname)"))
	// [/step-2]
	if err != nil {
		return sandbox, errors.Join(err, sandbox.Destroy(ctx))
	}
	hello := strings.TrimSpace(result.Stdout)
	say("%s: '%s' after %d ms", sandbox.ID(), hello, time.Since(began).Milliseconds())
	if hello != "hello from support-agent" {
		return sandbox, errors.Join(errors.New("the sandbox answers with its name"), sandbox.Destroy(ctx))
	}
	return sandbox, nil
}

// storeTheKey gives the value to the vault; the sandbox gets a placeholder.
func storeTheKey(ctx context.Context, sandbox *openmiosa.Sandbox, value string) error {
	title("3", "Store the OpenAI key in the vault")
	// [step-3]
	_, err := sandbox.Secrets.Set(ctx, openmiosa.SetSecretOptions{
		Name: "openai_key", Value: value, ExposeAsEnv: "OPENAI_API_KEY",
	})
	if err != nil {
		return err
	}
	inside, err := sandbox.Exec.Run(ctx, openmiosa.Shell("printenv OPENAI_API_KEY")) // miosa-tok-…
	// [/step-3]
	if err != nil {
		return err
	}
	listed, err := sandbox.Secrets.List(ctx, nil)
	if err != nil {
		return err
	}
	for _, secret := range listed {
		say("listed: %s, type %s, preview %s; no value", secret.Name, secret.Type, secret.Preview)
		expect(!strings.Contains(fmt.Sprintf("%+v", secret), value), "a listed secret has no value")
	}
	expectPlaceholder("OPENAI_API_KEY", inside.Stdout)
	return nil
}

// connectGitHub asks for consent; the system keeps the tokens and refreshes them. It says whether they are short-lived.
func connectGitHub(ctx context.Context, sandbox *openmiosa.Sandbox) (bool, error) {
	title("4", "Connect a GitHub account")
	way := map[bool]string{true: "device", false: "code"}[*device]
	// [step-4]
	flow, err := sandbox.Secrets.Connect(ctx, "github", &openmiosa.ConnectOptions{ExposeAsEnv: "GITHUB_TOKEN", Flow: way})
	if err != nil {
		return false, err
	}
	if way == "device" {
		fmt.Printf("  open %s and enter %s\n", flow.VerificationURI(), flow.UserCode())
	} else {
		fmt.Printf("  open this page and press its button:\n    %s\n", flow.AuthorizeURL())
	}
	secret, err := flow.WaitForCompletion(ctx)
	// [/step-4]
	if err != nil {
		return false, err
	}
	say("connected: %s, status %s", secret.Name, secret.Status)
	expectPlaceholder("GITHUB_TOKEN", run(ctx, sandbox, openmiosa.Shell("printenv GITHUB_TOKEN")))
	if secret.ExpiresAt.IsZero() {
		say("this token has no end and no refresh: the app was registered without expiring tokens")
		return false, nil
	}
	left := time.Until(secret.ExpiresAt)
	say("the first access token lasts %.0f s; the system refreshes it ahead of its end", left.Seconds())
	return left < 2*time.Minute, nil
}

// runTheAgent runs ordinary code with the unmodified openai package; it knows nothing of any of this.
func runTheAgent(ctx context.Context, sandbox *openmiosa.Sandbox) error {
	title("5", "Run the agent")
	// [step-5]
	source, err := os.ReadFile(*agentFile)
	if err != nil {
		return err
	}
	if err := sandbox.Files.Write(ctx, "/workspace/agent.py", source); err != nil {
		return err
	}
	result, err := sandbox.Exec.Run(ctx, openmiosa.Args("python3", "/workspace/agent.py", "--repo", *repo))
	if err != nil {
		return err
	}
	if err := result.Check(); err != nil { // has the agent's output when it failed
		return err
	}
	// [/step-5]
	inside, _, _ := strings.Cut(run(ctx, sandbox, openmiosa.Shell("sha256sum /workspace/agent.py")), " ")
	say("agent.py, sha256 %s", inside)
	expect(inside == fmt.Sprintf("%x", sha256.Sum256(source)), "the file inside is the file outside")
	quote(result.Stdout)
	return nil
}

// watch follows the audit log in a second process and in a goroutine, while the agent works.
func watch(ctx context.Context, client *openmiosa.Client, sandbox *openmiosa.Sandbox) error {
	title("6", "Watch the audit log, live")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tails := []*tail{
		startTail("second process", func(print func(string)) error { return commandLineTail(ctx, sandbox, print) }),
		startTail("goroutine", func(print func(string)) error { return watchEveryCall(ctx, client, print) }),
	}
	for _, tail := range tails {
		tail.waitFor(githubLine)
		tail.waitFor(openaiLine)
	}
	run(ctx, sandbox, agentCommand("--public", "--drafts", "0"))
	for _, tail := range tails {
		tail.waitFor(publicLine)
		tail.show()
	}
	return nil
}

// [step-6]

// watchEveryCall prints every call of the sandbox as it happens.
func watchEveryCall(ctx context.Context, client *openmiosa.Client, print func(string)) error {
	sandbox, err := client.Sandboxes.Get(ctx, "support-agent")
	if err != nil {
		return err
	}
	for event, err := range sandbox.Audit.Tail(ctx, nil) {
		if err != nil {
			return err
		}
		print(event.String()) // [audit] allow api.openai.com HTTP 200 secrets=openai_key
	}
	return nil
}

// [/step-6]

// lockDown leaves open only the hosts that the agent was seen to need.
func lockDown(ctx context.Context, sandbox *openmiosa.Sandbox, agent *longRunningAgent) error {
	title("7", "Lock down")
	// [step-7]
	suggested, err := sandbox.Network.Suggestions(ctx, nil) // the hosts that were called
	if err != nil {
		return err
	}
	for _, suggestion := range suggested {
		if _, err := sandbox.Network.Allow(ctx, suggestion.Host, nil); err != nil {
			return err
		}
	}
	policy, err := sandbox.Network.Lockdown(ctx, nil)
	if err != nil {
		return err
	}
	// [/step-7]
	expectObserved(suggested)
	expectEnforced(policy)
	run(ctx, sandbox, agentCommand("--drafts", "1"))
	say("a new run of the agent works as before, and so does the one that was running")
	agent.expectAlive()
	// [step-7]

	blocked, err := sandbox.Exec.Run(ctx, openmiosa.Shell("curl -s https://example.com/")) // blocked: 403 MIOSA-Egress-Deny
	if err != nil {
		return err
	}
	pending, err := sandbox.Network.Pending(ctx) // example.com waits for a decision
	// [/step-7]
	if err != nil {
		return err
	}
	say("curl -s https://example.com/ prints:")
	quote(blocked.Stdout)
	expect(strings.HasPrefix(blocked.Stdout, "blocked: 403 MIOSA-Egress-Deny\n"), "the refusal says so in its first line")
	expect(len(pending) == 1 && pending[0].Host == "example.com", "the refused host, and no other, waits for a decision")
	say("pending: %s", pending[0].Host)
	return nil
}

// rotate changes the key under a running process, which keeps its placeholder and does not notice.
func rotate(ctx context.Context, sandbox *openmiosa.Sandbox, agent *longRunningAgent, value string, shortLived bool) error {
	title("Bonus", "Rotate the OpenAI key while the agent runs")
	before := agent.environment()
	// [bonus]
	rotated, err := sandbox.Secrets.Rotate(ctx, "openai_key", value, nil)
	if err != nil {
		return err
	}
	fmt.Printf("  rotated %s to version %d: the next request carries the new value\n", rotated.Name, rotated.Version)
	// [/bonus]
	calls := agent.calls("api.openai.com")
	waitUntil(30*time.Second, func() bool { return agent.calls("api.openai.com") >= calls+3 }, "the agent goes on calling OpenAI")
	say("The agent is running. Look at it from outside if you like, then press Enter to go on.")
	pressEnter()
	if shortLived {
		say("meanwhile GitHub's tokens run out; waiting until the second one was replaced")
		waitUntil(time.Minute, func() bool { return agent.githubVersions() >= 3 }, "the GitHub token is refreshed twice")
	}
	agent.expectAlive()
	expect(agent.environment() == before, "the process has the placeholders that it had")
	say("process %d still runs, with the same placeholders", agent.pid)
	return nil
}

func expectObserved(suggested []openmiosa.Suggestion) {
	var seen []string
	for _, suggestion := range suggested {
		say("observed: %s, %d requests", suggestion.Host, suggestion.Count)
		expect(suggestion.Count > 0, "every suggestion was called")
		seen = append(seen, suggestion.Host)
	}
	slices.Sort(seen)
	expect(slices.Equal(seen, hosts), fmt.Sprintf("exactly %v were observed", hosts))
}

func expectEnforced(policy *openmiosa.Policy) {
	var allowed []string
	for _, rule := range policy.AllowRules {
		allowed = append(allowed, rule.Host)
	}
	slices.Sort(allowed)
	say("policy: %s, allows %s", policy.Mode, strings.Join(allowed, ", "))
	expect(policy.Mode == "enforce", "the policy is enforced")
}
