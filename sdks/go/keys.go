package openmiosa

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// APIKeys has the keys of this key's tenant.
type APIKeys struct{ transport *transport }

// CreateKeyOptions says what a key may do and how long.
type CreateKeyOptions struct {
	// Scopes are those of the maker when they are nil; Preset names a set of them instead.
	Scopes         []string       `json:"scopes"`
	Preset         string         `json:"preset"`
	ExpiresAt      time.Time      `json:"expires_at"`
	ExternalUserID string         `json:"external_user_id"`
	Description    string         `json:"description"`
	Metadata       map[string]any `json:"metadata"`
	// IPAllowlist are the networks that it may be used from; any when it is nil.
	IPAllowlist []string       `json:"ip_allowlist"`
	Extra       map[string]any `json:"-"`
}

// CreateScopedKeyOptions is a key for one external user. ExternalUserID is required.
type CreateScopedKeyOptions struct {
	ExternalUserID string         `json:"external_user_id"`
	Name           string         `json:"name"`
	Scopes         []string       `json:"scopes"`
	ExpiresAt      time.Time      `json:"expires_at"`
	Extra          map[string]any `json:"-"`
}

// UpdateKeyOptions says what changes of a key; what is nil or empty stays.
type UpdateKeyOptions struct {
	Name        string         `json:"name"`
	Scopes      []string       `json:"scopes"`
	ExpiresAt   time.Time      `json:"expires_at"`
	Description string         `json:"description"`
	Metadata    map[string]any `json:"metadata"`
	// IPAllowlist are the networks that it may be used from; an empty one that is not nil opens it to all again.
	IPAllowlist []string       `json:"ip_allowlist"`
	Extra       map[string]any `json:"-"`
}

// RotateKeyOptions says how long the old token stays good beside the new one; not at all when it is 0.
type RotateKeyOptions struct {
	OverlapSeconds int            `json:"overlap_seconds"`
	Extra          map[string]any `json:"-"`
}

// DeleteKeyOptions says whether the keys that the key made stay; they end with it when it does not.
type DeleteKeyOptions struct {
	KeepChildren bool           `json:"keep_children"`
	Extra        map[string]any `json:"-"`
}

// SavePresetOptions is a set of scopes under a name. Name and Scopes are required.
type SavePresetOptions struct {
	Name        string         `json:"name"`
	Scopes      []string       `json:"scopes"`
	Description string         `json:"description"`
	Extra       map[string]any `json:"-"`
}

// KeyEventsOptions narrows what was done with a key.
type KeyEventsOptions struct {
	// Type is an act such as identity:key:rotate; * stands for any part.
	Type string `json:"type"`
	// Limit is how many, 50 when it is 0.
	Limit int            `json:"limit"`
	Extra map[string]any `json:"-"`
}

// Create makes a key. Its Token is in this reply and never again.
func (k *APIKeys) Create(ctx context.Context, name string, options *CreateKeyOptions) (*APIKey, error) {
	return keyOf(k.call(ctx, http.MethodPost, merged(given(options), object{"name": name})))
}

// CreateScoped makes a key that sees one external user's sandboxes and nothing else.
func (k *APIKeys) CreateScoped(ctx context.Context, options CreateScopedKeyOptions) (*APIKey, error) {
	return keyOf(k.call(ctx, http.MethodPost, given(options), "scoped"))
}

// List gives the keys, without their tokens.
func (k *APIKeys) List(ctx context.Context) iter.Seq2[APIKey, error] {
	return pages(ctx, k.transport, "api-keys", nil, readAs[APIKey])
}

// Get gives one key, without its token.
func (k *APIKeys) Get(ctx context.Context, keyID string) (*APIKey, error) {
	return keyOf(k.call(ctx, http.MethodGet, nil, keyID))
}

// Update changes a key's name, scopes or end.
func (k *APIKeys) Update(ctx context.Context, keyID string, options UpdateKeyOptions) (*APIKey, error) {
	return keyOf(k.call(ctx, http.MethodPatch, given(options), keyID))
}

// Rotate gives a key a new token, which is in this reply and never again; when this returns, the old one opens nothing any
// more, or it does after the overlap.
func (k *APIKeys) Rotate(ctx context.Context, keyID string, options *RotateKeyOptions) (*APIKey, error) {
	return keyOf(k.call(ctx, http.MethodPost, given(options), keyID, "rotate"))
}

// Delete ends a key, and those that it made; when this returns, they open nothing any more.
func (k *APIKeys) Delete(ctx context.Context, keyID string, options *DeleteKeyOptions) error {
	_, err := scope{transport: k.transport}.call(ctx, http.MethodDelete, given(options), nil, "api-keys", keyID)
	return err
}

// Events gives what was done with a key, newest first.
func (k *APIKeys) Events(ctx context.Context, keyID string, options *KeyEventsOptions) iter.Seq2[AdminEntry, error] {
	path, err := pathOf("api-keys", keyID, "events")
	if err != nil {
		return failing[AdminEntry](err)
	}
	return pages(ctx, k.transport, path, given(options), readAs[AdminEntry])
}

// Presets lists the named sets of scopes that keys can be made with.
func (k *APIKeys) Presets(ctx context.Context) ([]KeyPreset, error) {
	return recordsOf[KeyPreset](k.call(ctx, http.MethodGet, nil, "presets"))
}

// SavePreset keeps a set of scopes under a name, replacing what is there.
func (k *APIKeys) SavePreset(ctx context.Context, options SavePresetOptions) (*KeyPreset, error) {
	body, err := k.call(ctx, http.MethodPost, given(options), "presets")
	return recordOf[KeyPreset](body, err)
}

// DeletePreset forgets a named set of scopes; keys that were made with it stay.
func (k *APIKeys) DeletePreset(ctx context.Context, name string) error {
	_, err := k.call(ctx, http.MethodDelete, nil, "presets", name)
	return err
}

func (k *APIKeys) call(ctx context.Context, method string, wanted object, segments ...string) (json.RawMessage, error) {
	var sent any
	if wanted != nil {
		sent = wanted
	}
	return scope{transport: k.transport}.call(ctx, method, nil, sent, append([]string{"api-keys"}, segments...)...)
}

func keyOf(body json.RawMessage, err error) (*APIKey, error) {
	return recordOf[APIKey](body, err)
}

// Tokens derives tokens from this client's key.
type Tokens struct{ transport *transport }

// ScopedTokenOptions is a token for one user, or for what should not hold the key itself.
type ScopedTokenOptions struct {
	UserID      string   `json:"user_id"`
	WorkspaceID string   `json:"workspace_id"`
	Scopes      []string `json:"scopes"`
	// ExpiresInSeconds is an hour when it is 0.
	ExpiresInSeconds int            `json:"expires_in_seconds"`
	Extra            map[string]any `json:"-"`
}

// CreateScoped makes a token that may do a part of what this client's key may, for a short while.
func (t *Tokens) CreateScoped(ctx context.Context, options ScopedTokenOptions) (*ScopedToken, error) {
	body, err := scope{transport: t.transport}.call(ctx, http.MethodPost, nil, given(options), "tokens", "scoped")
	return recordOf[ScopedToken](body, err)
}

// AdminLog is the record of administrative acts, refused ones too.
type AdminLog struct{ transport *transport }

// ListAdminLogOptions narrows a list of acts.
type ListAdminLogOptions struct {
	Action       string    `json:"action"`
	ActorID      string    `json:"actor_id"`
	ResourceType string    `json:"resource_type"`
	ResourceID   string    `json:"resource_id"`
	Since        time.Time `json:"since"`
	Until        time.Time `json:"until"`
	// Limit is the size of a page.
	Limit  int            `json:"limit"`
	Cursor string         `json:"cursor"`
	Extra  map[string]any `json:"-"`
}

// List gives acts, newest first.
func (a *AdminLog) List(ctx context.Context, options *ListAdminLogOptions) iter.Seq2[AdminEntry, error] {
	return pages(ctx, a.transport, "audit-log", given(options), readAs[AdminEntry])
}
