package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

// enough is the file that tells the agent to stop.
const enough = "/workspace/enough"

// longRunningAgent is the same agent in a loop.
type longRunningAgent struct {
	ctx     context.Context
	sandbox *openmiosa.Sandbox
	pid     int
}

// startLongRunningAgent starts it in the background.
func startLongRunningAgent(ctx context.Context, sandbox *openmiosa.Sandbox) *longRunningAgent {
	process, err := sandbox.Processes.Start(ctx, agentCommand("--drafts", "0", "--until", enough))
	demand(err)
	say("process %d: the agent goes on in a loop", process.PID)
	return &longRunningAgent{ctx, sandbox, process.PID}
}

// agentCommand runs the agent with more options.
func agentCommand(options ...string) openmiosa.Command {
	return openmiosa.Args("python3", append([]string{"/workspace/agent.py", "--repo", *repo}, options...)...)
}

// finish lets it come to its end.
func (a *longRunningAgent) finish() {
	demand(a.sandbox.Files.Write(a.ctx, enough, nil))
	ctx, stop := context.WithTimeout(a.ctx, 30*time.Second)
	defer stop()
	ended, err := a.sandbox.Processes.Wait(ctx, a.pid)
	demand(err)
	lines := strings.Split(strings.TrimSpace(a.logs()), "\n")
	last := lines[len(lines)-1]
	expect(*ended.ExitCode == 0, "the agent ends well: "+last)
	say("%s", last)
}

// expectAlive says that the process that was started is the one that runs.
func (a *longRunningAgent) expectAlive() {
	process, err := a.sandbox.Processes.Get(a.ctx, a.pid)
	demand(err)
	if process.ExitCode != nil {
		expect(false, "the agent still runs: "+a.logs())
	}
}

// environment gives the two variables of the running process.
func (a *longRunningAgent) environment() string {
	const wanted = `grep -E '^(OPENAI_API_KEY|GITHUB_TOKEN)=' | sort`
	return run(a.ctx, a.sandbox, openmiosa.Shell(fmt.Sprintf(`tr '\0' '\n' < /proc/%d/environ | %s`, a.pid, wanted)))
}

// events gives the calls of a host that the audit log shows.
func (a *longRunningAgent) events(host string) []openmiosa.Event {
	events, err := openmiosa.Collect(a.sandbox.Audit.List(a.ctx, &openmiosa.ListEventsOptions{Host: host}))
	demand(err)
	return events
}

func (a *longRunningAgent) calls(host string) int { return len(a.events(host)) }

// githubVersions says how many versions of the GitHub token the audit log shows.
func (a *longRunningAgent) githubVersions() int {
	versions := map[int]bool{}
	for _, event := range a.events("api.github.com") {
		for _, use := range event.Secrets {
			versions[use.Version] = true
		}
	}
	return len(versions)
}

func (a *longRunningAgent) logs() string {
	text, err := a.sandbox.Processes.Logs(a.ctx, a.pid, 0)
	demand(err)
	return text
}

// run runs a command that must end well, and gives what it wrote.
func run(ctx context.Context, sandbox *openmiosa.Sandbox, command openmiosa.Command) string {
	result, err := sandbox.Exec.Run(ctx, command)
	demand(err)
	demand(result.Check())
	return result.Stdout
}
