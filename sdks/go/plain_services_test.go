package openmiosa

import (
	"errors"
	"testing"
)

// plainCases are the methods whose request says nothing but its route, and what each makes of the answer.
var plainCases = []struct {
	route string
	reply any
	call  func(*Client, *Sandbox) (string, error)
	want  string
}{
	{"GET /egress/audit/evt_1", object{"data": object{"id": "evt_1"}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.Audit.Get(ctx, "evt_1"))(func(e *Event) string { return e.ID })
	}, "evt_1"},
	{"GET /templates", object{"data": []object{{"id": "agent"}}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.Templates(ctx))(func(all []Template) string { return all[0].ID })
	}, "agent"},
	{"GET /sandboxes/sbx_1/env", object{"data": object{"vars": []object{{"key": "A"}}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Env.List(ctx))(func(all []Variable) string { return all[0].Key })
	}, "A"},
	{"DELETE /sandboxes/sbx_1/env/A", nil, func(_ *Client, s *Sandbox) (string, error) { return "", s.Env.Delete(ctx, "A") }, ""},
	{"GET /sandboxes/sbx_1/fs/download", "text", func(_ *Client, s *Sandbox) (string, error) { return s.Files.ReadText(ctx, "/x") }, "text"},
	{"GET /sandboxes/sbx_1/files/tree", object{"path": "/x", "type": "dir"}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Files.Tree(ctx, "/x", nil))(func(tree *FileTree) string { return map[bool]string{true: "dir"}[tree.IsDir()] })
	}, "dir"},
	{"POST /sandboxes/sbx_1/fs/mkdir", object{}, func(_ *Client, s *Sandbox) (string, error) { return "", s.Files.Mkdir(ctx, "/x") }, ""},
	{"POST /api-keys", object{"data": object{"id": "key_1", "key": "plain"}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.APIKeys.Create(ctx, "ci", nil))(func(key *APIKey) string { return key.Token })
	}, "plain"},
	{"GET /api-keys", object{"data": []object{{"id": "key_1"}}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(Collect(c.APIKeys.List(ctx)))(func(all []APIKey) string { return all[0].ID })
	}, "key_1"},
	{"GET /api-keys/key_1", object{"data": object{"id": "key_1"}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.APIKeys.Get(ctx, "key_1"))(func(key *APIKey) string { return key.ID })
	}, "key_1"},
	{"PATCH /api-keys/key_1", object{"data": object{"id": "key_1", "name": "n"}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.APIKeys.Update(ctx, "key_1", UpdateKeyOptions{Name: "n"}))(func(key *APIKey) string { return key.Name })
	}, "n"},
	{"DELETE /api-keys/key_1", nil, func(c *Client, _ *Sandbox) (string, error) { return "", c.APIKeys.Delete(ctx, "key_1", nil) }, ""},
	{"GET /api-keys/presets", object{"data": []object{{"name": "ci"}}}, func(c *Client, _ *Sandbox) (string, error) {
		return told(c.APIKeys.Presets(ctx))(func(all []KeyPreset) string { return all[0].Name })
	}, "ci"},
	{"DELETE /api-keys/presets/ci", nil, func(c *Client, _ *Sandbox) (string, error) { return "", c.APIKeys.DeletePreset(ctx, "ci") }, ""},
	{"GET /egress/allowlist", object{"rules": []object{{"id": "rul_1", "host": "h"}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Network.Rules(ctx, nil))(func(all []Rule) string { return all[0].Host })
	}, "h"},
	{"POST /egress/observe", object{"data": object{"id": "pol_1", "mode": "audit_only"}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Network.Observe(ctx))(func(policy *Policy) string { return policy.Mode })
	}, "audit_only"},
	{"PATCH /egress/policies/pol_1", object{"data": object{"id": "pol_1", "mode": "enforce"}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Network.UpdatePolicy(ctx, "pol_1", UpdatePolicyOptions{Mode: "enforce"}))(func(policy *Policy) string { return policy.Mode })
	}, "enforce"},
	{"GET /egress/pending", object{"pending": []object{{"host": "h"}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Network.Pending(ctx))(func(all []PendingHost) string { return all[0].Host })
	}, "h"},
	{"GET /sandboxes/sbx_1/previews", object{"data": []object{{"id": "p", "url": "u", "port": 1}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Previews.List(ctx))(func(all []Preview) string { return all[0].URL })
	}, "u"},
	{"GET /sandboxes/sbx_1/previews/p", object{"data": object{"id": "p", "url": "u", "port": 1}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Previews.Get(ctx, "p"))(func(preview *Preview) string { return preview.ID })
	}, "p"},
	{"DELETE /sandboxes/sbx_1/previews/p", nil, func(_ *Client, s *Sandbox) (string, error) { return "", s.Previews.Close(ctx, "p") }, ""},
	{"GET /sandboxes/sbx_1/processes", object{"data": []object{{"pid": "7"}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Processes.List(ctx))(func(all []Process) string { return string(rune('0' + all[0].PID)) })
	}, "7"},
	{"DELETE /sandboxes/sbx_1/processes/7", nil, func(_ *Client, s *Sandbox) (string, error) { return "", s.Processes.Stop(ctx, 7) }, ""},
	{"POST /sandboxes/sbx_1/pause", object{"data": object{"id": "sbx_1", "state": "paused"}}, func(_ *Client, s *Sandbox) (string, error) {
		return s.state(s.Pause(ctx))
	}, "paused"},
	{"POST /sandboxes/sbx_1/stop", object{"data": object{"id": "sbx_1", "state": "paused"}}, func(_ *Client, s *Sandbox) (string, error) {
		return s.state(s.Stop(ctx))
	}, "paused"},
	{"GET /sandboxes/sbx_1/readiness", object{"data": object{"status": "ready"}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Readiness(ctx))(func(ready *Readiness) string { return ready.Status })
	}, "ready"},
	{"GET /sandboxes/sbx_1/usage", object{"data": object{"state": "running"}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Usage(ctx))(func(usage *Usage) string { return usage.State })
	}, "running"},
	{"GET /sandboxes/sbx_1/metrics", object{"data": object{"calls": object{"total": 3}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Metrics(ctx))(func(metrics *Metrics) string { return string(rune('0' + metrics.Calls.Total)) })
	}, "3"},
	{"GET /sandboxes/sbx_1/resources", object{"data": object{"resources": object{"memory_mb": 5}}}, func(_ *Client, s *Sandbox) (string, error) {
		return told(s.Resources(ctx))(func(all *Resources) string { return string(rune('0' + all.Resources.MemoryMB)) })
	}, "5"},
	{"GET /sandboxes/sbx_1/logs", object{"data": object{"logs": "said\n", "lines": []object{}}}, func(_ *Client, s *Sandbox) (string, error) {
		return s.Logs(ctx, 5)
	}, "said\n"},
	{"DELETE /egress/bindings/bnd_1", nil, func(_ *Client, s *Sandbox) (string, error) { return "", s.Secrets.Unbind(ctx, "bnd_1") }, ""},
	{"DELETE /sandboxes/sbx_1/snapshots/snp_1", nil, func(_ *Client, s *Sandbox) (string, error) { return "", s.Snapshots.Delete(ctx, "snp_1") }, ""},
}

// told gives what is told of a record, unless there is an error.
func told[T any](record T, err error) func(func(T) string) (string, error) {
	return func(tell func(T) string) (string, error) {
		if err != nil {
			return "", err
		}
		return tell(record), nil
	}
}

func (s *Sandbox) state(err error) (string, error) { return s.State(), err }

func TestAPlainMethodReadsItsAnswer(t *testing.T) {
	for _, one := range plainCases {
		t.Run(one.route, func(t *testing.T) {
			server := serve(t)
			sandbox := server.sandbox()
			server.on(one.route, reply{body: one.reply})
			got, err := one.call(server.client(), sandbox)
			must(t, err)
			same(t, got, one.want)
			same(t, len(server.requests(one.route)), 1)
		})
	}
}

func TestThePolicyOfASandboxIsItsOwn(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("GET /egress/policies", reply{body: object{"policies": []object{{"id": "pol_0"}, {"id": "pol_1", "resource_id": "sbx_1"}}}})
	server.on("GET /egress/policies/pol_1", reply{body: object{"data": object{"id": "pol_1", "name": "own"}}})
	policy, err := sandbox.Network.GetPolicy(ctx)
	must(t, err)
	same(t, policy.Name, "own")
	server.on("GET /egress/policies", reply{body: object{"policies": []object{}}})
	_, err = sandbox.Network.GetPolicy(ctx)
	isKind(t, err, ErrNotFound)
}

func TestWhetherThereIsAFileIsNoError(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	there, err := sandbox.Files.Exists(ctx, "/x")
	must(t, err)
	same(t, there, false)
	server.on("POST /sandboxes/sbx_1/fs/stat", busy(403, nil))
	_, err = sandbox.Files.Exists(ctx, "/x")
	isKind(t, err, ErrPermissionDenied)
}

func TestAnIDThatIsNoneIsSaidBeforeAnythingIsSent(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	for _, id := range []string{"", ".", ".."} {
		_, err := sandbox.Secrets.Get(ctx, id)
		isKind(t, err, ErrConfiguration)
		_, err = Collect(server.client().APIKeys.Events(ctx, id, nil))
		isKind(t, err, ErrConfiguration)
	}
}

func TestACommandThatFailedIsAnErrorWhenAsked(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("POST /sandboxes/sbx_1/exec", reply{body: object{"data": object{"stderr": "no such file\n", "exit_code": 2}}})
	result, err := sandbox.Exec.Run(ctx, Args("cat", "x"))
	must(t, err)
	same(t, result.OK(), false)
	var failure *CommandFailedError
	same(t, errors.As(result.Check(), &failure), true)
	isKind(t, failure, ErrCommandFailed, ErrMiosa)
	same(t, failure.Error(), "the command exited with 2: no such file")
}
