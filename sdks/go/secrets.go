package openmiosa

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Secrets has the secrets of one sandbox, or those of the tenant: values go in and never come out, and sandboxes see
// placeholders. Wherever a secret is asked for, its id and its name both do.
type Secrets struct{ scope scope }

// SetSecretOptions is a secret to store. Name and Value are required.
type SetSecretOptions struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// ExposeAsEnv is the variable under which the sandbox sees the placeholder.
	ExposeAsEnv string `json:"expose_as_env"`
	// AllowedHosts are where the value may go; nil lets the server recognise the provider that it belongs to.
	AllowedHosts []string `json:"allowed_hosts"`
	// Provider names whose value it is, where it would not be recognised; RefreshToken renews it there.
	Provider     string `json:"provider"`
	RefreshToken string `json:"refresh_token"`
	// Type is api_key when it is empty.
	Type string `json:"type"`
	// Scope is user when it is empty; else tenant, workspace, external_user or external_workspace.
	Scope               string         `json:"scope"`
	WorkspaceID         string         `json:"workspace_id"`
	OwnerUserID         string         `json:"owner_user_id"`
	ExternalUserID      string         `json:"external_user_id"`
	ExternalWorkspaceID string         `json:"external_workspace_id"`
	ExpiresAt           time.Time      `json:"expires_at"`
	Metadata            map[string]any `json:"metadata"`
	Extra               map[string]any `json:"-"`
}

// String leaves out the value.
func (o SetSecretOptions) String() string { return described(o, "Value", "RefreshToken") }

// GoString is String.
func (o SetSecretOptions) GoString() string { return o.String() }

// ListSecretsOptions narrows a list of secrets.
type ListSecretsOptions struct {
	Provider            string         `json:"provider"`
	Type                string         `json:"type"`
	Scope               string         `json:"scope"`
	WorkspaceID         string         `json:"workspace_id"`
	ExternalUserID      string         `json:"external_user_id"`
	ExternalWorkspaceID string         `json:"external_workspace_id"`
	Extra               map[string]any `json:"-"`
}

// RotateSecretOptions is more than a new value.
type RotateSecretOptions struct {
	RefreshToken string         `json:"refresh_token"`
	ExpiresAt    time.Time      `json:"expires_at"`
	Extra        map[string]any `json:"-"`
}

// String leaves out the token.
func (o RotateSecretOptions) String() string { return described(o, "RefreshToken") }

// GoString is String.
func (o RotateSecretOptions) GoString() string { return o.String() }

// ConnectOptions says how an account is connected, and for whom.
type ConnectOptions struct {
	ExposeAsEnv string `json:"expose_as_env"`
	// Flow is code (a browser comes back to the server) when it is empty, or device (a code is entered elsewhere).
	Flow string `json:"flow"`
	// Scopes are the provider's; Scope is whose the account is, as in SetSecretOptions.
	Scopes              []string       `json:"scopes"`
	Scope               string         `json:"scope"`
	RedirectURI         string         `json:"redirect_uri"`
	WorkspaceID         string         `json:"workspace_id"`
	OwnerUserID         string         `json:"owner_user_id"`
	ExternalUserID      string         `json:"external_user_id"`
	ExternalWorkspaceID string         `json:"external_workspace_id"`
	Extra               map[string]any `json:"-"`
}

// ReauthorizeOptions says by which flow consent is asked for again; code when it does not.
type ReauthorizeOptions struct {
	Flow  string         `json:"flow"`
	Extra map[string]any `json:"-"`
}

// MachineOauthOptions is a client of a token endpoint. Name, TokenURL, ClientID and ClientSecret are required.
type MachineOauthOptions struct {
	Name         string         `json:"name"`
	TokenURL     string         `json:"token_url"`
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret"`
	Scopes       []string       `json:"scopes"`
	ExposeAsEnv  string         `json:"expose_as_env"`
	AllowedHosts []string       `json:"allowed_hosts"`
	Extra        map[string]any `json:"-"`
}

// String leaves out the client's secret.
func (o MachineOauthOptions) String() string { return described(o, "ClientSecret") }

// GoString is String.
func (o MachineOauthOptions) GoString() string { return o.String() }

// BindOptions says where a secret is exposed. ExposeAsEnv is required.
type BindOptions struct {
	ExposeAsEnv string `json:"expose_as_env"`
	// ResourceID is a sandbox; that of the handle when it is empty.
	ResourceID string         `json:"resource_id"`
	Extra      map[string]any `json:"-"`
}

// ListBindingsOptions narrows a list of bindings.
type ListBindingsOptions struct {
	SecretID string         `json:"secret_id"`
	Extra    map[string]any `json:"-"`
}

// Set stores a value. It goes out only to AllowedHosts, or to those of the provider that it is recognised as belonging to.
func (s *Secrets) Set(ctx context.Context, options SetSecretOptions) (*Secret, error) {
	wanted := merged(object{"type": "api_key", "scope": "user"}, s.scope.resource(), given(options))
	return secretOf(s.scope.call(ctx, http.MethodPost, nil, wanted, "egress", "secrets"))
}

// List gives what may be known of the secrets.
func (s *Secrets) List(ctx context.Context, options *ListSecretsOptions) ([]Secret, error) {
	body, err := s.scope.call(ctx, http.MethodGet, merged(s.scope.resource(), given(options)), nil, "egress", "secrets")
	return recordsOf[Secret](body, err)
}

// Get gives what may be known of one secret.
func (s *Secrets) Get(ctx context.Context, secret string) (*Secret, error) {
	return secretOf(s.scope.call(ctx, http.MethodGet, s.scope.resource(), nil, "egress", "secrets", secret))
}

// Rotate replaces the value. Placeholders stay; when this returns, no new request uses the old value.
func (s *Secrets) Rotate(ctx context.Context, secret, newValue string, options *RotateSecretOptions) (*Secret, error) {
	wanted := merged(given(options), object{"value": newValue})
	return secretOf(s.scope.call(ctx, http.MethodPatch, s.scope.resource(), wanted, "egress", "secrets", secret))
}

// Delete forgets a secret and its bindings; when this returns, no request uses it.
func (s *Secrets) Delete(ctx context.Context, secret string) error {
	_, err := s.scope.call(ctx, http.MethodDelete, s.scope.resource(), nil, "egress", "secrets", secret)
	return err
}

// Connect begins to connect an account: show AuthorizeURL (or, with the device flow, UserCode) to a person, then call
// WaitForCompletion.
func (s *Secrets) Connect(ctx context.Context, provider string, options *ConnectOptions) (*Connection, error) {
	wanted := merged(s.scope.resource(), given(options), object{"provider": provider})
	return s.connection(s.scope.call(ctx, http.MethodPost, nil, wanted, "egress", "oauth", "start"))
}

// Reauthorize asks for consent again, for an account whose consent was withdrawn; placeholders stay.
func (s *Secrets) Reauthorize(ctx context.Context, secret string, options *ReauthorizeOptions) (*Connection, error) {
	segments := []string{"egress", "secrets", secret, "reauthorize"}
	return s.connection(s.scope.call(ctx, http.MethodPost, s.scope.resource(), given(options), segments...))
}

// AddMachineOauth stores a client whose tokens are fetched and renewed by the server; its own secret never has a placeholder.
func (s *Secrets) AddMachineOauth(ctx context.Context, options MachineOauthOptions) (*Secret, error) {
	wanted := merged(s.scope.resource(), given(options))
	return secretOf(s.scope.call(ctx, http.MethodPost, nil, wanted, "egress", "oauth", "machine"))
}

// Providers lists the account providers of this server.
func (s *Secrets) Providers(ctx context.Context) ([]Provider, error) {
	body, err := s.scope.call(ctx, http.MethodGet, nil, nil, "egress", "oauth", "providers")
	return recordsOf[Provider](body, err)
}

// Bind exposes a secret that exists to this sandbox, or to ResourceID, under a variable.
func (s *Secrets) Bind(ctx context.Context, secret string, options BindOptions) (*Binding, error) {
	wanted := merged(object{"resource_type": "sandbox"}, given(options), s.scope.resource(), object{"secret_id": secret})
	body, err := s.scope.call(ctx, http.MethodPost, nil, wanted, "egress", "bindings")
	return recordOf[Binding](body, err, "binding")
}

// Bindings lists which secrets are exposed where, and under which placeholders.
func (s *Secrets) Bindings(ctx context.Context, options *ListBindingsOptions) ([]Binding, error) {
	body, err := s.scope.call(ctx, http.MethodGet, merged(s.scope.resource(), given(options)), nil, "egress", "bindings")
	return recordsOf[Binding](body, err)
}

// Unbind takes a binding back; the secret stays.
func (s *Secrets) Unbind(ctx context.Context, bindingID string) error {
	_, err := s.scope.call(ctx, http.MethodDelete, nil, nil, "egress", "bindings", bindingID)
	return err
}

// connection is the consent that an answer tells of.
func (s *Secrets) connection(body json.RawMessage, err error) (*Connection, error) {
	info, err := recordOf[ConnectionInfo](body, err)
	if err != nil {
		return nil, err
	}
	return &Connection{Info: *info, scope: s.scope}, nil
}

// secretOf reads a secret, with the binding that came beside it.
func secretOf(body json.RawMessage, err error) (*Secret, error) {
	secret, err := recordOf[Secret](body, err, "secret")
	if err != nil {
		return nil, err
	}
	var beside struct {
		Binding *Binding `json:"binding"`
	}
	if json.Unmarshal(body, &beside) == nil && beside.Binding != nil {
		secret.Binding = beside.Binding
	}
	return secret, nil
}
