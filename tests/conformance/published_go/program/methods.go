package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	miosa "github.com/Miosa-osa/miosa-go/v2"
)

// Rows drives one method after another on a sandbox of its own.
type Rows struct {
	runner   *Runner
	client   *miosa.Client
	made     *miosa.Sandbox
	box      *miosa.SandboxHandleFull
	computer *miosa.Computer
}

// methods drives the Go column of the contract's section 19.
func methods(ctx context.Context, runner *Runner, client *miosa.Client) {
	r := &Rows{runner: runner, client: client}
	var err error
	r.made, err = client.Sandboxes.Create(ctx, miosa.CreateSandboxInput{Name: "methods-go", ExternalUserID: "gopher"})
	runner.Note("method", "1", "Sandboxes.Create", err)
	if err != nil {
		return
	}
	r.box = client.Sandboxes.GetFullHandle(r.made.ID)
	r.computer, err = client.Computers.Get(ctx, r.made.ID)
	runner.Note("method", "21", "Computers.Get", err)
	for _, part := range []func(context.Context){
		r.failures, r.sandboxes, r.secrets, r.connections, r.files, r.processes, r.network, r.record, r.keys, r.snapshots, r.extras,
	} {
		part(ctx)
	}
	runner.Note("method", "38", "Sandboxes.Delete", client.Sandboxes.Delete(ctx, r.made.ID))
}

func (r *Rows) note(row, name string, errs ...error) {
	r.runner.Note("method", row, name, first(errs...))
}

func (r *Rows) failures(ctx context.Context) {
	stranger := miosa.NewClient("msk_live_wrong", miosa.WithBaseURL(os.Getenv("MIOSA_BASE_URL")))
	_, err := stranger.Sandboxes.List(ctx, miosa.ListSandboxesInput{})
	var unauthenticated *miosa.AuthenticationError
	r.note("0", "AuthenticationError", expect(errors.As(err, &unauthenticated), "it is %T: %v", err, err))
	_, err = r.client.Sandboxes.Get(ctx, "sbx_nobody")
	var missing *miosa.NotFoundError
	found := errors.As(err, &missing)
	r.note("0", "NotFoundError", expect(found && strings.HasPrefix(missing.RequestID, "req_"), "it is %T: %v", err, err),
		expect(found && strings.HasPrefix(missing.Message, "no "), "it says %v", err))
	_, err = r.client.Secrets.Set(ctx, miosa.SecretSetInput{Name: "bad", Value: "x", ExposeAsEnv: "not a name"})
	var invalid *miosa.ValidationError
	r.note("0", "ValidationError", expect(errors.As(err, &invalid), "it is %T: %v", err, err))
}

func (r *Rows) sandboxes(ctx context.Context) {
	all := r.client.Sandboxes
	got, err := all.Get(ctx, r.made.ID)
	r.note("2", "Sandboxes.Get", err, expect(err != nil || got.Name == "methods-go" && got.State == "running", "got %+v", got))
	listed, err := all.List(ctx, miosa.ListSandboxesInput{ExternalUserID: "gopher"})
	r.note("4", "Sandboxes.List", err, expect(len(listed) == 1, "listed %d", len(listed)))
	ready, err := all.WaitUntilReady(ctx, r.made.ID, miosa.WaitUntilReadyOptions{})
	r.note("5", "Sandboxes.WaitUntilReady", err, expect(ready, "not ready"))
	said, err := r.box.Readiness(ctx)
	inner, _ := said["data"].(map[string]any)
	r.note("6", "SandboxHandle.Readiness", err, expect(inner["ready"] == true, "said %v", said))
	for _, step := range []struct {
		name, state string
		call        func() (*miosa.Sandbox, error)
	}{
		{"Sandboxes.Pause", "paused", func() (*miosa.Sandbox, error) { return all.Pause(ctx, r.made.ID) }},
		{"Sandboxes.Resume", "running", func() (*miosa.Sandbox, error) { return all.Resume(ctx, r.made.ID) }},
		{"Sandboxes.Stop", "paused", func() (*miosa.Sandbox, error) { return all.Stop(ctx, r.made.ID) }},
		{"Sandboxes.ResumeWithIdempotency", "running", func() (*miosa.Sandbox, error) {
			return all.ResumeWithIdempotency(ctx, r.made.ID, fmt.Sprint(time.Now().UnixNano()))
		}},
		{"Sandboxes.Extend", "running", func() (*miosa.Sandbox, error) { return all.Extend(ctx, r.made.ID, 3600) }},
	} {
		changed, err := step.call()
		r.note("34", step.name, err, expect(err != nil || changed.State == step.state, "it is %+v", changed))
	}
	usage, err := all.Usage(ctx, r.made.ID)
	r.note("next", "Sandboxes.Usage", err, expect(err != nil || usage.SandboxID == r.made.ID, "it is %+v", usage))
}

func (r *Rows) secrets(ctx context.Context) {
	all, own := r.client.Secrets, r.box.Secrets
	value := strings.Repeat("v", 36) + "tail"
	made, err := own.Set(ctx, miosa.SecretSetInput{Name: "k", Value: value, ExposeAsEnv: "OPENAI_API_KEY"})
	r.note("7", "SandboxHandle.Secrets.Set", err, expect(err != nil || made.ID != "" && made.MaskedValue == "********tail", "it is %+v", made))
	if err != nil {
		return
	}
	wide, err := all.Set(ctx, miosa.SecretSetInput{Name: "go-wide", Value: value, Scope: "tenant"})
	r.note("7", "Secrets.Set", err, expect(err != nil || wide.Scope == "tenant", "it is %+v", wide))
	listed, err := own.List(ctx, miosa.SecretListInput{})
	r.note("8", "SandboxHandle.Secrets.List", err, expect(len(listed) == 1 && listed[0].ID == made.ID, "listed %+v", listed))
	listed, err = all.List(ctx, miosa.SecretListInput{Scope: "tenant"})
	r.note("8", "Secrets.List", err, expect(len(listed) == 1 && listed[0].Name == "go-wide", "listed %+v", listed))
	for name, get := range map[string]func(context.Context, string) (*miosa.EgressSecretData, error){
		"Secrets.Get": all.Get, "SandboxHandle.Secrets.Get": own.Get,
	} {
		got, err := get(ctx, made.ID)
		r.note("9", name, err, expect(err != nil || got.Name == "k", "got %+v", got))
	}
	rotated, err := own.Rotate(ctx, "k", miosa.SecretRotateInput{NewValue: value + "2"})
	r.note("31", "SandboxHandle.Secrets.Rotate", err, expect(err != nil || rotated.ID == made.ID, "it is %+v", rotated))
	rotated, err = all.Rotate(ctx, made.ID, miosa.SecretRotateInput{NewValue: value, ExpiresAt: "2099-01-01T00:00:00Z"})
	r.note("31", "Secrets.Rotate", err, expect(err != nil || strings.HasPrefix(rotated.ExpiresAt, "2099"), "it is %+v", rotated))
	r.bindings(ctx, made.ID, wide)
	r.note("32", "SandboxHandle.Secrets.Delete", own.Delete(ctx, "k"))
	r.note("32", "Secrets.Delete", all.Delete(ctx, "go-wide"))
}

func (r *Rows) bindings(ctx context.Context, bound string, wide *miosa.EgressSecretData) {
	all := r.client.Secrets
	place := miosa.BindingCreateInput{SecretID: wide.ID, ResourceID: r.made.ID, ResourceType: "sandbox", ExposeAsEnv: "WIDE_KEY"}
	binding, err := all.CreateBinding(ctx, place)
	r.note("32", "Secrets.CreateBinding", err, expect(err != nil || binding.SecretID == wide.ID, "it is %+v", binding))
	if err == nil {
		found, err := all.ListBindings(ctx, miosa.BindingListInput{SecretID: wide.ID})
		r.note("32", "Secrets.ListBindings", err, expect(len(found) == 1 && found[0].ID == binding.ID, "listed %+v", found))
		r.note("32", "Secrets.DeleteBinding", all.DeleteBinding(ctx, binding.ID))
	}
	found, err := r.box.Secrets.ListBindings(ctx, miosa.BindingListInput{})
	r.note("32", "SandboxHandle.Secrets.ListBindings", err, expect(len(found) == 1 && found[0].SecretID == bound, "listed %+v", found))
}

func (r *Rows) connections(ctx context.Context) {
	providers, err := r.client.Secrets.Providers(ctx)
	names := ""
	for _, provider := range providers {
		names += provider.Name + "=" + provider.DisplayName + " "
	}
	r.note("12", "Secrets.Providers", err, expect(strings.Contains(names, "github=GitHub "), "they are %s", names))
	flow, err := r.client.Secrets.Connect(ctx, miosa.OauthConnectInput{Provider: "github", Scope: "external_user", ExternalUserID: "gopher"})
	r.note("10", "Secrets.Connect", err, expect(err != nil || flow.State != "" && flow.Provider == "github", "it is %+v", flow))
	if err != nil {
		return
	}
	status, err := flow.Status(ctx)
	r.note("11", "OAuthFlow.Status", err, expect(err != nil || status.Status == "pending", "it is %+v", status))
	_, err = r.runner.Ask("consent", flow.AuthorizeURL)
	done, waited := flow.WaitForCompletion(ctx, miosa.WaitForCompletionOptions{Timeout: patience, PollInterval: 50 * time.Millisecond})
	r.note("11", "OAuthFlow.WaitForCompletion", err, waited, expect(waited != nil || done.SecretID != "", "it is %+v", done))
	if waited == nil {
		_ = r.client.Secrets.Delete(ctx, done.SecretID)
	}
}

func (r *Rows) files(ctx context.Context) {
	written, err := r.box.Files.WriteMany(ctx, []miosa.WriteFileInput{
		{Path: "/workspace/d/one", ContentBase64: base64.StdEncoding.EncodeToString([]byte("1"))},
		{Path: "/workspace/d/e/two", ContentBase64: base64.StdEncoding.EncodeToString([]byte("22"))},
	})
	r.note("15", "SandboxHandle.Files.WriteMany", err, expect(err != nil || len(written.Written) == 2 && len(written.Failed) == 0, "it is %+v", written))
	tree, err := r.box.Files.Tree(ctx, "/workspace/d", 3)
	r.note("17", "SandboxHandle.Files.Tree", err, expect(err != nil || tree.Type == "dir" && len(tree.Children) == 2, "it is %+v", tree))
	files := r.computer.Files
	r.note("21", "Computer.Files.UploadReader", files.UploadReader(ctx, strings.NewReader("uploaded"), "x", "/workspace/d/x"))
	content, err := files.Download(ctx, "/workspace/d/x")
	r.note("21", "Computer.Files.Download", err, expect(string(content) == "uploaded", "it is %q", content))
	listed, err := files.List(ctx, "/workspace/d")
	r.note("21", "Computer.Files.List", err, expect(err != nil || len(listed.Entries) == 3, "listed %+v", listed))
	stat, err := files.Stat(ctx, "/workspace/d/x")
	r.note("21", "Computer.Files.Stat", err, expect(err != nil || stat.Size == 8 && stat.Mode != "", "it is %+v", stat))
	entries, err := files.Readdir(ctx, "/workspace/d")
	r.note("21", "Computer.Files.Readdir", err, expect(len(entries) == 3, "read %+v", entries))
	r.note("21", "Computer.Files.Delete", files.Delete(ctx, "/workspace/d/x"))
	scoped := files.FS("/workspace")
	r.note("21", "ScopedFS.WriteFile", scoped.WriteFile(ctx, "y", []byte("scoped")))
	content, err = scoped.ReadFile(ctx, "y")
	r.note("21", "ScopedFS.ReadFile", err, expect(string(content) == "scoped", "it is %q", content))
}

func (r *Rows) processes(ctx context.Context) {
	result, err := r.computer.Bash(ctx, "echo out; echo err >&2; exit 3")
	r.note("21", "Computer.Bash", err, expect(err != nil || result.Output == "out\nerr\n" && result.ExitCode == 3, "it is %+v", result))
	result, err = r.computer.Python(ctx, "print(6 * 7)")
	r.note("21", "Computer.Python", err, expect(err != nil || result.Output == "42\n" && result.Success, "it is %+v", result))
	r.spawn(ctx)
	own := r.box.Processes
	made, err := own.Start(ctx, miosa.StartProcessInput{Command: "echo line; sleep 300", Name: "waits", Env: map[string]string{"A": "1"}})
	r.note("20", "SandboxHandle.Processes.Start", err, expect(err != nil || made.Name == "waits" && made.Status == "running", "it is %+v", made))
	if err != nil {
		return
	}
	listed, err := own.List(ctx)
	r.note("20", "SandboxHandle.Processes.List", err, expect(len(listed) > 0, "listed none"))
	err = until(ctx, "the line", func() (bool, error) {
		logs, err := own.Logs(ctx, made.PID, 10)
		return logs == "line\n", err
	})
	r.note("20", "SandboxHandle.Processes.Logs", err)
	stopped := own.Stop(ctx, made.PID)
	r.note("20", "SandboxHandle.Processes.Stop", stopped)
	got, err := own.Get(ctx, made.PID)
	r.note("20", "SandboxHandle.Processes.Get", err, expect(err != nil || got.Status == "exited", "it is %+v", got))
}

func (r *Rows) spawn(ctx context.Context) {
	command, err := r.computer.Exec.Spawn(ctx, "read line; stty size; exit 7", miosa.SpawnOptions{Rows: 30, Cols: 90})
	if err != nil {
		r.note("further", "Computer.Exec.Spawn", err)
		return
	}
	output := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(command.Stdout)
		output <- string(text)
	}()
	_, err = io.WriteString(command.Stdin, "go\n")
	code, waited := command.Wait()
	r.note("further", "Computer.Exec.Spawn", err, waited, expect(code == 7, "it ended with %d", code))
	select {
	case text := <-output:
		r.note("further", "Cmd.Stdout", expect(strings.Contains(text, "30 90"), "it printed %q", text))
	case <-time.After(patience):
		r.note("further", "Cmd.Stdout", fmt.Errorf("it has no end"))
	}
}

func (r *Rows) network(ctx context.Context) {
	own, all := r.box.Network, r.client.Network
	rule, err := own.Allow(ctx, github, miosa.AllowInput{Methods: []string{"GET"}, PathGlob: "/repos/**", Note: "issues"})
	r.note("28", "SandboxHandle.Network.Allow", err, expect(err != nil || rule.ID != "" && rule.Note == "issues" && rule.Effect == "allow", "it is %+v", rule))
	denied, err := own.Deny(ctx, "a.example", miosa.AllowInput{})
	r.note("28", "SandboxHandle.Network.Deny", err, expect(err != nil || denied.Effect == "deny", "it is %+v", denied))
	rules, err := own.Rules(ctx, miosa.RulesListInput{})
	r.note("28", "SandboxHandle.Network.Rules", err, expect(len(rules) == 2, "they are %+v", rules))
	for _, each := range rules {
		r.note("28", "SandboxHandle.Network.RemoveRule", own.RemoveRule(ctx, each.ID))
	}
	wide, err := all.Allow(ctx, "b.example", miosa.AllowInput{ResourceID: r.made.ID, ResourceType: "sandbox"})
	r.note("28", "Network.Allow", err, expect(err != nil || wide.ResourceID == r.made.ID, "it is %+v", wide))
	rules, err = all.Rules(ctx, miosa.RulesListInput{ResourceID: r.made.ID, ResourceType: "sandbox"})
	r.note("28", "Network.Rules", err, expect(len(rules) == 1, "they are %+v", rules))
	if len(rules) == 1 {
		r.note("28", "Network.RemoveRule", all.RemoveRule(ctx, rules[0].ID))
	}
	r.policies(ctx)
}

func (r *Rows) policies(ctx context.Context) {
	own, all := r.box.Network, r.client.Network
	policies, err := own.Policies(ctx)
	policy := ""
	for _, each := range policies {
		if each.ResourceID == r.made.ID {
			policy = each.ID
		}
	}
	r.note("29", "SandboxHandle.Network.Policies", err, expect(policy != "", "none of %+v is this sandbox's", policies))
	made, err := all.CreatePolicy(ctx, miosa.PolicyCreateInput{Name: "spare-go", Mode: "audit_only", DefaultEffect: "allow"})
	r.note("29", "Network.CreatePolicy", err, expect(err != nil || made.Name == "spare-go", "it is %+v", made))
	changed, err := all.UpdatePolicy(ctx, policy, miosa.PolicyUpdateInput{Description: "changed"})
	r.note("29", "Network.UpdatePolicy", err, expect(err != nil || changed.Description == "changed", "it is %+v", changed))
	for _, step := range []struct {
		row, name, mode string
		call            func() (*miosa.EgressPolicy, error)
	}{
		{"29", "SandboxHandle.Network.Lockdown(id)", "enforce", func() (*miosa.EgressPolicy, error) { return own.Lockdown(ctx, policy) }},
		{"29", "SandboxHandle.Network.Observe(id)", "audit_only", func() (*miosa.EgressPolicy, error) { return own.Observe(ctx, policy) }},
		{"30", "SandboxHandle.Network.Lockdown", "enforce", func() (*miosa.EgressPolicy, error) { return own.Lockdown(ctx, "") }},
		{"30", "SandboxHandle.Network.Observe", "audit_only", func() (*miosa.EgressPolicy, error) { return own.Observe(ctx, "") }},
		{"30", "Network.Lockdown", "enforce", func() (*miosa.EgressPolicy, error) {
			return all.Lockdown(ctx, miosa.LockdownInput{ResourceID: r.made.ID, ResourceType: "sandbox"})
		}},
		{"30", "Network.Observe", "audit_only", func() (*miosa.EgressPolicy, error) {
			return all.Observe(ctx, miosa.LockdownInput{ResourceID: r.made.ID, ResourceType: "sandbox"})
		}},
	} {
		changed, err := step.call()
		fits := err != nil || changed.Mode == step.mode && changed.ResourceID == r.made.ID
		r.note(step.row, step.name, err, expect(fits, "it is %+v", changed))
	}
}

func (r *Rows) record(ctx context.Context) {
	call := "curl -s -o /dev/null https://" + github + "/repos/o/r/issues"
	tail, err := r.box.Audit.Tail(ctx, miosa.TailOptions{})
	if err == nil {
		_, err = r.computer.Bash(ctx, call)
		select {
		case event := <-tail.Events():
			r.note("26", "SandboxHandle.Audit.Tail", err, expect(event.Host == github && len(event.Raw) > 0, "it is %+v, %v", event, tail.Err()))
		case <-time.After(patience):
			r.note("26", "SandboxHandle.Audit.Tail", fmt.Errorf("no event"))
		}
		tail.Close()
	} else {
		r.note("26", "SandboxHandle.Audit.Tail", err)
	}
	listed, err := r.box.Audit.List(ctx, miosa.EgressAuditListInput{Host: github})
	r.note("22", "SandboxHandle.Audit.List", err, expect(len(listed) == 1 && listed[0].StatusCode == 200, "listed %+v", listed))
	for name, list := range map[string]func(context.Context, string) (*miosa.EgressAuditEvent, error){
		"Audit.Get": r.client.Audit.Get, "SandboxHandle.Audit.Get": r.box.Audit.Get,
	} {
		if len(listed) == 1 {
			got, err := list(ctx, listed[0].ID)
			r.note("23", name, err, expect(err != nil || got.Host == github, "got %+v", got))
		}
	}
	place := miosa.EgressAuditListInput{ResourceID: r.made.ID, ResourceType: "sandbox"}
	everywhere, err := r.client.Audit.List(ctx, place)
	r.note("22", "Audit.List", err, expect(len(everywhere) == 1, "listed %+v", everywhere))
	polling, stop := context.WithCancel(ctx)
	events, err := r.client.Audit.Tail(polling, place, miosa.TailOptions{PollInterval: 50 * time.Millisecond})
	if err == nil {
		event := <-events
		r.note("22", "Audit.Tail", expect(event.Host == github, "it is %+v", event))
	} else {
		r.note("22", "Audit.Tail", err)
	}
	stop()
	suggested, err := r.box.Network.Suggestions(ctx, "1d")
	r.note("27", "SandboxHandle.Network.Suggestions", err, expect(len(suggested) == 1 && suggested[0].Host == github, "they are %+v", suggested))
	suggested, err = r.client.Network.Suggestions(ctx, r.made.ID, "1d")
	r.note("27", "Network.Suggestions", err, expect(len(suggested) == 1, "they are %+v", suggested))
}

func (r *Rows) keys(ctx context.Context) {
	made, err := r.client.ApiKeys.Create(ctx, miosa.CreateApiKeyInput{Name: "go", Scopes: []string{"sandboxes:read"}})
	r.note("33", "ApiKeys.Create", err, expect(err != nil || made.Token != "" && made.Token == made.Key, "it has no token"))
	if err != nil {
		return
	}
	listed, err := r.client.ApiKeys.List(ctx, miosa.ListApiKeysInput{})
	found := false
	for _, key := range listed.Data {
		found = found || key.ID == made.ID && key.Name == "go"
	}
	r.note("33", "ApiKeys.List", err, expect(found, "it is not listed"))
	r.note("33", "ApiKeys.Delete", r.client.ApiKeys.Delete(ctx, made.ID))
	log, err := r.client.AuditLog.List(ctx, miosa.ListAuditLogInput{PerPage: 10})
	r.note("further", "AuditLog.List", err, expect(err != nil || len(log.Data) > 0, "it is empty"))
}

func (r *Rows) snapshots(ctx context.Context) {
	all := r.client.Sandboxes
	made, err := all.CreateSnapshot(ctx, r.made.ID, miosa.CreateSandboxSnapshotInput{Comment: "before"})
	r.note("35", "Sandboxes.CreateSnapshot", err, expect(err != nil || made.Status == "ready" && made.Comment == "before", "it is %+v", made))
	if err != nil {
		return
	}
	listed, err := all.ListSnapshots(ctx, r.made.ID)
	r.note("35", "Sandboxes.ListSnapshots", err, expect(len(listed) == 1 && listed[0].ID == made.ID, "listed %+v", listed))
	restored, err := all.RestoreSnapshot(ctx, r.made.ID, made.ID)
	r.note("35", "Sandboxes.RestoreSnapshot", err, expect(err != nil || restored.ID != r.made.ID && restored.State == "running", "it is %+v", restored))
	if err == nil {
		_ = all.Delete(ctx, restored.ID)
	}
	r.note("35", "Sandboxes.DeleteSnapshot", all.DeleteSnapshot(ctx, r.made.ID, made.ID))
	fork, err := all.ForkSandbox(ctx, r.made.ID, miosa.PublicForkSandboxInput{})
	r.note("further", "Sandboxes.ForkSandbox", err, expect(err != nil || fork.ID != r.made.ID, "it is %+v", fork))
	if err == nil {
		_ = all.Delete(ctx, fork.ID)
	}
}

func (r *Rows) extras(ctx context.Context) {
	preview, err := r.box.Previews.Create(ctx, 8123, nil)
	inner, _ := preview["data"].(map[string]any)
	id, _ := inner["id"].(string)
	r.note("37", "SandboxHandle.Previews.Create", err, expect(id != "" && inner["url"] != nil, "it is %v", preview))
	listed, err := r.box.Previews.List(ctx)
	r.note("37", "SandboxHandle.Previews.List", err, expect(len(listed) == 1, "they are %v", listed))
	got, err := r.box.Previews.Get(ctx, id)
	r.note("37", "SandboxHandle.Previews.Get", err, expect(len(got) > 0, "it is empty"))
	r.note("37", "SandboxHandle.Previews.Delete", r.box.Previews.Delete(ctx, id))
	_, err = r.client.Sandboxes.PreviewToken(ctx, r.made.ID, miosa.PreviewTokenInput{})
	var refused *miosa.ServerError
	r.note("next", "Sandboxes.PreviewToken (refused with what to do)", expect(errors.As(err, &refused) && strings.Contains(refused.Message, "ssh -L"), "it is %v", err))
	set, err := r.box.Env.Set(ctx, []miosa.EnvVar{{Key: "COLOUR", Value: "blue"}})
	r.note("next", "SandboxHandle.Env.Set", err, expect(set["vars"] != nil, "it is %v", set))
	variables, err := r.box.Env.List(ctx)
	shown, _ := variables["vars"].([]any)
	r.note("next", "SandboxHandle.Env.List", err, expect(len(shown) == 1, "they are %v", variables))
	r.note("next", "SandboxHandle.Env.Delete", r.box.Env.Delete(ctx, "COLOUR"))
	tagged, err := r.box.Tags.Set(ctx, []string{"x"})
	r.note("further", "SandboxHandle.Tags.Set", err, expect(len(tagged) > 0, "it is empty"))
}
