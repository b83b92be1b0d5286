package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	miosa "github.com/Miosa-osa/miosa-go/v2"
)

const (
	github     = "api.github.com"
	openai     = "api.openai.com"
	agent      = "python3 /workspace/agent.py"
	githubLine = "[audit] allow api.github.com HTTP 200 secrets=github_token"
	openaiLine = "[audit] allow api.openai.com HTTP 200 secrets=openai_key"
)

// Walk is the walkthrough on one sandbox.
type Walk struct {
	runner   *Runner
	client   *miosa.Client
	box      *miosa.SandboxHandleFull
	computer *miosa.Computer
}

// walk takes the steps in order and stops at the first that fails: the others need it.
func walk(ctx context.Context, runner *Runner, client *miosa.Client) {
	w := &Walk{runner: runner, client: client}
	steps := []struct {
		name string
		take func(context.Context) error
	}{
		{"1 configure", w.configure},
		{"2 create", w.create},
		{"3 store a key", w.store},
		{"4 connect an account", w.connect},
		{"5 run the agent", w.runAgent},
		{"6 watch", w.watch},
		{"7 lock down", w.lockDown},
		{"bonus: rotate", w.rotate},
	}
	var broken error
	for _, step := range steps {
		if broken == nil {
			broken = step.take(ctx)
			runner.Note("step", "", step.name, broken)
		} else {
			runner.Note("step", "", step.name, fmt.Errorf("an earlier step failed"))
		}
	}
	if w.box != nil {
		_ = client.Sandboxes.Delete(ctx, w.box.ID)
	}
}

func (w *Walk) configure(ctx context.Context) error {
	_, err := w.client.Sandboxes.List(ctx, miosa.ListSandboxesInput{})
	return err
}

func (w *Walk) create(ctx context.Context) error {
	made, err := w.client.Sandboxes.Create(ctx, miosa.CreateSandboxInput{Name: "walk-go"})
	if err != nil {
		return err
	}
	w.box = w.client.Sandboxes.GetFullHandle(made.ID)
	ready, err := w.client.Sandboxes.WaitUntilReady(ctx, made.ID, miosa.WaitUntilReadyOptions{Timeout: patience})
	if err != nil || !ready {
		return fmt.Errorf("ready: %v, %w", ready, err)
	}
	// The client runs commands on computers alone; a sandbox is one under its id.
	if w.computer, err = w.client.Computers.Get(ctx, made.ID); err != nil {
		return err
	}
	return first(expect(made.State == "running", "state %s", made.State), w.prints(ctx, "hostname", "walk-go\n"))
}

func (w *Walk) store(ctx context.Context) error {
	key, err := w.runner.Ask("key", "go-old")
	if err != nil {
		return err
	}
	made, err := w.box.Secrets.Set(ctx, miosa.SecretSetInput{Name: "openai_key", Value: key[0], ExposeAsEnv: "OPENAI_API_KEY"})
	if err != nil {
		return err
	}
	listed, err := w.box.Secrets.List(ctx, miosa.SecretListInput{})
	if err != nil {
		return err
	}
	shown, _ := json.Marshal([]any{made, listed})
	return first(
		expect(len(listed) == 1 && listed[0].Name == "openai_key" && listed[0].Type == "api_key", "listed %s", shown),
		expect(!strings.Contains(string(shown), key[0]), "the value is shown"),
		w.placeholder(ctx, "OPENAI_API_KEY"),
	)
}

func (w *Walk) connect(ctx context.Context) error {
	flow, err := w.box.Secrets.Connect(ctx, miosa.OauthConnectInput{Provider: "github", ExposeAsEnv: "GITHUB_TOKEN"})
	if err != nil {
		return err
	}
	if _, err = w.runner.Ask("consent", flow.AuthorizeURL); err != nil {
		return err
	}
	status, err := flow.WaitForCompletion(ctx, miosa.WaitForCompletionOptions{Timeout: patience, PollInterval: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	secret, err := w.box.Secrets.Get(ctx, status.SecretID)
	if err != nil {
		return err
	}
	return first(expect(secret.Name == "github_token", "it is called %q", secret.Name), w.placeholder(ctx, "GITHUB_TOKEN"))
}

func (w *Walk) runAgent(ctx context.Context) error {
	source, err := os.ReadFile(os.Getenv("AGENT"))
	if err != nil {
		return err
	}
	if err = w.computer.Files.FS("/workspace").WriteFile(ctx, "agent.py", source); err != nil {
		return err
	}
	if err = w.agentWorks(ctx); err != nil {
		return err
	}
	seen, err := w.runner.Ask("credentials", openai)
	return first(err, expect(len(seen) == 2 && seen[0] == "go-old" && seen[1] == "go-old", "OpenAI was shown %v", seen))
}

func (w *Walk) watch(ctx context.Context) error {
	tail, err := w.box.Audit.Tail(ctx, miosa.TailOptions{})
	if err != nil {
		return err
	}
	defer tail.Close()
	if err = w.agentWorks(ctx); err != nil {
		return err
	}
	lines := map[string]bool{}
	for deadline := time.After(patience); !lines[githubLine] || !lines[openaiLine]; {
		select {
		case event, open := <-tail.Events():
			if !open {
				return fmt.Errorf("the tail ended: %v", tail.Err())
			}
			lines[printed(event)] = true
		case <-deadline:
			return fmt.Errorf("the tail printed %v", lines)
		}
	}
	return expect(len(lines) == 2, "the tail printed %v", lines)
}

func (w *Walk) lockDown(ctx context.Context) error {
	suggested, err := w.box.Network.Suggestions(ctx, "")
	if err != nil {
		return err
	}
	hosts := []string{}
	for _, seen := range suggested {
		hosts = append(hosts, seen.Host)
	}
	sort.Strings(hosts)
	if err = expect(strings.Join(hosts, " ") == github+" "+openai, "suggested %v", hosts); err != nil {
		return err
	}
	for _, host := range hosts {
		if _, err = w.box.Network.Allow(ctx, host, miosa.AllowInput{}); err != nil {
			return err
		}
	}
	policy, err := w.box.Network.Lockdown(ctx, "")
	if err != nil {
		return err
	}
	blocked, err := w.computer.Bash(ctx, "curl -s https://example.com/")
	if err != nil {
		return err
	}
	rejected, err := w.box.Audit.List(ctx, miosa.EgressAuditListInput{Action: "reject"})
	return first(
		err,
		expect(policy.Mode == "enforce", "mode %s", policy.Mode),
		w.agentWorks(ctx),
		expect(strings.HasPrefix(blocked.Output, "blocked: 403 MIOSA-Egress-Deny\n"), "curl printed %q", blocked.Output),
		expect(len(rejected) == 1 && rejected[0].Host == "example.com", "rejected %v", rejected),
	)
}

func (w *Walk) rotate(ctx context.Context) error {
	process, err := w.box.Processes.Start(ctx, miosa.StartProcessInput{Command: agent + " --loop"})
	if err != nil {
		return err
	}
	before, err := w.environment(ctx, process.PID)
	if err != nil {
		return err
	}
	if err = w.seen(ctx, "go-old", 3); err != nil {
		return err
	}
	key, err := w.runner.Ask("key", "go-new")
	if err != nil {
		return err
	}
	if _, err = w.box.Secrets.Rotate(ctx, "openai_key", miosa.SecretRotateInput{NewValue: key[0]}); err != nil {
		return err
	}
	if _, err = w.runner.Ask("revoke", "go-old"); err != nil {
		return err
	}
	if err = w.seen(ctx, "go-new", 3); err != nil {
		return err
	}
	after, err := w.environment(ctx, process.PID)
	if err != nil {
		return err
	}
	if err = w.computer.Files.FS("/workspace").WriteFile(ctx, "enough", nil); err != nil {
		return err
	}
	err = until(ctx, "the agent to end", func() (bool, error) {
		process, err = w.box.Processes.Get(ctx, process.PID)
		return err == nil && process.ExitCode != nil, err
	})
	if err != nil {
		return err
	}
	logs, err := w.box.Processes.Logs(ctx, process.PID, 20)
	return first(
		err,
		expect(*process.ExitCode == 0, "the agent ended with %d: %s", *process.ExitCode, logs),
		expect(before == after, "the placeholders were %s and are %s", before, after),
	)
}

// agentWorks runs one round of the agent.
func (w *Walk) agentWorks(ctx context.Context) error {
	result, err := w.computer.Bash(ctx, agent)
	if err != nil {
		return err
	}
	drafts := strings.Count(result.Output, "Thank you for the report")
	return expect(result.ExitCode == 0 && drafts == 2, "the agent ended with %d: %s", result.ExitCode, result.Output)
}

// seen waits until OpenAI was shown a key so many times.
func (w *Walk) seen(ctx context.Context, label string, times int) error {
	return until(ctx, label+" to arrive", func() (bool, error) {
		shown, err := w.runner.Ask("credentials", openai)
		count := 0
		for _, credential := range shown {
			if credential == label {
				count++
			}
		}
		return count >= times, err
	})
}

func (w *Walk) environment(ctx context.Context, pid string) (string, error) {
	shown, err := w.computer.Bash(ctx, "tr '\\0' '\\n' < /proc/"+pid+"/environ | grep =miosa-tok- | sort")
	if err != nil {
		return "", err
	}
	return shown.Output, expect(strings.Count(shown.Output, "\n") == 2, "the environment is %q", shown.Output)
}

func (w *Walk) placeholder(ctx context.Context, name string) error {
	shown, err := w.computer.Bash(ctx, "printenv "+name)
	if err != nil {
		return err
	}
	return expect(strings.HasPrefix(shown.Output, "miosa-tok-"), "%s is %q", name, shown.Output)
}

func (w *Walk) prints(ctx context.Context, command, wanted string) error {
	result, err := w.computer.Bash(ctx, command)
	if err != nil {
		return err
	}
	return expect(result.Output == wanted, "%s printed %q", command, result.Output)
}

// printed is the walkthrough's line; the names of secrets stand in what the client did not decode.
func printed(event miosa.EgressAuditEvent) string {
	var more struct {
		Transforms struct {
			Secrets struct {
				Swapped []string `json:"swapped"`
			} `json:"secrets"`
		} `json:"request_transforms"`
	}
	_ = json.Unmarshal(event.Raw, &more)
	names := strings.Join(more.Transforms.Secrets.Swapped, ",")
	if names == "" {
		names = "none"
	}
	return fmt.Sprintf("[audit] %s %s HTTP %d secrets=%s", event.Action, event.Host, event.StatusCode, names)
}
