package systemtest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

// clientWith is a client of the system with another key.
func clientWith(t *testing.T, key string) *openmiosa.Client {
	t.Helper()
	client, err := openmiosa.NewClient(openmiosa.WithAPIKey(key), openmiosa.WithBaseURL(system.BaseURL))
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestKeysOpenWhatTheyMayAndNoMore(t *testing.T) {
	ctx := within(t)
	key, err := system.Client.APIKeys.Create(ctx, "reader", &openmiosa.CreateKeyOptions{Scopes: []string{"sandboxes:read"}})
	must(t, err)
	reader := clientWith(t, key.Token)
	_, err = openmiosa.Collect(reader.Sandboxes.List(ctx, nil))
	must(t, err)
	_, err = reader.Sandboxes.Create(ctx, "", nil)
	isKind(t, err, openmiosa.ErrInsufficientScope)
	var answer *openmiosa.APIError
	same(t, errors.As(err, &answer) && answer.Required() == "sandboxes:write" && answer.RequestID != "", true)
	must(t, system.Client.APIKeys.Delete(ctx, key.ID, nil))
	_, err = reader.Whoami(ctx)
	isKind(t, err, openmiosa.ErrAuthentication)
	entries, err := openmiosa.Collect(system.Client.AdminLog.List(ctx, &openmiosa.ListAdminLogOptions{Limit: 1000}))
	must(t, err)
	same(t, len(entries) > 2, true)
}

func TestAKeyIsChangedRotatedAndRemembered(t *testing.T) {
	ctx, keys := within(t), system.Client.APIKeys
	key, err := keys.Create(ctx, "ci", &openmiosa.CreateKeyOptions{Scopes: []string{"sandboxes:read", "audit:read"}, Description: "builds"})
	must(t, err)
	changed, err := keys.Update(ctx, key.ID, openmiosa.UpdateKeyOptions{Scopes: []string{"sandboxes:read"}})
	must(t, err)
	same(t, len(changed.Scopes), 1)
	rotated, err := keys.Rotate(ctx, key.ID, nil)
	must(t, err)
	same(t, rotated.ID == key.ID && rotated.Token != key.Token, true)
	_, err = clientWith(t, key.Token).Whoami(ctx)
	isKind(t, err, openmiosa.ErrAuthentication)
	_, err = clientWith(t, rotated.Token).Whoami(ctx)
	must(t, err)
	events, err := openmiosa.Collect(keys.Events(ctx, key.ID, nil))
	must(t, err)
	same(t, slices.ContainsFunc(events, func(one openmiosa.AdminEntry) bool { return one.Action == "identity:key:rotate" }), true)
	listed, err := openmiosa.Collect(keys.List(ctx))
	must(t, err)
	same(t, slices.ContainsFunc(listed, func(one openmiosa.APIKey) bool { return one.ID == key.ID && one.Token == "" }), true)
	found, err := keys.Get(ctx, key.ID)
	must(t, err)
	same(t, found.Description, "builds")
	must(t, keys.Delete(ctx, key.ID, nil))
}

func TestScopesHaveNames(t *testing.T) {
	ctx, keys := within(t), system.Client.APIKeys
	saved, err := keys.SavePreset(ctx, openmiosa.SavePresetOptions{Name: "looker", Scopes: []string{"audit:read"}, Description: "looks"})
	must(t, err)
	same(t, saved.Name, "looker")
	presets, err := keys.Presets(ctx)
	must(t, err)
	isLooker := func(one openmiosa.KeyPreset) bool { return one.Name == "looker" }
	same(t, slices.ContainsFunc(presets, isLooker), true)
	key, err := keys.Create(ctx, "auditor", &openmiosa.CreateKeyOptions{Preset: "looker"})
	must(t, err)
	same(t, strings.Join(key.Scopes, " "), "audit:read")
	must(t, keys.DeletePreset(ctx, "looker"))
	presets, err = keys.Presets(ctx)
	must(t, err)
	same(t, slices.ContainsFunc(presets, isLooker), false)
}

func TestAKeyOfOneUserSeesThatUsersSandboxesAlone(t *testing.T) {
	ctx := within(t)
	mine, err := system.Client.Sandboxes.Create(ctx, "", &openmiosa.CreateSandboxOptions{ExternalUserID: "user-go"})
	must(t, err)
	defer mine.Destroy(ctx)
	other := box(t)
	key, err := system.Client.APIKeys.CreateScoped(ctx, openmiosa.CreateScopedKeyOptions{ExternalUserID: "user-go", Scopes: []string{"sandboxes:read"}})
	must(t, err)
	token, err := system.Client.Tokens.CreateScoped(ctx, openmiosa.ScopedTokenOptions{UserID: "user-go", Scopes: []string{"sandboxes:read"}})
	must(t, err)
	for _, secret := range []string{key.Token, token.Token} {
		client := clientWith(t, secret)
		_, err = client.Sandboxes.Get(ctx, mine.ID())
		must(t, err)
		_, err = client.Sandboxes.Get(ctx, other.ID())
		isKind(t, err, openmiosa.ErrNotFound)
	}
}

func TestATicketOpensOneStreamOnce(t *testing.T) {
	ticket, err := system.Client.SSETicket(within(t))
	must(t, err)
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(within(t), "GET", system.Client.BaseURL()+"/events/stream?ticket="+ticket.Ticket, nil)
		must(t, err)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		answer.Body.Close()
		same(t, answer.StatusCode, want)
	}
}

func TestOneClientServesManyGoroutines(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	var all sync.WaitGroup
	failures := make(chan error, 20)
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			result, err := sandbox.Exec.Run(ctx, openmiosa.Shell("echo $PPID; cat /proc/sys/kernel/hostname"))
			if err == nil {
				err = result.Check()
			}
			failures <- errors.Join(err, sandbox.Refresh(ctx))
		}()
	}
	all.Wait()
	close(failures)
	for err := range failures {
		must(t, err)
	}
}
