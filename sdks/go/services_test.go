package openmiosa

import (
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// wireCase is one method, and the request that it makes.
type wireCase struct {
	name  string
	call  func(*Client, *Sandbox) error
	route string
	query string
	body  string
	reply any
}

var (
	whole   = time.Date(2026, 11, 28, 11, 0, 0, 500, time.FixedZone("", 3600))
	inSbx   = `"resource_id":"sbx_1","resource_type":"sandbox"`
	inQuery = "resource_id=sbx_1 resource_type=sandbox"
	yes     = true
)

func dropped[T any](_ T, err error) error { return err }

var wireCases = []wireCase{
	{
		"create with everything", func(c *Client, _ *Sandbox) error {
			options := CreateSandboxOptions{
				Template: "agent", Env: map[string]string{"A": "1"}, Tags: []string{"t"}, CPUCount: 2, AlwaysOn: &yes, ExternalUserID: "u1",
				NoWait: true, Extra: object{"region": "here"},
			}
			return dropped(c.Sandboxes.Create(ctx, "a", &options))
		}, "POST /sandboxes", "",
		`{"name":"a","template_id":"agent","env":{"A":"1"},"tags":["t"],"cpu_count":2,"always_on":true,"external_user_id":"u1","region":"here"}`,
		object{"data": object{"id": "sbx_2"}},
	},
	{
		"get by a name with a slash", func(c *Client, _ *Sandbox) error { return dropped(c.Sandboxes.GetByName(ctx, "né w/x")) },
		"GET /sandboxes/by-name/n%C3%A9%20w%2Fx", "", "", object{"data": object{"id": "sbx_2"}},
	},
	{
		"set a secret of the tenant", func(c *Client, _ *Sandbox) error {
			return dropped(c.Secrets.Set(ctx, SetSecretOptions{Name: "k", Value: "v", Scope: "tenant", AllowedHosts: []string{}, ExpiresAt: whole}))
		}, "POST /egress/secrets", "",
		`{"name":"k","value":"v","type":"api_key","scope":"tenant","allowed_hosts":[],"expires_at":"2026-11-28T10:00:00.0000005Z"}`,
		object{"data": object{"id": "sec_1", "name": "k"}},
	},
	{
		"set a secret of a sandbox", func(_ *Client, s *Sandbox) error {
			return dropped(s.Secrets.Set(ctx, SetSecretOptions{Name: "k", Value: "v", ExposeAsEnv: "K"}))
		}, "POST /egress/secrets", "", `{"name":"k","value":"v","type":"api_key","scope":"user","expose_as_env":"K",` + inSbx + `}`,
		object{"data": object{"id": "sec_1", "name": "k"}},
	},
	{
		"rotate by name", func(_ *Client, s *Sandbox) error { return dropped(s.Secrets.Rotate(ctx, "k", "v2", nil)) },
		"PATCH /egress/secrets/k", inQuery, `{"value":"v2"}`, object{"data": object{"id": "sec_1", "name": "k"}},
	},
	{
		"delete by name", func(_ *Client, s *Sandbox) error { return s.Secrets.Delete(ctx, "k") },
		"DELETE /egress/secrets/k", inQuery, "", nil,
	},
	{
		"list secrets", func(_ *Client, s *Sandbox) error {
			return dropped(s.Secrets.List(ctx, &ListSecretsOptions{Provider: "github"}))
		}, "GET /egress/secrets", "provider=github " + inQuery, "", object{"secrets": []object{{"id": "sec_1", "name": "k"}}},
	},
	{
		"connect", func(_ *Client, s *Sandbox) error {
			return dropped(s.Secrets.Connect(ctx, "github", &ConnectOptions{ExposeAsEnv: "T", Scopes: []string{"repo"}, Flow: "device"}))
		}, "POST /egress/oauth/start", "",
		`{"provider":"github","expose_as_env":"T","scopes":["repo"],"flow":"device",` + inSbx + `}`, object{"data": object{"state": "s"}},
	},
	{
		"reauthorize", func(_ *Client, s *Sandbox) error { return dropped(s.Secrets.Reauthorize(ctx, "github_token", nil)) },
		"POST /egress/secrets/github_token/reauthorize", inQuery, `{}`, object{"data": object{"state": "s"}},
	},
	{
		"machine oauth", func(c *Client, _ *Sandbox) error {
			return dropped(c.Secrets.AddMachineOauth(ctx, MachineOauthOptions{Name: "m", TokenURL: "https://t", ClientID: "i", ClientSecret: "s"}))
		}, "POST /egress/oauth/machine", "", `{"name":"m","token_url":"https://t","client_id":"i","client_secret":"s"}`,
		object{"data": object{"id": "sec_1", "name": "m"}},
	},
	{
		"bind to another sandbox", func(c *Client, _ *Sandbox) error {
			return dropped(c.Secrets.Bind(ctx, "k", BindOptions{ExposeAsEnv: "K", ResourceID: "sbx_9"}))
		}, "POST /egress/bindings", "", `{"secret_id":"k","expose_as_env":"K","resource_id":"sbx_9","resource_type":"sandbox"}`,
		object{"data": object{"id": "bnd_1"}},
	},
	{
		"allow", func(_ *Client, s *Sandbox) error {
			return dropped(s.Network.Allow(ctx, "*.x.example", &RuleOptions{Methods: []string{"GET"}, PathGlob: "/v1/**", Port: 443, Note: "n"}))
		}, "POST /egress/allowlist", "",
		`{"host":"*.x.example","effect":"allow","methods":["GET"],"path_glob":"/v1/**","port":443,"note":"n",` + inSbx + `}`,
		object{"data": object{"id": "rul_1", "host": "*.x.example"}},
	},
	{
		"deny for the tenant", func(c *Client, _ *Sandbox) error { return dropped(c.Network.Deny(ctx, "10.0.0.0/8", nil)) },
		"POST /egress/allowlist", "", `{"host":"10.0.0.0/8","effect":"deny"}`, object{"data": object{"id": "rul_1", "host": "10.0.0.0/8"}},
	},
	{
		"remove a CIDR", func(_ *Client, s *Sandbox) error { return s.Network.Remove(ctx, "10.0.0.0/8") },
		"DELETE /egress/allowlist/10.0.0.0%2F8", inQuery, "", nil,
	},
	{
		"lock down what there is", func(_ *Client, s *Sandbox) error { return dropped(s.Network.Lockdown(ctx, nil)) },
		"POST /egress/lockdown", "", `{` + inSbx + `}`, object{"data": object{"id": "pol_1"}},
	},
	{
		"lock down everything", func(_ *Client, s *Sandbox) error { return dropped(s.Network.Lockdown(ctx, &LockdownOptions{})) },
		"POST /egress/lockdown", "", `{"hosts":[],` + inSbx + `}`, object{"data": object{"id": "pol_1"}},
	},
	{
		"suggestions since a time", func(_ *Client, s *Sandbox) error {
			return dropped(s.Network.Suggestions(ctx, &SuggestionsOptions{Since: whole}))
		}, "GET /egress/audit/suggestions", inQuery + " since=2026-11-28T10:00:00.0000005Z", "", object{"suggestions": []object{}},
	},
	{
		"create a policy", func(c *Client, _ *Sandbox) error {
			return dropped(c.Network.CreatePolicy(ctx, CreatePolicyOptions{Name: "p", Mode: "audit_only"}))
		}, "POST /egress/policies", "", `{"name":"p","mode":"audit_only","default_effect":"deny"}`, object{"data": object{"id": "pol_1"}},
	},
	{
		"list events", func(_ *Client, s *Sandbox) error {
			return dropped(Collect(s.Audit.List(ctx, &ListEventsOptions{Host: "h", Action: "reject", Since: whole, Limit: 5})))
		}, "GET /egress/audit", "action=reject host=h limit=5 " + inQuery + " since=2026-11-28T10:00:00.0000005Z", "", object{"events": []object{}},
	},
	{
		"export events", func(c *Client, _ *Sandbox) error {
			return c.Audit.Export(ctx, io.Discard, "csv", &ListEventsOptions{Host: "h"})
		}, "GET /egress/audit/export", "format=csv host=h", "", "id\n",
	},
	{
		"start a process", func(_ *Client, s *Sandbox) error {
			return dropped(s.Processes.Start(ctx, Command{Args: []string{"a", "b c"}, Name: "web", Env: map[string]string{"X": "1"}}))
		}, "POST /sandboxes/sbx_1/processes", "", `{"argv":["a","b c"],"name":"web","env":{"X":"1"}}`, object{"pid": "7"},
	},
	{
		"logs of a process", func(_ *Client, s *Sandbox) error { return dropped(s.Processes.Logs(ctx, 7, 5)) },
		"GET /sandboxes/sbx_1/processes/7/logs", "tail=5", "", `"text"`,
	},
	{
		"replace variables", func(_ *Client, s *Sandbox) error {
			return dropped(s.Env.Set(ctx, map[string]string{"B": "2", "A": "1"}))
		},
		"PUT /sandboxes/sbx_1/env", "", `{"vars":[{"key":"A","value":"1"},{"key":"B","value":"2"}]}`, object{"vars": []object{}},
	},
	{
		"extend", func(_ *Client, s *Sandbox) error { return s.Extend(ctx, 90*time.Second) },
		"POST /sandboxes/sbx_1/extend", "", `{"timeout_sec":90}`, object{"data": object{"id": "sbx_1"}},
	},
	{
		"no tags", func(_ *Client, s *Sandbox) error { return s.SetTags(ctx) },
		"PATCH /sandboxes/sbx_1/tags", "", `{"tags":[]}`, object{"data": object{"id": "sbx_1"}},
	},
	{
		"update to zero", func(_ *Client, s *Sandbox) error { return s.Update(ctx, UpdateSandboxOptions{TimeoutSec: new(int)}) },
		"PATCH /sandboxes/sbx_1", "", `{"timeout_sec":0}`, object{"data": object{"id": "sbx_1"}},
	},
	{
		"fork", func(_ *Client, s *Sandbox) error { return dropped(s.Fork(ctx, &ForkOptions{SnapshotID: "snp_1"})) },
		"POST /sandboxes/sbx_1/fork", "", `{"snapshot_id":"snp_1"}`, object{"data": object{"id": "sbx_2"}},
	},
	{
		"snapshot", func(_ *Client, s *Sandbox) error {
			return dropped(s.Snapshots.Create(ctx, &CreateSnapshotOptions{Comment: "c"}))
		}, "POST /sandboxes/sbx_1/snapshots", "", `{"comment":"c"}`, object{"data": object{"id": "snp_1"}},
	},
	{
		"restore", func(_ *Client, s *Sandbox) error { return dropped(s.Snapshots.Restore(ctx, "snp_1")) },
		"POST /sandboxes/sbx_1/restore/snp_1", "", `{}`, object{"data": object{"id": "sbx_2"}},
	},
	{
		"open a preview", func(_ *Client, s *Sandbox) error { return dropped(s.Previews.Open(ctx, 8080)) },
		"POST /sandboxes/sbx_1/previews", "", `{"port":8080}`, object{"data": object{"id": "prv_1", "url": "http://x", "port": 8080}},
	},
	{
		"a key of one user", func(c *Client, _ *Sandbox) error {
			return dropped(c.APIKeys.CreateScoped(ctx, CreateScopedKeyOptions{ExternalUserID: "u1", Scopes: []string{"sandboxes:read"}}))
		}, "POST /api-keys/scoped", "", `{"external_user_id":"u1","scopes":["sandboxes:read"]}`, object{"data": object{"id": "key_1", "key": "t"}},
	},
	{
		"rotate a key", func(c *Client, _ *Sandbox) error { return dropped(c.APIKeys.Rotate(ctx, "key_1", nil)) },
		"POST /api-keys/key_1/rotate", "", `{}`, object{"data": object{"id": "key_1", "token": "t"}},
	},
	{
		"events of a key", func(c *Client, _ *Sandbox) error { return dropped(Collect(c.APIKeys.Events(ctx, "key_1", nil))) },
		"GET /api-keys/key_1/events", "", "", object{"data": []object{}},
	},
	{
		"save a preset", func(c *Client, _ *Sandbox) error {
			return dropped(c.APIKeys.SavePreset(ctx, SavePresetOptions{Name: "ci", Scopes: []string{"a"}}))
		},
		"POST /api-keys/presets", "", `{"name":"ci","scopes":["a"]}`, object{"data": object{"name": "ci"}},
	},
	{
		"a token for a user", func(c *Client, _ *Sandbox) error {
			return dropped(c.Tokens.CreateScoped(ctx, ScopedTokenOptions{UserID: "u", WorkspaceID: "w", ExpiresInSeconds: 60}))
		}, "POST /tokens/scoped", "", `{"user_id":"u","workspace_id":"w","expires_in_seconds":60}`, object{"token": "t"},
	},
	{
		"the log of acts", func(c *Client, _ *Sandbox) error {
			return dropped(Collect(c.AdminLog.List(ctx, &ListAdminLogOptions{Action: "identity:key:create"})))
		}, "GET /audit-log", "action=identity:key:create", "", object{"data": []object{}},
	},
	{
		"a ticket", func(c *Client, _ *Sandbox) error { return dropped(c.SSETicket(ctx)) },
		"POST /sse/ticket", "", "", object{"ticket": "t", "expires_in": 60},
	},
	{
		"list a folder", func(_ *Client, s *Sandbox) error { return dropped(s.Files.List(ctx, "", &ListFilesOptions{Depth: 2})) },
		"GET /sandboxes/sbx_1/files", "depth=2 path=/workspace", "", object{"data": object{"path": "/workspace", "entries": []object{}}},
	},
	{
		"delete a folder", func(_ *Client, s *Sandbox) error {
			return s.Files.Delete(ctx, "/x", &DeleteFileOptions{Recursive: true})
		},
		"DELETE /sandboxes/sbx_1/files", "path=/x recursive=true", "", nil,
	},
	{
		"export two folders", func(_ *Client, s *Sandbox) error { return s.Files.Export(ctx, io.Discard, "/a,b", "/c") },
		"GET /sandboxes/sbx_1/exports/download", "paths[]=/a,b&/c", "", "tar",
	},
	{
		"what a sandbox has made", func(_ *Client, s *Sandbox) error { return dropped(s.Artifacts(ctx)) },
		"GET /sandboxes/sbx_1/artifacts", "", "", object{"data": object{"artifacts": object{"files": []object{{"path": "/a"}}}}},
	},
	{
		"write a file", func(_ *Client, s *Sandbox) error { return s.Files.Write(ctx, "/x", []byte("hé")) },
		"POST /sandboxes/sbx_1/fs/write", "", `{"path":"/x","content_base64":"aMOp"}`, object{"data": object{}},
	},
}

func TestAMethodMakesItsRequest(t *testing.T) {
	for _, one := range wireCases {
		t.Run(one.name, func(t *testing.T) {
			server := serve(t)
			sandbox := server.sandbox()
			server.on(one.route, reply{body: one.reply})
			must(t, one.call(server.client(), sandbox))
			asked := server.requests(one.route)
			if len(asked) != 1 {
				t.Fatalf("%d requests came to %s", len(asked), one.route)
			}
			var query []string
			for _, name := range slices.Sorted(maps.Keys(asked[0].query)) {
				query = append(query, name+"="+asked[0].query[name])
			}
			same(t, strings.Join(query, " "), one.query)
			if one.body == "" {
				same(t, len(asked[0].raw), 0)
			} else {
				sameJSON(t, asked[0].raw, []byte(one.body))
			}
		})
	}
}

func TestCreateWaitsUntilTheSandboxIsReady(t *testing.T) {
	server := serve(t)
	server.on("POST /sandboxes", reply{body: object{"data": object{"id": "sbx_1", "state": "provisioning"}}})
	server.on("GET /sandboxes/sbx_1/readiness/stream", reply{chunks: []string{"event: ready\ndata: {}\n\n"}})
	server.on("GET /sandboxes/sbx_1", reply{body: object{"data": object{"id": "sbx_1", "state": "running"}}})
	sandbox, err := server.client().Sandboxes.Create(ctx, "", nil)
	must(t, err)
	same(t, sandbox.State(), "running")
	same(t, server.requests("POST /sandboxes")[0].query["wait"], "true")
}

func TestASandboxThatFailsIsNotWaitedFor(t *testing.T) {
	server := serve(t)
	server.on("POST /sandboxes", reply{body: object{"data": object{"id": "sbx_1", "state": "error"}}})
	_, err := server.client().Sandboxes.Create(ctx, "", nil)
	isKind(t, err, ErrSandboxFailed, ErrMiosa)
}

func TestGetOrCreateMakesWhatIsNotThereAndResumesWhatIsPaused(t *testing.T) {
	server := serve(t)
	running := reply{body: object{"data": object{"id": "sbx_1", "state": "running"}}}
	server.on("POST /sandboxes", running)
	_, err := server.client().Sandboxes.GetOrCreate(ctx, "a", nil)
	must(t, err)
	same(t, server.requests("POST /sandboxes")[0].json(t)["name"], any("a"))
	server.on("GET /sandboxes/by-name/a", reply{body: object{"data": object{"id": "sbx_1", "state": "paused"}}})
	server.on("POST /sandboxes/sbx_1/resume", running)
	sandbox, err := server.client().Sandboxes.GetOrCreate(ctx, "a", nil)
	must(t, err)
	same(t, sandbox.State(), "running")
	same(t, len(server.requests("POST /sandboxes")), 1)
}

func TestDestroyDoesItsWorkAfterTheContextHasEnded(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("DELETE /sandboxes/sbx_1", reply{status: 204})
	ended, stop := contextWithStop()
	stop()
	must(t, sandbox.Destroy(ended))
	same(t, len(server.requests("DELETE /sandboxes/sbx_1")), 1)
}

func TestAFailureAfterTheStatusWasSentIsAnError(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	late := object{"exit_code": 255, "stderr": "x", "error": object{"code": "RUNTIME_UNAVAILABLE", "message": "gone", "retry": true}}
	server.on("POST /sandboxes/sbx_1/exec", reply{body: object{"data": late}})
	_, err := sandbox.Exec.Run(ctx, Shell("x"))
	isKind(t, err, ErrServer)
	same(t, len(server.requests("POST /sandboxes/sbx_1/exec")), 1)
}

func TestTheBindingThatCameBesideASecretIsInIt(t *testing.T) {
	server := serve(t)
	body := object{"data": object{"id": "sec_1", "name": "k"}, "binding": object{"id": "bnd_1", "placeholder": "miosa-tok-1"}}
	server.on("POST /egress/secrets", reply{body: body})
	secret, err := server.client().Secrets.Set(ctx, SetSecretOptions{Name: "k", Value: "v"})
	must(t, err)
	same(t, secret.Binding.Placeholder, "miosa-tok-1")
}

func TestAConsentIsWaitedFor(t *testing.T) {
	server := serve(t)
	server.on("POST /egress/oauth/start", reply{body: object{"data": object{"state": "s", "authorize_url": "https://x", "interval": 0.01}}})
	done := reply{body: object{"data": object{"status": "completed", "secret_id": "sec_1"}}}
	server.on("GET /egress/oauth/status", reply{body: object{"data": object{"status": "pending"}}}, done)
	server.on("GET /egress/secrets/sec_1", reply{body: object{"data": object{"id": "sec_1", "name": "github_token"}}})
	flow, err := server.client().Secrets.Connect(ctx, "github", nil)
	must(t, err)
	secret, err := flow.WaitForCompletion(ctx)
	must(t, err)
	same(t, secret.Name, "github_token")
	same(t, len(server.requests("GET /egress/oauth/status")), 2)
}

func TestARefusedConsentSaysWhy(t *testing.T) {
	server := serve(t)
	server.on("POST /egress/oauth/start", reply{body: object{"data": object{"state": "s", "provider": "github"}}})
	server.on("GET /egress/oauth/status", reply{body: object{"data": object{"status": "failed", "error": "access_denied", "message": "said no"}}})
	flow, err := server.client().Secrets.Connect(ctx, "github", nil)
	must(t, err)
	_, err = flow.WaitForCompletion(ctx)
	isKind(t, err, ErrConnectionFailed, ErrMiosa)
	same(t, err.Error(), "github was not connected: said no")
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("GET /sandboxes/sbx_1/processes/7", reply{body: object{"pid": "7", "exit_code": nil}})
	short, stop := contextFor(150 * time.Millisecond)
	defer stop()
	_, err := sandbox.Processes.Wait(short, 7)
	isKind(t, err, ErrWaitTimeout, ErrMiosa)
}

func TestAnUploadIsAStreamWithProgress(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("PUT /sandboxes/sbx_1/fs/content", busy(503, nil), reply{body: object{"data": object{}}})
	var told []int64
	options := &UploadOptions{Mode: 0o600, Progress: func(done, total int64) { told = append(told, done, total) }}
	must(t, sandbox.Files.UploadFrom(ctx, strings.NewReader("hello"), "/a b", options))
	asked := server.requests("PUT /sandboxes/sbx_1/fs/content")
	same(t, len(asked), 2)
	same(t, string(asked[1].raw)+asked[1].query["path"]+asked[1].query["mode"], "hello/a b0600")
	same(t, asked[1].header.Get("Content-Type")+asked[1].header.Get("Content-Length"), "application/octet-stream5")
	same(t, asked[0].header.Get("Idempotency-Key"), "")
	same(t, told[len(told)-2] == 5 && told[len(told)-1] == 5, true)
}

func TestWhatWasReadOfAReaderBeforeIsNotSent(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("PUT /sandboxes/sbx_1/fs/content", busy(503, nil), reply{body: object{}})
	source := strings.NewReader("head and rest")
	_, err := source.Seek(9, io.SeekStart)
	must(t, err)
	must(t, sandbox.Files.UploadFrom(ctx, source, "/a", nil))
	for _, asked := range server.requests("PUT /sandboxes/sbx_1/fs/content") {
		same(t, string(asked.raw)+asked.header.Get("Content-Length"), "rest4")
	}
}

func TestAReaderThatCannotGoBackIsSentOnce(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("PUT /sandboxes/sbx_1/fs/content", busy(503, nil), reply{body: object{}})
	err := sandbox.Files.UploadFrom(ctx, io.MultiReader(strings.NewReader("hello")), "/a", nil)
	isKind(t, err, ErrUnavailable)
	same(t, len(server.requests("PUT /sandboxes/sbx_1/fs/content")), 1)
}

func TestAReaderThatFailsIsTheCallersError(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("PUT /sandboxes/sbx_1/fs/content", reply{body: object{}})
	broken := io.MultiReader(strings.NewReader("x"), failingReader{})
	isKind(t, sandbox.Files.UploadFrom(ctx, broken, "/a", nil), fs.ErrPermission)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, fs.ErrPermission }

func TestAFolderIsUploadedFileByFileWithFoldersThatHaveNone(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("PUT /sandboxes/sbx_1/fs/content", reply{body: object{}})
	server.on("POST /sandboxes/sbx_1/fs/mkdir", reply{body: object{}})
	local := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(local, "sub/empty"), 0o755))
	must(t, os.WriteFile(filepath.Join(local, "a.txt"), []byte("a"), 0o644))
	must(t, os.WriteFile(filepath.Join(local, "sub/run.sh"), []byte("b"), 0o755))
	must(t, sandbox.Files.Upload(ctx, local, "/workspace/x", nil))
	var sent []string
	for _, one := range server.requests("PUT /sandboxes/sbx_1/fs/content") {
		sent = append(sent, one.query["path"]+" "+one.query["mode"]+" "+string(one.raw))
	}
	same(t, strings.Join(sent, "; "), "/workspace/x/a.txt  a; /workspace/x/sub/run.sh 0755 b")
	made := server.requests("POST /sandboxes/sbx_1/fs/mkdir")
	same(t, len(made), 1)
	same(t, made[0].json(t)["path"], any("/workspace/x/sub/empty"))
}

func TestSomeFilesThatWereNotWrittenAreSaid(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("POST /sandboxes/sbx_1/fs/write-many", reply{body: object{"written": []object{}, "failed": []object{{"path": "/a", "error": "full"}}}})
	err := sandbox.Files.WriteMany(ctx, map[string][]byte{"/a": nil})
	isKind(t, err, ErrTransfer, ErrMiosa)
	same(t, err.Error(), "not written: /a: full")
}

func TestADownloadIsWholeAndHasOrdinaryPermissions(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("GET /sandboxes/sbx_1/fs/download", reply{body: "content"})
	local := filepath.Join(t.TempDir(), "x")
	must(t, sandbox.Files.Download(ctx, "/x", local, nil))
	content, err := os.ReadFile(local)
	must(t, err)
	same(t, string(content), "content")
	ordinary := filepath.Join(t.TempDir(), "y")
	must(t, os.WriteFile(ordinary, nil, 0o666))
	one, err := os.Stat(local)
	must(t, err)
	other, err := os.Stat(ordinary)
	must(t, err)
	same(t, one.Mode(), other.Mode())
}

func TestADownloadThatBreaksLeavesNothing(t *testing.T) {
	server := serve(t)
	sandbox := server.sandbox()
	server.on("GET /sandboxes/sbx_1/fs/download", reply{chunks: []string{"half"}, drop: true})
	folder := t.TempDir()
	isKind(t, sandbox.Files.Download(ctx, "/x", filepath.Join(folder, "x"), nil), ErrConnectionLost)
	left, err := os.ReadDir(folder)
	must(t, err)
	same(t, len(left), 0)
}

func TestAFolderOfTheSandboxIsAFileSystem(t *testing.T) {
	server := serve(t)
	tree := fstest.MapFS{"a.txt": {Data: []byte("alpha")}, "sub/b.txt": {Data: []byte("beta")}}
	sandbox := server.sandbox()
	server.Config.Handler = remoteTree{t, tree, server}
	must(t, fstest.TestFS(sandbox.Files.FS(ctx, ""), "a.txt", "sub/b.txt"))
}

// remoteTree answers the files' routes out of a file system.
type remoteTree struct {
	t    *testing.T
	tree fs.FS
	next *scripted
}

func (r remoteTree) info(path string, entry fs.FileInfo) object {
	return object{
		"path": path, "name": entry.Name(), "size": entry.Size(), "is_dir": entry.IsDir(), "mode": octal(entry.Mode().Perm()),
		"modified_at": entry.ModTime(),
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	server := serve(t)
	server.on("GET /whoami", reply{body: object{"data": object{"key_id": "k", "mood": "good"}}})
	me, err := server.client().Whoami(ctx)
	must(t, err)
	var mood string
	must(t, json.Unmarshal(me.Extra["mood"], &mood))
	same(t, mood, "good")
}
